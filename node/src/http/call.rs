//! What a handler is given, and what it gives back.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Response};

use super::Problem;
use super::query::Query;
use super::streams::Streams;
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
    /// Places for answers that stay open.
    pub streams: Arc<Streams>,
}

impl Call {
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
