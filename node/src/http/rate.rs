//! Who asks too much, and what callers are told of it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use kvs_config::Network;
use kvs_core::quota::{Exceeded, Quota, Standing};
use thiserror::Error;

use super::gate::Door;
use super::shared::Peer;
use super::{Access, Call, Denial, Problem, Route};
use crate::caller::Caller;
use crate::node::Node;
use crate::rates::{Kind, Subject};

/// How many units a caller may have at most.
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
/// How many they have left.
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
/// In how many seconds they have all of them again.
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// What of these headers pages of other origins may read.
pub(crate) const HEADERS: [HeaderName; 3] = [LIMIT, REMAINING, RESET];

/// What says from where a request came that a proxy hands on.
const FORWARDED: &str = "x-forwarded-for";

/// Somebody asked too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}; try again in {} s", what(*.kind, .quota), seconds(.exceeded.retry_in))]
pub struct TooMany {
    kind: Kind,
    quota: Quota,
    exceeded: Exceeded,
}

impl TooMany {
    /// In how many seconds it may be tried again.
    pub(super) fn retry_after(&self) -> u64 {
        seconds(self.exceeded.retry_in)
    }

    /// How the caller stands.
    pub(super) const fn standing(&self) -> &Standing {
        &self.exceeded.standing
    }
}

fn what(kind: Kind, quota: &Quota) -> String {
    let (limit, window) = (quota.limit(), quota.window());
    match kind {
        Kind::Read => format!("this caller reads more than {limit} times in {window:?}"),
        Kind::Write => format!("this caller writes more than {limit} times in {window:?}"),
        Kind::Login => format!(
            "this address has shown credentials that are no good more than {limit} times in \
             {window:?}, so no others are looked at"
        ),
    }
}

/// Counts a request before anything is done for it; tells how its caller stands then, if they are
/// limited. A batch counts its items instead: see [`take_batch`].
///
/// # Errors
///
/// They asked too much before.
pub(super) fn take(
    node: &Node,
    door: Door,
    route: &Route,
    caller: &Caller,
) -> Result<Option<Standing>, Problem> {
    let Door::Network(peer) = door else { return Ok(None) };
    let subject = subject(caller, peer);
    match route.access {
        // Whoever watches over the node must not be turned away, and pages cost nothing.
        Access::Public => Ok(None),
        Access::EachItem => {
            let ask = |kind| node.rates().ask(subject, kind, 1);
            let asked = ask(Kind::Read).or_else(|_none| ask(Kind::Write));
            asked.map(|()| None).map_err(|exceeded| too_many(node, Kind::Write, exceeded))
        }
        _ => {
            let kind = if route.method.is_safe() { Kind::Read } else { Kind::Write };
            let taken = node.rates().take(subject, kind, 1);
            taken.map_err(|exceeded| too_many(node, kind, exceeded))
        }
    }
}

/// Counts the items of a batch. Nothing of it is carried out if they are too many.
///
/// # Errors
///
/// Its caller asked too much before.
pub(super) fn take_batch(
    call: &Call,
    reads: usize,
    writes: usize,
) -> Result<Option<Standing>, Problem> {
    if call.caller.is_owner() {
        return Ok(None);
    }
    let (rates, subject) = (call.node.rates(), subject(&call.caller, call.peer));
    let units = |count| u32::try_from(count).unwrap_or(u32::MAX);
    let take = |kind, count| {
        let taken = rates.take(subject, kind, units(count));
        taken.map_err(|exceeded| too_many(&call.node, kind, exceeded))
    };
    if writes == 0 {
        return take(Kind::Read, reads);
    }
    if reads > 0 {
        let asked = rates.ask(subject, Kind::Write, units(writes));
        asked.map_err(|exceeded| too_many(&call.node, Kind::Write, exceeded))?;
        take(Kind::Read, reads)?;
    }
    take(Kind::Write, writes)
}

