//! `kvs group`: who belongs together.

use clap::{Args, Subcommand};
use kvs_client::{Group, GroupPatch, NewAccount};

use super::Done;
use super::output::{self, Table};
use super::remote::Remote;
use super::user::{Create, listed};
use crate::config::Environment;

/// Make, list, change and delete groups of users.
///
/// Members of a group may ask for what the group may, beside what they may themselves; and the middle
/// four letters of a mode are for the key's group (`kvs chown :GROUP`).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs group create family --scope read:home --scope write:home
  kvs group add family alice
  kvs group members family
  kvs group remove family alice")]
pub(super) struct Groups {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a group
    Create(Create),
    /// List all groups
    List(All),
    /// Give a group other scopes
    Update(Create),
    /// Delete a group
    Delete(One),
    /// List who is in a group
    Members(One),
    /// Put a user into a group
    Add(Member),
    /// Take a user out of a group
    Remove(Member),
}

#[derive(Debug, Args)]
struct All {
    #[command(flatten)]
    remote: Remote,
}

/// A group.
#[derive(Debug, Args)]
struct One {
    /// The group's name
    group: String,

    #[command(flatten)]
    remote: Remote,
}

/// A user of a group.
#[derive(Debug, Args)]
struct Member {
    /// The group's name
    group: String,

    /// The user's name
    user: String,

    #[command(flatten)]
    remote: Remote,
}

impl Groups {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        match self.action {
            Action::Create(Create { name, scopes, remote }) => {
                let group = NewAccount { name, scopes };
                show(&[remote.client(environment)?.create_group(&group).await?], &remote)
            }
            Action::Update(Create { name, scopes, remote }) => {
                let patch = GroupPatch { scopes: Some(scopes) };
                show(&[remote.client(environment)?.update_group(&name, &patch).await?], &remote)
            }
            Action::List(All { remote }) => {
                show(&remote.client(environment)?.groups().await?, &remote)
            }
            Action::Delete(One { group, remote }) => {
                Ok(remote.client(environment)?.delete_group(&group).await?)
            }
            Action::Members(One { group, remote }) => {
                let members = remote.client(environment)?.group_members(&group).await?;
                if remote.json {
                    return members.iter().try_for_each(output::json);
                }
                members.iter().try_for_each(|member| output::line(&member.name))
            }
            Action::Add(Member { group, user, remote }) => {
                Ok(remote.client(environment)?.add_member(&group, &user).await?)
            }
            Action::Remove(Member { group, user, remote }) => {
                Ok(remote.client(environment)?.remove_member(&group, &user).await?)
            }
        }
    }
}

fn show(groups: &[Group], remote: &Remote) -> Done {
    if remote.json {
        return groups.iter().try_for_each(output::json);
    }
    let mut table = Table::new(["NAME", "ID", "SCOPES"]);
    for group in groups {
        table.row([group.name.clone(), group.id.to_string(), listed(&group.scopes)]);
    }
    table.print()
}
