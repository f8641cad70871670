//! What is done next about a `KvsUser`.
//!
//! Whose a user is, an annotation of the `KvsUser` says: before the user is made, since when, by the clock of
//! the node that is asked; then the user's id. So a user that somebody else made is never taken for
//! ours, and one that was made by an operator that was killed right after is.

mod mark;
mod step;

use std::collections::BTreeSet;

use kvs_core::{Scope, ScopeSet, UnixMillis};
use uuid::Uuid;

pub use self::mark::Mark;
pub use self::step::Step;

use crate::crd::{KvsUser, KvsUserStatus};
use crate::ready::Judged;
use crate::status::time;

#[cfg(test)]
mod tests;

/// What keeps a `KvsUser` until its user is gone from the cluster.
pub const FINALIZER: &str = "kvs.kalzu.dev/user";
/// The annotation of a `KvsUser`: whose user it is.
pub const MARK: &str = "kvs.kalzu.dev/user-id";
/// The annotation of a Secret: the id of the token in it.
pub const TOKEN: &str = "kvs.kalzu.dev/token-id";
/// The annotation of a Secret: the hash of what is in it.
pub const HASH: &str = "kvs.kalzu.dev/token-hash";

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The clock of the node that is asked.
    pub node_now: UnixMillis,
    /// The user of that name.
    pub account: Option<Account>,
    /// The Secret.
    pub secret: Secret,
    /// The token in it, if the cluster believes it.
    pub token: Option<Token>,
}

/// A user, as the cluster has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// Its own scopes.
    pub scopes: Vec<String>,
    /// The names of its groups.
    pub groups: Vec<String>,
    /// Whether its tokens are refused for now.
    pub disabled: bool,
    /// When it was made.
    pub created: UnixMillis,
}

/// The Secret for the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// There is none.
    Absent,
    /// There is one that is not this `KvsUser`'s.
    Foreign,
    /// It is this `KvsUser`'s, and has what was put into it.
    Whole,
    /// It is this `KvsUser`'s, and was changed.
    Changed,
}

/// A token, as the cluster has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is.
    pub user: Uuid,
    /// When it was made.
    pub issued: UnixMillis,
    /// When it ends.
    pub expires: UnixMillis,
}

/// What is done next, or what people are told where nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This.
    Do(Step),
    /// Nothing.
    Rest(Judged),
}

/// What the user is called on the cluster.
pub fn name(user: &KvsUser) -> String {
    let own = |name: &Option<String>| name.clone().unwrap_or_default();
    match (&user.spec.user_name, &user.spec.service_account) {
        (Some(name), _) => name.clone(),
        (None, None) => own(&user.metadata.name),
        (None, Some(account)) => {
            let space = account.namespace.as_ref().or(user.metadata.namespace.as_ref());
            let space = space.map_or("default", String::as_str);
            format!("system:serviceaccount:{space}:{}", account.name)
        }
    }
}

/// What is done next where the cluster is gone; nothing if it may be asked.
pub fn without_cluster(user: &KvsUser) -> Next {
    if is_leaving(user) && is_held(user) {
        return Next::Do(Step::Release);
    }
    let cluster = &user.spec.cluster;
    let message = format!("there is no KvsCluster {cluster} in this namespace");
    Next::Rest(Judged::ill("ClusterAbsent", message))
}

/// What is done next, from what a node of the cluster says.
pub fn next(user: &KvsUser, seen: &Seen) -> Next {
    let account = seen.account.as_ref();
    let ours = account.filter(|account| is_ours(user, account));
    if is_leaving(user) {
        return match (is_held(user), ours) {
            (false, _) => Next::Rest(Judged::ill("Leaving", "it is being deleted")),
            (true, Some(_)) => Next::Do(Step::Delete),
            (true, None) => Next::Do(Step::Release),
        };
    }
    let scopes = match scopes(user) {
        Ok(scopes) => scopes,
        Err(message) => return Next::Rest(Judged::ill("InvalidScope", message)),
    };
    let is = ours.map_or(Mark::Since(seen.node_now), |account| Mark::Is(account.id));
    match (account, ours, mark(user)) {
        (Some(_), None, _) => Next::Rest(taken(user)),
        (None, _, Some(Mark::Since(_))) if is_held(user) => Next::Do(Step::Make(scopes)),
        (_, Some(account), Some(mark)) if is_held(user) && mark == is => {
            keep(user, seen, account, scopes)
        }
        _ => Next::Do(Step::Claim(is)),
    }
}