/// Whether credentials from there are looked at, after those that were no good.
///
/// # Errors
///
/// They were too many.
pub(super) fn may_log_in(node: &Node, peer: Peer) -> Result<(), Problem> {
    let asked = node.rates().ask(Subject::Address(peer.address()), Kind::Login, 1);
    asked.map_err(|exceeded| too_many(node, Kind::Login, exceeded))
}

/// Counts credentials that are no good against where they came from.
pub(super) fn note_failure(node: &Node, door: Door, problem: &Problem) {
    // Whoever has others asked in vain is counted as well, or could have them asked without end.
    let counts = matches!(
        problem,
        Problem::Denied(Denial::Token(_) | Denial::Scheme) | Problem::IssuerUnreachable(_)
    );
    if let (Door::Network(peer), true) = (door, counts) {
        // Whether there was room for one more does not matter: it is no good in either case.
        let _counted = node.rates().take(Subject::Address(peer.address()), Kind::Login, 1);
    }
}

fn too_many(node: &Node, kind: Kind, exceeded: Exceeded) -> Problem {
    node.rates().note_refused(kind);
    Problem::TooMany(TooMany { kind, quota: node.rates().quota(kind), exceeded })
}

fn subject(caller: &Caller, peer: Peer) -> Subject {
    caller.user().map_or_else(|| Subject::Address(peer.address()), Subject::User)
}

/// Tells a caller how they stand.
pub(super) fn tell(standing: &Standing, headers: &mut HeaderMap) {
    headers.insert(LIMIT, standing.limit.into());
    headers.insert(REMAINING, standing.remaining.into());
    headers.insert(RESET, HeaderValue::from(seconds(standing.full_in)));
}

/// Whole seconds, rounded up: whoever waits for them has waited long enough.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Where a request comes from that a proxy hands on which is believed: the last of those whom it
/// names that is no such proxy itself. What the first of them may have made up is not looked at.
pub(super) fn origin(proxies: &[Network], headers: &HeaderMap) -> Option<Peer> {
    let named = headers.get_all(FORWARDED).iter().flat_map(|value| {
        // What is no text names nobody, and nobody before it is believed.
        value.to_str().unwrap_or("?").split(',').map(str::trim)
    });
    let mut found = None;
    for name in named.collect::<Vec<_>>().into_iter().rev() {
        let Some(address) = address(name) else { break };
        found = Some(address.into());
        if !proxies.iter().any(|proxy| proxy.has(address)) {
            break;
        }
    }
    found
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(forwarded: &[&str], wanted: Option<&str>) {
        let proxies = ["10.0.0.0/8", "::1"].map(|text| text.parse().unwrap());
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let wanted = wanted.map(|text| Peer::from(text.parse::<IpAddr>().unwrap()));
        assert_eq!(origin(&proxies, &headers), wanted, "{forwarded:?}");
    }

    #[test]
    fn the_last_that_is_no_proxy_counts_whatever_comes_before() {
        check(&[], None);
        check(&["1.2.3.4"], Some("1.2.3.4"));
        check(&["127.0.0.1, 1.2.3.4"], Some("1.2.3.4"));
        check(&["127.0.0.1", "1.2.3.4 , 10.0.0.7,::1"], Some("1.2.3.4"));
        check(&["[2001:db8::1]:443, 10.1.1.1:9"], Some("2001:db8::1"));
        check(&["10.0.0.1, 10.0.0.2"], Some("10.0.0.1"));
    }

    #[test]
    fn nobody_before_something_malformed_is_believed() {
        check(&["1.2.3.4, unknown"], None);
        check(&["1.2.3.4, unknown, 10.0.0.9"], Some("10.0.0.9"));
        check(&["1.2.3.4,"], None);
        check(&["1.2.3.4, é"], None);
        check(&["1.2.3.4, 5.6.7.8x"], None);
    }

    #[test]
    fn whoever_waits_for_whole_seconds_has_waited_long_enough() {
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(seconds(Duration::from_nanos(1)), 1);
        assert_eq!(seconds(Duration::from_secs(1)), 1);
        assert_eq!(seconds(Duration::from_millis(1_001)), 2);
    }
}
