//! `kvs user`: who may log in.

use clap::{Args, Subcommand};
use kvs_client::{NewAccount, User, UserPatch};

use super::Done;
use super::output::{self, Table};
use super::remote::Remote;
use crate::config::Environment;

/// Make, list, change and delete users.
///
/// A user has scopes: what they may ask for at all. Which keys they may then read or write, their
/// modes say (`kvs chmod`). Nobody can give a scope that they lack.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs user create alice --scope read --scope write:home
  kvs user update alice --scope read
  kvs user disable alice
  kvs user list
  kvs token create --user alice --ttl 8h")]
pub(super) struct Users {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a user
    Create(Create),
    /// List all users
    List(List),
    /// Show a user
    Show(Named),
    /// Give a user other scopes
    Update(Create),
    /// Refuse all tokens of a user for now
    Disable(Named),
    /// Take them again
    Enable(Named),
    /// Delete a user for good, and refuse their tokens
    Delete(Named),
}

/// A name and scopes.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The name
    pub(super) name: String,

    /// What they may ask for, such as read, write:home/room or admin:users:*; as often as needed
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(super) scopes: Vec<String>,

    #[command(flatten)]
    pub(super) remote: Remote,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    remote: Remote,
}

/// A name alone.
#[derive(Debug, Args)]
struct Named {
    /// The user's name
    name: String,

    #[command(flatten)]
    remote: Remote,
}

impl Users {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        match self.action {
            Action::Create(Create { name, scopes, remote }) => {
                let user = NewAccount { name, scopes };
                show(&remote.client(environment)?.create_user(&user).await?, &remote)
            }
            Action::Update(Create { name, scopes, remote }) => {
                let patch = UserPatch { scopes: Some(scopes), disabled: None };
                show(&remote.client(environment)?.update_user(&name, &patch).await?, &remote)
            }
            Action::Disable(named) => named.set_disabled(environment, true).await,
            Action::Enable(named) => named.set_disabled(environment, false).await,
            Action::Show(Named { name, remote }) => {
                show(&remote.client(environment)?.user(&name).await?, &remote)
            }
            Action::Delete(Named { name, remote }) => {
                Ok(remote.client(environment)?.delete_user(&name).await?)
            }
            Action::List(List { remote }) => {
                list(&remote.client(environment)?.users().await?, &remote)
            }
        }
    }
}

impl Named {
    async fn set_disabled(self, environment: &Environment, disabled: bool) -> Done {
        let patch = UserPatch { disabled: Some(disabled), ..UserPatch::default() };
        let client = self.remote.client(environment)?;
        show(&client.update_user(&self.name, &patch).await?, &self.remote)
    }
}

fn show(user: &User, remote: &Remote) -> Done {
    if remote.json { output::json(user) } else { list(std::slice::from_ref(user), remote) }
}

fn list(users: &[User], remote: &Remote) -> Done {
    if remote.json {
        return users.iter().try_for_each(output::json);
    }
    let mut table = Table::new(["NAME", "ID", "SCOPES", "GROUPS", "STATE"]);
    for user in users {
        let state = if user.disabled { "disabled" } else { "-" };
        let (scopes, groups) = (listed(&user.scopes), listed(&user.groups));
        table.row([user.name.clone(), user.id.to_string(), scopes, groups, state.to_owned()]);
    }
    table.print()
}

/// Names side by side.
pub(super) fn listed(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(" ") }
}
