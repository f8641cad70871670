//! What is taken only from this machine, and what not from pages of others, where a request shows no
//! token: a browser sends it for any page that it shows, from wherever its user is.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Uri};

use super::shared::Peer;
use super::{Access, Problem, Route};

/// By what pages of this node are reached where no credentials are asked for.
const EITHER: [&str; 2] = ["http", "https"];

/// Whether a request for this route is taken from there, where nobody is asked who they are. A browser
/// on this machine is not its user.
///
/// # Errors
///
/// It is not.
pub(super) fn check(
    route: &Route,
    peer: Peer,
    headers: &HeaderMap,
    host: Option<&str>,
) -> Result<(), Problem> {
    if !matches!(route.access, Access::Admin(_)) {
        return Ok(());
    }
    if !peer.is_here() {
        return Err(Problem::NotHere);
    }
    let is_foreign = is_foreign_page(headers, &EITHER, host);
    if is_foreign || !host.is_none_or(is_own_name) { Err(Problem::ForeignPage) } else { Ok(()) }
}

/// Whether nobody may have a browser change something from a page here: pages of `allowed` origins
/// may, as they may read.
///
/// # Errors
///
/// Nobody may.
pub(super) fn check_page(
    allowed: &[String],
    headers: &HeaderMap,
    host: Option<&str>,
) -> Result<(), Problem> {
    let origin = headers.get(ORIGIN).map_or(&b""[..], HeaderValue::as_bytes);
    let is_allowed = || allowed.iter().any(|known| known == "*" || known.as_bytes() == origin);
    let is_own = || !is_foreign_page(headers, &EITHER, host) && host.is_none_or(is_own_name);
    if origin.is_empty() || is_own() || is_allowed() { Ok(()) } else { Err(Problem::ForeignPage) }
}

/// Whether nobody else can have made this name lead here: it is an address, or this machine's own
/// name for itself. Whoever owns another name can have a browser believe that this node is theirs.
fn is_own_name(host: &str) -> bool {
    let is_address = || {
        let inner = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let bare = inner.map_or_else(|| without_port(host), |(address, _port)| address);
        bare.parse::<IpAddr>().is_ok()
    };
    without_port(host).eq_ignore_ascii_case("localhost") || is_address()
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(name, _port)| name)
}

/// Whether a page of another origin has a browser ask. One of this node's that came from its data is
/// of none, since it was sandboxed.
pub(super) fn is_foreign_page(headers: &HeaderMap, schemes: &[&str], host: Option<&str>) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let own = |host: &str| {
        let of = |scheme: &&str| origin.as_bytes() == format!("{scheme}://{host}").as_bytes();
        schemes.iter().any(of)
    };
    !host.is_some_and(own)
}

/// What a request calls this node: HTTP/2 says it beside the headers.
pub(super) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let named = || headers.get(HOST).and_then(|host| host.to_str().ok());
    uri.authority().map(http::uri::Authority::as_str).or_else(named)
}
