//! What is taken only from this machine, and what not from pages of others, where a request shows no
//! token: a browser sends it for any page that it shows, from wherever its user is.

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
    if is_foreign_page(headers, &EITHER, host) { Err(Problem::ForeignPage) } else { Ok(()) }
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
    if is_foreign_page(headers, &EITHER, host) && !is_allowed() {
        return Err(Problem::ForeignPage);
    }
    Ok(())
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
