//! One connection: its limits, its requests, its end.

mod secured;

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt as _;
use futures_util::future::Either;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use kvs_config::Limits;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use super::Tls;
use super::cors;
use super::lasting::Lasting;
use crate::accounts::Certificate;
use crate::http::{self, App};
use crate::node::Node;

/// Room for the request line beside the headers: a key has up to 1 KiB, thrice that when
/// percent-encoded, and a cursor as much again.
const REQUEST_LINE: usize = 16 << 10;
/// How often a silent HTTP/2 client is asked whether it is still there, and how long it has to say.
const PING: Duration = Duration::from_secs(20);

/// All connections of a server.
pub(super) struct Connections {
    app: App,
    tls: Option<Tls>,
    builder: Arc<Builder<Tracked>>,
    tasks: TaskTracker,
    /// Once it is cancelled, connections take no further requests.
    leaving: CancellationToken,
    /// Once it is cancelled, connections are dropped.
    abandoned: CancellationToken,
    patience: Duration,
}

impl Connections {
    pub(super) fn new(app: App, tls: Option<Tls>, leaving: &CancellationToken) -> Self {
        let tasks = TaskTracker::new();
        let abandoned = CancellationToken::new();
        let limits = &app.settings().limits;
        let executor = Tracked::new(tasks.clone(), abandoned.clone());
        let builder = Arc::new(builder(executor, limits));
        let patience = limits.request_timeout.into();
        Self { app, tls, builder, tasks, leaving: leaving.clone(), abandoned, patience }
    }

    /// The tasks of all connections.
    pub(super) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// How long a client may take to send a request's head, or to take any bytes.
    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Drops what is left.
    pub(super) fn abandon(&self) {
        self.abandoned.cancel();
    }

    /// Serves the requests of the data's owner, in a task of its own.
    pub(super) fn serve_owner(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let app = self.app.clone().from_owner();
        let requests = Requests { node: app.node().clone(), app, layered: None };
        let (leaving, abandoned) = (self.leaving.child_token(), self.abandoned.child_token());
        let serving = serve(self.builder.clone(), stream, requests, leaving, self.patience);
        self.tasks.spawn(abandoned.run_until_cancelled_owned(serving));
    }

    /// Serves the requests that come on `stream`, in a task of its own.
    pub(super) fn serve(&self, stream: TcpStream, peer: IpAddr) {
        let app = self.app.clone().from_peer(peer);
        let node = app.node().clone();
        let cors = cors::layer(&app.settings().cors_allowed_origins);
        let layered = cors.map(|cors| http::router(app.clone()).layer(cors));
        let requests = Requests { node, app, layered };
        // Tokens of its own: each turn of a connection locks them.
        let (leaving, abandoned) = (self.leaving.child_token(), self.abandoned.child_token());
        let (builder, patience) = (self.builder.clone(), self.patience);
        match self.tls.clone() {
            None => {
                let serving = serve(builder, stream, requests, leaving, patience);
                self.tasks.spawn(abandoned.run_until_cancelled_owned(serving));
            }
            Some(tls) => {
                let serving = secured::serve(tls, builder, stream, requests, leaving, patience);
                self.tasks.spawn(abandoned.run_until_cancelled_owned(serving));
            }
        }
    }
}

fn builder(executor: Tracked, limits: &Limits) -> Builder<Tracked> {
    // One byte over `header_size` is told apart by the API, which can say so in a body. These
    // bounds are for what is larger still: it is refused before it is read.
    let head = limits.header_size.as_len() + REQUEST_LINE;
    let mut builder = Builder::new(executor);
    builder
        .http1()
        .timer(TokioTimer::new())
        // Also how long a connection may lie idle between two requests.
        .header_read_timeout(Duration::from(limits.request_timeout))
        .max_buf_size(head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX));
    builder
}

