//! A node's peer port for a test, and what its peers need to ask it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use kvs_client::ClusterFile;
use kvs_core::NodeId;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::subscriber::DefaultGuard;

use crate::peer::{
    Credentials, PeerAnswer, PeerCaller, PeerClient, PeerError, PeerFigures, PeerHandler,
    PeerLimits, PeerLink, PeerName, PeerRoute, PeerServer, PeerServing, Refusal, RefusalReason,
    Trust,
};
use crate::time::ManualClock;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a message of the endless stream.
pub(super) const MESSAGE: usize = 64 << 10;

pub(super) fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

/// A cluster file whose ring has these secrets.
pub(super) fn cluster(secrets: &[u8]) -> ClusterFile {
    let (first, rest) = secrets.split_first().unwrap();
    let mut file = ClusterFile::new([1; 16], [*first; 32], [2; 32]);
    for secret in rest {
        file.add_secret([*secret; 32]).unwrap();
    }
    file
}

pub(super) fn credentials(name: PeerName, trust: &Trust) -> Arc<Credentials> {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    Arc::new(Credentials::new(name, trust, clock).unwrap())
}

/// The credentials of a node of the cluster with these secrets.
pub(super) fn of_node(number: u8, secrets: &[u8]) -> Arc<Credentials> {
    credentials(PeerName::Node(node(number)), &Trust::ring(&cluster(secrets)))
}

/// The credentials of an operator of the cluster with these secrets.
pub(super) fn of_operator(name: &str, secrets: &[u8]) -> Arc<Credentials> {
    credentials(PeerName::Operator(name.into()), &Trust::ring(&cluster(secrets)))
}

/// Answers with the length of the body; streams are endless and numbered.
#[derive(Debug, Default)]
pub(super) struct Probe {
    pub(super) calls: Mutex<Vec<(PeerCaller, PeerRoute, usize)>>,
    /// Messages that were made for streams.
    pub(super) made: Arc<AtomicU64>,
    /// Streams that were dropped.
    pub(super) dropped: Arc<AtomicU64>,
}

impl PeerHandler for Probe {
    fn handle(
        &self,
        caller: PeerCaller,
        route: PeerRoute,
        body: Bytes,
    ) -> BoxFuture<'_, PeerAnswer> {
        self.calls.lock().unwrap().push((caller, route, body.len()));
        let answer = match (route, &body[..]) {
            (PeerRoute::Join, _) => PeerAnswer::Refused(Refusal::new(409, "other-cluster", "no")),
            (PeerRoute::Stream, b"three") => three_and_a_refusal(),
            (PeerRoute::Stream, b"large") => too_large(route),
            (route, _) if route.streams() => self.endless(),
            (_, body) => PeerAnswer::Bytes(body.len().to_string().into()),
        };
        std::future::ready(answer).boxed()
    }
}

impl Probe {
    fn endless(&self) -> PeerAnswer {
        let guard = CountDrop(self.dropped.clone());
        let made = self.made.clone();
        let messages = futures_util::stream::repeat_with(move || {
            let _held = &guard;
            let number = made.fetch_add(1, Ordering::SeqCst);
            let mut message = vec![0; MESSAGE];
            message[..8].copy_from_slice(&number.to_be_bytes());
            Ok(Bytes::from(message))
        });
        PeerAnswer::Stream(messages.boxed())
    }
}

fn three_and_a_refusal() -> PeerAnswer {
    let messages = [b"one".as_slice(), b"", b"three"].map(Bytes::from_static).map(Ok);
    let refusal = Err(Refusal::new(503, "rebuilding", "later"));
    let messages = messages.into_iter().chain([refusal, Ok(Bytes::from_static(b"never"))]);
    PeerAnswer::Stream(futures_util::stream::iter(messages).boxed())
}

fn too_large(route: PeerRoute) -> PeerAnswer {
    let message = |over: usize| Ok(vec![7; route.answer_limit() + over].into());
    PeerAnswer::Stream(futures_util::stream::iter([message(0), message(1)]).boxed())
}

struct CountDrop(Arc<AtomicU64>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A running peer port.
pub(super) struct Site {
    pub(super) address: SocketAddr,
    pub(super) credentials: Arc<Credentials>,
    pub(super) figures: Arc<PeerFigures>,
    pub(super) probe: Arc<Probe>,
    pub(super) shutdown: CancellationToken,
    pub(super) tasks: TaskTracker,
    log: Log,
    _logging: DefaultGuard,
}

impl Site {
    /// Node 1 of the cluster with these secrets.
    pub(super) fn start(secrets: &[u8]) -> Self {
        Self::with(of_node(1, secrets), PeerLimits::default())
    }

    pub(super) fn with(credentials: Arc<Credentials>, limits: PeerLimits) -> Self {
        let (log, logging) = Log::begin();
        let server = PeerServer::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let (address, shutdown, tasks) =
            (server.local_addr(), CancellationToken::new(), TaskTracker::new());
        let (figures, probe): (Arc<PeerFigures>, Arc<Probe>) = Default::default();
        let serving = PeerServing {
            credentials: credentials.clone(),
            handler: probe.clone(),
            figures: figures.clone(),
            limits,
        };
        tasks.spawn(server.serve(serving, shutdown.clone()));
        Self { address, credentials, figures, probe, shutdown, tasks, log, _logging: logging }
    }

    /// A client with these credentials, whose tasks end with the site.
    pub(super) fn client(&self, credentials: Arc<Credentials>) -> PeerClient {
        let (figures, limits) = (Arc::default(), PeerLimits::default());
        PeerClient::new(credentials, figures, limits, self.tasks.clone(), self.shutdown.clone())
    }

    pub(super) fn stranger(&self) -> PeerClient {
        let (figures, limits) = (Arc::default(), PeerLimits::default());
        PeerClient::stranger(figures, limits, self.tasks.clone(), self.shutdown.clone()).unwrap()
    }

    /// A connection of node 2, which has the same secrets.
    pub(super) async fn link(&self, secrets: &[u8]) -> PeerLink {
        let client = self.client(of_node(2, secrets));
        client.connect(self.address, Some(node(1))).await.unwrap()
    }

    /// Asserts that a node of the cluster is answered.
    pub(super) async fn still_answers(&self, secrets: &[u8]) {
        let link = self.link(secrets).await;
        assert_eq!(link.ask(PeerRoute::Hello, "hello".into()).await.unwrap(), "5");
    }

    /// Waits until somebody was turned away for this reason so many times, and for nothing else,
    /// and asserts that the log has it with its address.
    pub(super) async fn turned_away(&self, reason: RefusalReason, times: u64) {
        until(reason.name(), || self.figures.refusals(reason) >= times).await;
        for other in RefusalReason::ALL {
            let expected = if other == reason { times } else { 0 };
            assert_eq!(self.figures.refusals(other), expected, "{}", other.name());
        }
        let log = self.log.text();
        let line = log.lines().find(|line| line.contains(&format!("reason=\"{}\"", reason.name())));
        assert!(line.is_some_and(|line| line.contains("address=127.0.0.1:")), "{log}");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// What is logged in this thread.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until something is so.
pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "waited in vain until {what}");
}

/// What comes of something that must not hang.
pub(super) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.unwrap()
}

/// The refusal in an error.
pub(super) fn refusal<T: std::fmt::Debug>(result: Result<T, PeerError>) -> (u16, String) {
    match result {
        Err(PeerError::Refused(refusal)) => (refusal.status, refusal.code),
        other => panic!("{other:?}"),
    }
}
