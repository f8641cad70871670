//! Who asks, and whether they may call the route at all. What they may do with single keys is asked
//! by [`super::permit`].

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use kvs_core::access::Switches;
use kvs_core::token::TokenError;
use kvs_core::{Key, Right};

use super::shared::Peer;
use super::{Access, Denial, Endpoint, Problem, Route, here, rate};
use crate::accounts::{self, Certificate, Unbelieved};
use crate::caller::{Bearer, Caller};
use crate::identities::Vouched;
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

/// What a request shows of who sends it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) door: Door,
    /// The certificate of its connection.
    pub(super) certificate: Option<&'a Certificate>,
    /// What it calls this node.
    pub(super) host: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
}

/// Who sends a request for this route.
///
/// # Errors
///
/// The credentials are not good, or the route is not there for anybody.
pub(super) async fn identify(
    node: &Node,
    route: &Route,
    shown: &Shown<'_>,
) -> Result<Caller, Problem> {
    let auth = node.settings().auth_enabled;
    if !auth && matches!(route.access, Access::Accounts(_) | Access::Known) {
        return Err(Problem::SwitchedOff { switch: "auth_enabled" });
    }
    match shown.door {
        Door::Socket => Ok(Caller::owner()),
        Door::Network(_) if !auth => Ok(Caller::anybody()),
        Door::Network(_) if is_public(node, route) => Ok(Caller::anonymous(switches(node))),
        Door::Network(peer) => by_credentials(node, peer, route, shown).await,
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

/// By a token or, where none is shown, by the certificate of the connection.
async fn by_credentials(
    node: &Node,
    peer: Peer,
    route: &Route,
    shown: &Shown<'_>,
) -> Result<Caller, Problem> {
    let switches = switches(node);
    let token = bearer(shown.headers)?;
    if token.is_none() && shown.certificate.is_none() {
        return Ok(Caller::anonymous(switches));
    }
    if !node.knows_accounts() {
        return not_known(route, switches);
    }
    let believed = match (token, shown.certificate) {
        (Some(token), _) => by_token(node, peer, token).await?,
        (None, Some(certificate)) => by_certificate(node, certificate, shown)?,
        (None, None) => return Ok(Caller::anonymous(switches)),
    };
    match believed {
        Ok(bearer) => Ok(Caller::bearer(bearer, switches)),
        Err(Unbelieved::Refused(error)) => Err(Denial::Token(error).into()),
        Err(Unbelieved::NotKnown | Unbelieved::Stale) => not_known(route, switches),
        Err(Unbelieved::Unreachable { issuer }) => Err(Problem::IssuerUnreachable(issuer)),
    }
}

type Believed = Result<Arc<Bearer>, Unbelieved>;

async fn by_token(node: &Node, peer: Peer, token: &str) -> Result<Believed, Problem> {
    match node.accounts().recall(token, node.now()) {
        // Who was good a while ago is not held up by those who are not.
        Some(Err(Unbelieved::Stale)) => {}
        Some(known) => return Ok(known),
        None => rate::may_log_in(node, peer)?,
    }
    let examined = node.accounts().examine(token, node.now());
    match examined {
        Err(Unbelieved::Refused(TokenError::Issuer(_))) => {
            // Seldom, and large: every request's future would have room for it.
            Ok(Box::pin(by_issuer(node, token)).await)
        }
        examined => Ok(examined),
    }
}

/// By a token that is none of our own.
async fn by_issuer(node: &Node, token: &str) -> Believed {
    let Vouched { outside, until } = node.identities().believe(token, node.now()).await?;
    let hash = accounts::hash(token);
    node.accounts().admit(hash, Arc::new(outside), Some(until), node.now())
}

/// A browser shows a certificate for whatever page makes it ask, so pages of others may not.
fn by_certificate(
    node: &Node,
    certificate: &Certificate,
    shown: &Shown<'_>,
) -> Result<Believed, Problem> {
    if here::is_foreign_page(shown.headers, &["https"], shown.host) {
        return Err(Problem::ForeignPage);
    }
    match certificate {
        Certificate::OfNobody => Err(Denial::Certificate.into()),
        Certificate::Of { outside, hash } => {
            Ok(node.accounts().admit_certificate(*hash, outside, node.now()))
        }
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
    route: &Route,
    caller: &Caller,
    shown: &Shown<'_>,
    key: Option<&Key>,
) -> Result<(), Problem> {
    permit(node, route, caller, shown, key)?;
    if caller.token().is_none() && !caller.is_owner() && !route.method.is_safe() {
        here::check_page(&node.settings().cors_allowed_origins, shown.headers, shown.host)?;
    }
    Ok(())
}

fn permit(
    node: &Node,
    route: &Route,
    caller: &Caller,
    shown: &Shown<'_>,
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
            here::check(route, shown.door.peer(), shown.headers, shown.host)
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
