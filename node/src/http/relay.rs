//! The API as the operator asks it, on the peer port.
//!
//! Whoever has the cluster's secret is a member, and a member may write everything. So the operator, who
//! has it, is answered as whoever owns the data is on their socket. It looks after accounts and
//! backups, and that is all that is let through: no key and no value goes this way.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use http::{Method, Request, Response, Uri};
use kvs_client::{RelayAnswer, RelayRequest};
use serde_json::Value;

use super::{App, respond};
use crate::node::Node;
use crate::peer::{PeerRoute, Refusal};

/// What is let through, with all that is below it.
const OPEN: [&str; 5] =
    ["/api/users", "/api/groups", "/api/tokens", "/api/backups", "/api/backup/status"];
/// What JSON and the status add to an answer's body.
const FRAME: usize = 64;

/// Asks the API as whoever owns the data.
///
/// # Errors
///
/// It is not asked: another node is meant, or it is nothing that is let through. Or its answer is too
/// large; what was asked is done all the same.
pub(crate) async fn relay(
    node: Arc<Node>,
    operator: String,
    request: RelayRequest,
) -> Result<RelayAnswer, Refusal> {
    let me = node.identity().node.uuid();
    if request.node != me {
        return Err(Refusal::new(409, "not-me", format!("this is node {me}")));
    }
    let (request, open) = read(request)?;
    if request.method() != Method::GET {
        // No more of the path: names of users are for the tamper-evident log.
        tracing::info!(operator, method = %request.method(), open, "the operator changes something");
    }
    answer(respond(App::new(node).from_owner(), request).await).await
}

/// The request, and what it asks for of what is let through.
fn read(request: RelayRequest) -> Result<(Request<Body>, &'static str), Refusal> {
    let RelayRequest { method, path, body, .. } = request;
    let malformed = |what: &str| Refusal::new(400, "malformed", format!("{what} cannot be read"));
    let uri: Uri = path.parse().map_err(|_malformed| malformed("the path"))?;
    let open = open(uri.path()).filter(|_| uri.authority().is_none()).ok_or_else(|| {
        let text = format!("this is for {} alone", OPEN.join(", "));
        Refusal::new(403, "not-relayed", text)
    })?;
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let request = Request::builder().method(method.as_str()).uri(uri).body(body);
    Ok((request.map_err(|_malformed| malformed("the method"))?, open))
}

/// Under what of [`OPEN`] a path is.
fn open(path: &str) -> Option<&'static str> {
    let is = |open: &&str| {
        path.strip_prefix(open).is_some_and(|rest| matches!(rest.chars().next(), None | Some('/')))
    };
    OPEN.into_iter().find(is)
}

async fn answer(response: Response<Body>) -> Result<RelayAnswer, Refusal> {
    let status = response.status().as_u16();
    let limit = PeerRoute::Relay.answer_limit() - FRAME;
    let bytes = to_bytes(response.into_body(), limit).await;
    let too_large = |_error| Refusal::new(500, "too-large", "the answer is too large");
    let bytes = bytes.map_err(too_large)?;
    let body = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
    let body = body.map_err(|_error| Refusal::new(500, "no-json", "the answer is no JSON"))?;
    Ok(RelayAnswer { status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, path: &str) -> Result<&'static str, String> {
        let (node, method, path) = (uuid::Uuid::nil(), method.to_owned(), path.to_owned());
        let read = read(RelayRequest { node, method, path, body: None });
        read.map(|(_, open)| open).map_err(|refusal| refusal.code)
    }

    #[test]
    fn accounts_and_backups_are_let_through() {
        for path in ["/api/users", "/api/users?limit=1", "/api/tokens/x", "/api/groups/a/members/b"]
        {
            assert!(asked("GET", path).is_ok(), "{path}");
        }
        for path in ["/api/backups", "/api/backups/x", "/api/backup/status"] {
            assert!(asked("DELETE", path).is_ok(), "{path}");
        }
    }

    #[test]
    fn keys_values_and_all_else_are_not() {
        for path in [
            "/kv/a",
            "/api/batch",
            "/api/audit",
            "/api/keys",
            "/api/usersx",
            "/",
            "/api",
            "/api/backup",
            "//api/users",
            "/kv/api/users",
            "*",
            "http://x/api/users",
        ] {
            assert_eq!(asked("GET", path).unwrap_err(), "not-relayed", "{path}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (method, path) in [("G T", "/api/users"), ("", "/api/users"), ("GET", ""), ("GET", " ")]
        {
            assert_eq!(asked(method, path).unwrap_err(), "malformed", "{method} {path}");
        }
    }
}