/// Whether the user is this `KvsUser`'s: made by it, or taken over as it was told.
fn is_ours(user: &KvsUser, account: &Account) -> bool {
    match mark(user) {
        Some(Mark::Is(id)) if id == account.id => true,
        Some(Mark::Since(at)) if account.created >= at => true,
        // Whoever leaves takes nothing over.
        _ => user.spec.adopt && !is_leaving(user),
    }
}

/// Makes the user what is asked for: first what takes something away, then the rest.
fn keep(user: &KvsUser, seen: &Seen, account: &Account, scopes: Vec<String>) -> Next {
    let wanted: BTreeSet<&String> = user.spec.groups.iter().collect();
    let has: BTreeSet<&String> = account.groups.iter().collect();
    if sorted(&scopes) != sorted(&account.scopes) {
        return Next::Do(Step::Scope(scopes));
    }
    if let Some(group) = has.difference(&wanted).next() {
        return Next::Do(Step::Leave((*group).clone()));
    }
    if user.spec.token.is_some() && seen.secret != Secret::Foreign && is_spent(seen, account) {
        return Next::Do(Step::Issue);
    }
    if let Some(group) = wanted.difference(&has).next() {
        return Next::Do(Step::Join((*group).clone()));
    }
    Next::Rest(judged(user, seen, account))
}

/// Whether the Secret needs another token.
fn is_spent(seen: &Seen, account: &Account) -> bool {
    let good = |token: &Token| {
        let life = token.expires.0.saturating_sub(token.issued.0);
        let left = token.expires.0.saturating_sub(seen.node_now.0);
        token.user == account.id && left > life / 3
    };
    seen.secret != Secret::Whole || !seen.token.as_ref().is_some_and(good)
}

fn judged(user: &KvsUser, seen: &Seen, account: &Account) -> Judged {
    let secret = user.spec.token.as_ref().map(|token| token.secret_name.as_str());
    match (secret, &seen.secret) {
        _ if account.disabled => {
            let name = name(user);
            let message = format!("{name} is disabled on the cluster; `kvs user enable {name}`");
            Judged::ill("Disabled", message)
        }
        (Some(secret), Secret::Foreign) => Judged::ill(
            "SecretTaken",
            format!(
                "Secret {secret} is there and was not made by this KvsUser; delete it, or name another"
            ),
        ),
        _ => Judged::well("AsAsked"),
    }
}

fn taken(user: &KvsUser) -> Judged {
    let (name, cluster) = (name(user), &user.spec.cluster);
    let message = format!(
        "{cluster} has a user {name} that this KvsUser did not make; choose another name, or set \
         spec.adopt to take it over"
    );
    Judged::ill("UserTaken", message)
}

/// The scopes as the cluster writes them, which leaves out what others contain.
fn scopes(user: &KvsUser) -> Result<Vec<String>, String> {
    let read =
        user.spec.scopes.iter().map(|text| {
            text.parse::<Scope>().map_err(|error| format!("spec.scopes: {text}: {error}"))
        });
    Ok(read.collect::<Result<ScopeSet, String>>()?.into())
}

fn sorted(texts: &[String]) -> BTreeSet<&String> {
    texts.iter().collect()
}

fn mark(user: &KvsUser) -> Option<Mark> {
    user.metadata.annotations.as_ref()?.get(MARK)?.parse().ok()
}

/// Whether it is being deleted.
pub fn is_leaving(user: &KvsUser) -> bool {
    user.metadata.deletion_timestamp.is_some()
}

/// Whether it stays until it is released.
pub fn is_held(user: &KvsUser) -> bool {
    user.metadata.finalizers.iter().flatten().any(|one| one == FINALIZER)
}

/// What people are told. Where nothing changed it equals what it was.
pub fn status(
    user: &KvsUser,
    judged: &Judged,
    ends: Option<UnixMillis>,
    now: UnixMillis,
) -> KvsUserStatus {
    let before = user.status.clone().unwrap_or_default();
    let generation = user.metadata.generation;
    KvsUserStatus {
        conditions: vec![judged.condition(&before.conditions, generation, now)],
        observed_generation: generation,
        message: judged.shown(),
        user: Some(name(user)),
        token_ends: ends.map(time).or(before.token_ends),
    }
}
