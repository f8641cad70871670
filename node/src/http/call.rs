//! What a handler is given, and what it gives back.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Response};
use kvs_core::access::Switches;
use kvs_core::{Key, Right};

use super::denial::{self, Denied};
use super::query::Query;
use super::shared::{Peer, Shared};
use super::{Problem, gate};
use crate::caller::Caller;
use crate::node::Node;

/// A handler's answer.
pub type Answer = Result<Response<Body>, Problem>;

/// A request whose path, caller and body have been read.
#[derive(Debug)]
pub struct Call {
    /// The node that answers.
    pub node: Arc<Node>,
    /// Who asks.
    pub caller: Caller,
    /// What follows the `?`.
    pub query: Query,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as far as the route's rule has it read.
    pub body: Bytes,
    /// Where the request comes from.
    pub peer: Peer,
    /// What it has in common with all others.
    pub shared: Arc<Shared>,
}

impl Call {
    /// Whether the header `Accept` names a media type.
    ///
    /// # Errors
    ///
    /// It is not visible ASCII.
    pub fn accepts(&self, media_type: &str) -> Result<bool, Problem> {
        let accept = self.header("accept")?.unwrap_or_default();
        let mut named = accept.split(',').map(|range| range.split(';').next().unwrap_or_default());
        Ok(named.any(|named| named.trim().eq_ignore_ascii_case(media_type)))
    }

    /// What the configuration says of callers without a name.
    pub fn switches(&self) -> Switches {
        gate::switches(&self.node)
    }

    /// The same problem, perhaps with a key, noted if it is a denial: for what is answered within a
    /// body.
    pub fn noting(&self, problem: Problem, key: Option<&Key>) -> Problem {
        let (subject, peer) = (self.caller.subject(), self.peer);
        let denied = Denied { subject, peer, key, right: Right::Write };
        denial::note(&self.node, &self.shared, denied, &problem);
        problem
    }

    /// A header's text; nothing if it is absent.
    ///
    /// # Errors
    ///
    /// It is not visible ASCII.
    pub fn header(&self, name: &'static str) -> Result<Option<&str>, Problem> {
        let value = self.headers.get(name);
        let text = value.map(|value| value.to_str().map_err(|_bytes| Problem::header(name)));
        text.transpose()
    }
}
