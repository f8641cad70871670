//! What is taken only from this machine, where nobody is asked who they are.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

use super::shared::Peer;
use super::{Access, Problem, Route};

/// Whether a request for this route is taken from there. A browser on this machine is not its user:
/// any page that it shows can have it send a request.
///
/// # Errors
///
/// It is not.
pub(super) fn check(route: &Route, peer: Peer, headers: &HeaderMap) -> Result<(), Problem> {
    if !matches!(route.access, Access::Admin(_)) {
        return Ok(());
    }
    if !peer.is_here() {
        return Err(Problem::NotHere);
    }
    if is_foreign_page(headers) { Err(Problem::ForeignPage) } else { Ok(()) }
}

fn is_foreign_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let own = |host: &str| origin.as_bytes() == format!("http://{host}").as_bytes();
    !headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(own)
}
