//! The first accounts of a cluster, and the first token.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kvs_core::account::{Place, ROOT_USER, root_records};
use kvs_core::{Command, RecordId, ScopeSet, Version};

use super::{AccountError, Accounts, Made, NewToken};
use crate::node::Node;
use crate::writer::{Applied, Write};

/// How long the first token lives, if tokens may live that long.
const FIRST_TOKEN: Duration = Duration::from_hours(24);

/// Sees to it that the first signing key is there and, where nobody ever was, the first user. Says
/// whether that one was made here and now.
pub(super) async fn found(node: &Node) -> Result<bool, AccountError> {
    let accounts = node.accounts();
    let site = accounts.site().ok_or(AccountError::NoKey)?;
    let (kid, public) = site.first().ok_or(AccountError::NoKey)?;
    let is_new = accounts.directory().is_new();
    let records = root_records(site.cluster, kid, &public)?;
    let wanted = records.into_iter().filter(|(record, _)| is_new || is_key(record));
    let (users, writes): (Vec<bool>, Vec<Write>) = wanted.map(merge).unzip();
    let results = node.write(writes).await?;
    let made =
        |(is_user, result): (bool, _)| is_user && matches!(result, Ok(Applied::Committed(_)));
    Ok(users.into_iter().zip(results).any(made))
}

fn merge((record, version): (RecordId, Version)) -> (bool, Write) {
    let is_user = matches!(Place::of(&record.key), Some(Place::User(_)));
    (is_user, Write { record, command: Command::Merge(version) })
}

fn is_key(record: &RecordId) -> bool {
    matches!(Place::of(&record.key), Some(Place::SigningKey(_)))
}

/// A token of the first user with every scope.
pub(super) async fn token(node: &Arc<Node>) -> Result<Made, AccountError> {
    let most = node.accounts().lifetimes.most;
    let wanted = NewToken {
        user: ROOT_USER.parse().ok(),
        scopes: Some(ScopeSet::everything()),
        ttl: Some(FIRST_TOKEN.min(most)),
    };
    Accounts::changes_by_itself(node).create_token(wanted).await
}

/// Keeps a token where only its owner can read it.
pub(super) fn keep(path: &Path, token: &str) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let _absent = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    fs::rename(unfinished, path)
}
