//! A connection to a node.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::{Method, Request, Response, StatusCode, header};
use kvs_core::NodeId;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{PeerClient, PeerStream};
use crate::peer::messages::{read_refusal, refusal_limit};
use crate::peer::{PeerError, PeerFigures, PeerRoute};

/// A connection to a node. Clones are the same connection; it ends when the last of them and the
/// last stream on it are gone.
#[derive(Clone, Debug)]
pub struct PeerLink {
    node: NodeId,
    address: SocketAddr,
    held: Arc<Held>,
    figures: Arc<PeerFigures>,
    patience: Duration,
}

/// How a connection ends, and why it did.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    token: CancellationToken,
    reason: Arc<OnceLock<String>>,
}

impl Ends {
    pub(super) fn new(shutdown: &CancellationToken) -> Self {
        Self { token: shutdown.child_token(), reason: Arc::default() }
    }

    pub(super) const fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Ends it, if it did not end before for another reason.
    pub(super) fn because(&self, reason: &str) {
        let _already = self.reason.set(reason.to_owned());
        self.token.cancel();
    }

    fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }
}

/// Keeps a connection open: for hyper, it has ended once nobody can send on it.
#[derive(Debug)]
pub(super) struct Held {
    send: SendRequest<Full<Bytes>>,
    ends: Ends,
    _guard: DropGuard,
}

impl Held {
    /// The reason why something on this connection failed.
    pub(super) fn closed(&self, error: &(dyn Error + 'static)) -> PeerError {
        PeerError::Closed(self.ends.reason().map_or_else(|| root(error), str::to_owned))
    }
}

impl PeerLink {
    pub(super) fn new(
        node: NodeId,
        address: SocketAddr,
        send: SendRequest<Full<Bytes>>,
        ends: Ends,
        client: &PeerClient,
    ) -> Self {
        let guard = ends.token.clone().drop_guard();
        let held = Arc::new(Held { send, ends, _guard: guard });
        let (figures, patience) = (client.figures.clone(), client.limits.answer);
        Self { node, address, held, figures, patience }
    }

    /// Which node is at the other end, as its certificate says.
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Where it is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.held.ends.token.is_cancelled()
    }

    /// Ends when the connection does. It does not keep the connection open.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.held.ends.token.clone().cancelled_owned()
    }

    /// Ends the connection, with everything that is under way on it.
    pub fn close(&self) {
        self.held.ends.because("it was closed here");
    }

    /// Asks for one answer.
    ///
    /// # Errors
    ///
    /// There is none; see [`PeerError`].
    pub async fn ask(&self, route: PeerRoute, body: Bytes) -> Result<Bytes, PeerError> {
        debug_assert!(!route.streams(), "{} answers with a stream", route.name());
        let asking = async {
            let response = self.request(route, body).await?;
            self.collect(route, response, route.answer_limit()).await
        };
        self.in_time(asking).await
    }

    /// Asks for a stream of messages. Only what is read from it is asked for: whoever reads slowly
    /// holds the sender back.
    ///
    /// # Errors
    ///
    /// It does not begin; see [`PeerError`].
    pub async fn open(&self, route: PeerRoute, body: Bytes) -> Result<PeerStream, PeerError> {
        debug_assert!(route.streams(), "{} answers with one message", route.name());
        let response = self.in_time(self.request(route, body)).await?;
        let (held, figures) = (self.held.clone(), self.figures.clone());
        Ok(PeerStream::new(response.into_body(), route, figures, held))
    }

    async fn in_time<T>(
        &self,
        asking: impl Future<Output = Result<T, PeerError>>,
    ) -> Result<T, PeerError> {
        let timed_out = |_elapsed| PeerError::TimedOut { what: "answer", after: self.patience };
        tokio::time::timeout(self.patience, asking).await.map_err(timed_out)?
    }

    /// Sends a request and answers the response, if it is not a refusal.
    async fn request(
        &self,
        route: PeerRoute,
        body: Bytes,
    ) -> Result<Response<Incoming>, PeerError> {
        let limit = route.request_limit();
        if body.len() > limit {
            return Err(PeerError::TooLarge { what: "the request", limit });
        }
        self.figures.asks(route);
        self.figures.went_out(Some(route), body.len());
        let mut send = self.held.send.clone();
        let response = send.send_request(request(route, self.address, body)?).await;
        let response = response.map_err(|error| self.held.closed(&error))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            status => {
                let body = self.collect(route, response, refusal_limit()).await?;
                Err(read_refusal(status.as_u16(), &body))
            }
        }
    }

    async fn collect(
        &self,
        route: PeerRoute,
        response: Response<Incoming>,
        limit: usize,
    ) -> Result<Bytes, PeerError> {
        let collected = Limited::new(response.into_body(), limit).collect().await;
        let bytes = collected.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => PeerError::TooLarge { what: "the answer", limit },
            None => self.held.closed(&*error),
        })?;
        let bytes = bytes.to_bytes();
        self.figures.came_in(route, bytes.len());
        Ok(bytes)
    }
}

fn request(
    route: PeerRoute,
    address: SocketAddr,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, PeerError> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("https://{address}{}", route.path()))
        .header(header::CONTENT_LENGTH, body.len())
        .body(Full::new(body))
        .map_err(|error| PeerError::Malformed(error.to_string()))
}

/// What lies behind an error.
pub(super) fn root(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.last().map_or_else(String::new, ToString::to_string)
}
