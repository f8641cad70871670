//! Who asks, and whether they may call the route at all. What they may do with single keys is asked
//! by [`super::permit`].

use http::HeaderMap;
use http::header::AUTHORIZATION;
use kvs_core::access::Switches;
use kvs_core::{Key, Right};

use super::shared::Peer;
use super::{Access, Denial, Endpoint, Problem, Route, here};
use crate::accounts::Unbelieved;
use crate::caller::Caller;
use crate::node::Node;

/// By which door a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// The port for clients.
    Network(Peer),
    /// The socket in the data directory, which only its owner can open.
    Socket,
}

impl Door {
    /// Where from; nothing where no network is involved.
    pub(super) fn peer(self) -> Peer {
        match self {
            Self::Network(peer) => peer,
            Self::Socket => Peer::default(),
        }
    }
}

/// Who sends a request for this route.
///
/// # Errors
///
/// The credentials are not good, or the route is not there for anybody.
pub(super) fn identify(
    node: &Node,
    door: Door,
    route: &Route,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let auth = node.settings().auth_enabled;
    if !auth && matches!(route.access, Access::Accounts(_) | Access::Known) {
        return Err(Problem::SwitchedOff { switch: "auth_enabled" });
    }
    match door {
        Door::Socket => Ok(Caller::owner()),
        Door::Network(_) if !auth => Ok(Caller::anybody()),
        Door::Network(_) if is_public(node, route) => Ok(Caller::anonymous(switches(node))),
        Door::Network(_) => by_header(node, route, headers),
    }
}

/// Whether nobody's credentials are looked at.
fn is_public(node: &Node, route: &Route) -> bool {
    match route.access {
        Access::Public => true,
        Access::PublicIf(switch) => switch.is_on(node.settings()),
        _ => false,
    }
}

fn by_header(node: &Node, route: &Route, headers: &HeaderMap) -> Result<Caller, Problem> {
    let switches = switches(node);
    let Some(token) = bearer(headers)? else { return Ok(Caller::anonymous(switches)) };
    if !node.knows_accounts() {
        return not_known(route, switches);
    }
    match node.accounts().believe(token, node.now()) {
        Ok(bearer) => Ok(Caller::bearer(bearer, switches)),
        Err(Unbelieved::Refused(error)) => Err(Denial::Token(error).into()),
        Err(Unbelieved::NotKnown) => not_known(route, switches),
    }
}

/// What is public stays so where nobody can tell yet who asks.
fn not_known(route: &Route, switches: Switches) -> Result<Caller, Problem> {
    match route.access {
        Access::PublicInPart => Ok(Caller::anonymous(switches)),
        _ => Err(Problem::AccountsNotKnown),
    }
}

/// The token of a request; nothing if it shows no credentials. Bad ones are never taken for none.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Denial> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Denial::Scheme),
        (Some(value), None) => {
            let (scheme, token) = value
                .to_str()
                .ok()
                .and_then(|text| text.trim().split_once(' '))
                .ok_or(Denial::Scheme)?;
            let is_bearer = scheme.eq_ignore_ascii_case("bearer");
            if is_bearer { Ok(Some(token.trim())) } else { Err(Denial::Scheme) }
        }
    }
}

pub(super) fn switches(node: &Node) -> Switches {
    let settings = node.settings();
    Switches {
        auth: true,
        anonymous_read: settings.allow_anonymous_read,
        anonymous_write: settings.allow_anonymous_write,
    }
}

/// Whether `caller` may call the route; on `key`, if it is of one.
///
/// # Errors
///
/// They may not.
pub(super) fn check(
    node: &Node,
    door: Door,
    route: &Route,
    caller: &Caller,
    headers: &HeaderMap,
    key: Option<&Key>,
) -> Result<(), Problem> {
    match route.access {
        Access::EachItem if caller.is_anonymous() => Ok(some_right(caller)?),
        Access::Known if caller.is_anonymous() => Err(Denial::Nameless.into()),
        Access::Public | Access::PublicInPart | Access::EachItem | Access::Known => Ok(()),
        Access::PublicIf(switch) if switch.is_on(node.settings()) => Ok(()),
        Access::PublicIf(switch) if !node.settings().auth_enabled && !caller.is_owner() => {
            Err(Problem::SwitchedOff { switch: switch.name() })
        }
        Access::PublicIf(_) => Ok(administer(caller, Right::ReadCluster)?),
        Access::Keys(rights) => match (route.endpoint, key) {
            (Endpoint::Key(..), Some(key)) => Ok(each_right_on(caller, rights, key)?),
            _ => Ok(each_right_somewhere(caller, rights)?),
        },
        Access::Reading(_) | Access::Admin(_)
            if !node.settings().auth_enabled && !caller.is_owner() =>
        {
            here::check(route, door.peer(), headers)
        }
        Access::Reading(right) | Access::Admin(right) | Access::Accounts(right) => {
            Ok(administer(caller, right)?)
        }
    }
}

fn administer(caller: &Caller, right: Right) -> Result<(), Denial> {
    if caller.permits(right) {
        Ok(())
    } else if caller.is_anonymous() {
        Err(Denial::Nameless)
    } else {
        Err(Denial::Scope(right))
    }
}

fn each_right_on(caller: &Caller, rights: &[Right], key: &Key) -> Result<(), Denial> {
    each_right_somewhere(caller, rights)?;
    let Some(bearer) = caller.token() else { return Ok(()) };
    match rights.iter().find(|right| !bearer.rights.scopes.permits_on(**right, key)) {
        Some(right) => Err(Denial::ScopeOn(*right, key.clone())),
        None => Ok(()),
    }
}

fn each_right_somewhere(caller: &Caller, rights: &[Right]) -> Result<(), Denial> {
    let denied = rights.iter().find_map(|right| caller.denied_everywhere(*right));
    denied.map_or(Ok(()), |because| Err(Denial::Rule(because)))
}

/// Whether an anonymous caller may do anything at all.
fn some_right(caller: &Caller) -> Result<(), Denial> {
    let may = |right| caller.denied_everywhere(right).is_none();
    if may(Right::Read) || may(Right::Write) { Ok(()) } else { Err(Denial::Nameless) }
}
