//! What is taken only from this machine, where nobody is asked who they are.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

use super::shared::Peer;
use super::{Access, Problem, Route};

/// Whether a request for this route is taken from there. A browser on this machine is not its user:
/// any page that it shows can have it send a request.
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
    if is_foreign_page(headers, "http", host) { Err(Problem::ForeignPage) } else { Ok(()) }
}

/// Whether a page of another origin has a browser ask. One of this node's that came from its data is
/// of none, since it was sandboxed.
pub(super) fn is_foreign_page(headers: &HeaderMap, scheme: &str, host: Option<&str>) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let own = |host: &str| origin.as_bytes() == format!("{scheme}://{host}").as_bytes();
    !host.is_some_and(own)
}

/// What a request calls this node: HTTP/2 says it beside the headers.
pub(super) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let named = || headers.get(HOST).and_then(|host| host.to_str().ok());
    uri.authority().map(|authority| authority.as_str()).or_else(named)
}
