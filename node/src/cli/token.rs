//! `kvs token`: what says who asks.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kvs_client::{NewToken, RotateKeys, Token, WhoAmI};
use kvs_core::account::ROOT_USER;
use uuid::Uuid;

use super::output::{self, Table};
use super::remote::Remote;
use super::user::listed;
use super::{Done, time};
use crate::config::{DEFAULT_FILE, Environment};

/// Make, list and revoke tokens.
///
/// A token permits what both it and its user may do, until it ends. It is shown once, and kept
/// nowhere. Client commands take it from --token or from `KVS_TOKEN`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  export KVS_TOKEN=$(kvs token create --root)        on the machine of a node: all rights
  kvs token create --user alice --scope read --ttl 8h
  kvs token whoami
  kvs token list --user alice
  kvs token revoke 0190b6f2-4c1e-4c7e-9d0a-0a8a3c1f2b11
  kvs token rotate-key")]
pub(super) struct Tokens {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    /// Show who this token's user is, and what it permits
    Whoami(Alone),
    /// List what is known of tokens, never the tokens themselves
    List(List),
    /// Have a token refused from now on
    Revoke(Revoke),
    RotateKey(RotateKey),
}

/// Make a token, and print it
///
/// With --root it is one of the first user, with every right, made by the owner of the data of a
/// node on this machine.
#[derive(Debug, Args)]
struct Create {
    /// Whose; your own if left out
    #[arg(long)]
    user: Option<String>,

    /// What it permits of what its user may do, as often as needed; all of it if left out
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,

    /// How long it lives, such as 90m [default: as the node is configured]
    #[arg(long)]
    ttl: Option<String>,

    /// Of the first user, by the node of config.yaml here or of --local
    #[arg(long, conflicts_with = "user")]
    root: bool,

    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Alone {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct List {
    /// Only those of this user
    #[arg(long)]
    user: Option<String>,

    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Revoke {
    /// The token's id, as `kvs token list` shows it
    id: Uuid,

    #[command(flatten)]
    remote: Remote,
}

/// Make a new key that tokens are signed with
///
/// It signs once every member of the cluster holds it, or at once if it revokes all others. Tokens of
/// the old key stay good until they end.
#[derive(Debug, Args)]
struct RotateKey {
    /// Refuse all other keys from now on, and with them every token that there is
    #[arg(long)]
    revoke_old: bool,

    #[command(flatten)]
    remote: Remote,
}

impl Tokens {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        match self.action {
            Action::Create(create) => create.run(environment).await,
            Action::Whoami(Alone { remote }) => {
                let whoami = remote.client(environment)?.whoami().await?;
                if remote.json { output::json(&whoami) } else { tell(&whoami) }
            }
            Action::List(List { user, remote }) => {
                list(&remote.client(environment)?.tokens(user.as_deref()).await?, &remote)
            }
            Action::Revoke(Revoke { id, remote }) => {
                Ok(remote.client(environment)?.revoke_token(id).await?)
            }
            Action::RotateKey(RotateKey { revoke_old, remote }) => {
                let rotate = RotateKeys { revoke_old };
                let rotated = remote.client(environment)?.rotate_keys(rotate).await?;
                if remote.json { output::json(&rotated) } else { output::line(&rotated.kid) }
            }
        }
    }
}

impl Create {
    async fn run(mut self, environment: &Environment) -> Done {
        if self.root {
            self.user = Some(ROOT_USER.to_owned());
            let named = self.remote.server.is_some() || self.remote.local.is_some();
            self.remote.local = self.remote.local.or_else(|| {
                // The owner of the data is asked for no token, so none need be left out.
                (!named).then(|| PathBuf::from(DEFAULT_FILE))
            });
        }
        let Self { user, scopes, ttl, remote, .. } = self;
        let scopes = (!scopes.is_empty()).then_some(scopes);
        let made =
            remote.client(environment)?.create_token(&NewToken { user, scopes, ttl }).await?;
        if remote.json { output::json(&made) } else { output::line(&made.token) }
    }
}

fn tell(whoami: &WhoAmI) -> Done {
    let user = whoami.user.as_deref().unwrap_or("the owner of the data");
    output::line(user)?;
    output::line(format_args!("  scopes  {}", listed(&whoami.scopes)))?;
    output::line(format_args!("  groups  {}", listed(&whoami.groups)))?;
    match whoami.expires {
        Some(at) => output::line(format_args!("  until   {}", time::utc(at))),
        None => Ok(()),
    }
}

fn list(tokens: &[Token], remote: &Remote) -> Done {
    if remote.json {
        return tokens.iter().try_for_each(output::json);
    }
    let mut table = Table::new(["ID", "USER", "SCOPES", "UNTIL"]);
    for token in tokens {
        let user = token.user.clone().unwrap_or_else(|| "-".to_owned());
        table.row([token.id.to_string(), user, listed(&token.scopes), time::utc(token.expires)]);
    }
    table.print()
}