async fn serve(
    builder: Arc<Builder<Tracked>>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    requests: Requests,
    leaving: CancellationToken,
    patience: Duration,
) {
    let asked = Arc::new(Asked::default());
    let noting = asked.clone();
    let closing = requests.node.closing().child_token();
    let service = service_fn(move |request: Request<Incoming>| {
        noting.note(request.version());
        requests.begin(request)
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let silent = pin!(stays_silent(&asked, patience));
    tokio::select! {
        // How a connection ends concerns its client alone.
        _ended = connection.as_mut() => return,
        () = leave(&asked, &closing, &leaving) => {}
        () = silent => return,
    }
    connection.as_mut().graceful_shutdown();
    let _ended = connection.await;
}

/// What came on a connection so far.
#[derive(Debug, Default)]
struct Asked {
    anything: AtomicBool,
    /// Its requests are streams of HTTP/2.
    in_streams: AtomicBool,
}

impl Asked {
    fn note(&self, version: Version) {
        self.anything.store(true, Ordering::Relaxed);
        self.in_streams.store(version == Version::HTTP_2, Ordering::Relaxed);
    }
}

/// When a connection is to end. Of HTTP/2, once the node is about to stop: its client is told which of
/// its requests are answered. Of HTTP/1, only when the node stops: until then its client is told with
/// the next answer, since a request may be on its way.
async fn leave(asked: &Asked, closing: &CancellationToken, leaving: &CancellationToken) {
    tokio::select! {
        () = leaving.cancelled() => return,
        () = closing.cancelled() => {}
    }
    if !asked.in_streams.load(Ordering::Relaxed) {
        leaving.cancelled().await;
    }
}

/// How requests are begun.
struct Requests {
    node: Arc<Node>,
    app: App,
    /// The API with what browsers ask for around it, where pages may call.
    layered: Option<Router>,
}

impl Requests {
    /// The same, of a client that showed this certificate.
    fn of_client(self, certificate: Option<Certificate>) -> Self {
        let Some(certificate) = certificate else { return self };
        let app = self.app.from_client(Some(certificate));
        let cors = cors::layer(&app.settings().cors_allowed_origins);
        let layered = cors.map(|cors| http::router(app.clone()).layer(cors));
        Self { app, layered, ..self }
    }

    /// Begins with a request. One that may change something is carried out once it has come whole,
    /// whether or not its client stays to hear of it: the connection, seeing the client leave, drops
    /// the future returned here, perhaps before it is polled for the first time.
    fn begin(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<> {
        let only_reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let last = Last { node: self.node.clone(), version: request.version() };
        let request = request.map(Body::new);
        let answering = match &self.layered {
            Some(router) => Either::Left(router.clone().call(request)),
            None => Either::Right(http::respond(self.app.clone(), request).map(Ok)),
        };
        let answering = answering.map(move |answer| answer.map(|answer| last.mark(answer)));
        if only_reads {
            return Either::Left(answering);
        }
        Either::Right(Lasting::new(self.node.clone(), answering))
    }
}

/// Tells a client of HTTP/1 that this was the last answer on its connection.
struct Last {
    node: Arc<Node>,
    version: Version,
}

impl Last {
    fn mark(&self, mut answer: Response<Body>) -> Response<Body> {
        let parts = self.node.closing().is_cancelled() || self.node.duty().is_draining();
        if self.version < Version::HTTP_2 && parts {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

/// Ends if no request came within `patience`. The HTTP/1 parser has a bound of its own for each
/// request's head, but does not run until the first bytes have told the version.
async fn stays_silent(asked: &Asked, patience: Duration) {
    tokio::time::sleep(patience).await;
    if asked.anything.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Runs the tasks of HTTP/2 streams where the drain sees them.
#[derive(Clone, Debug)]
pub(crate) struct Tracked {
    tasks: TaskTracker,
    abandoned: CancellationToken,
}

impl Tracked {
    /// Runs on `tasks`, until `abandoned`.
    pub(crate) const fn new(tasks: TaskTracker, abandoned: CancellationToken) -> Self {
        Self { tasks, abandoned }
    }
}

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.tasks.spawn(self.abandoned.clone().run_until_cancelled_owned(task));
    }
}
