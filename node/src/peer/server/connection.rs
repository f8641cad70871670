//! One connection: its handshake, its requests, its end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use webpki::KeyUsage;

use super::PeerServing;
use super::admission::{Admission, Stranger};
use super::request::Requests;
use crate::peer::tls::{name_of, refuses_certificate};
use crate::peer::{PeerCaller, PeerLimits, PeerRole, RefusalReason};
use crate::server::Tracked;

/// What one stream may have under way towards us before we have read it.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same for a connection, so that a stream that we are slow to read does not stop the others.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// What a stream may have waiting for a slow receiver.
const SEND_BUFFER: usize = 256 << 10;

/// All connections of a peer port.
pub(super) struct Connections {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    /// Once it is cancelled, connections are dropped.
    abandoned: CancellationToken,
}

struct Shared {
    serving: PeerServing,
    builder: Builder<Tracked>,
    admission: Admission,
    /// Once it is cancelled, connections take no further requests.
    leaving: CancellationToken,
}

impl Connections {
    pub(super) fn new(serving: PeerServing, leaving: &CancellationToken) -> Self {
        let (tasks, abandoned) = (TaskTracker::new(), CancellationToken::new());
        let executor = Tracked::new(tasks.clone(), abandoned.clone());
        let builder = builder(executor, &serving.limits);
        let admission = Admission::new(&serving.limits);
        let shared = Shared { serving, builder, admission, leaving: leaving.clone() };
        Self { shared: Arc::new(shared), tasks, abandoned }
    }

    /// The tasks of all connections.
    pub(super) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Drops what is left.
    pub(super) fn abandon(&self) {
        self.abandoned.cancel();
    }

    /// Begins with a connection, in a task of its own, if there is room.
    pub(super) fn begin(&self, stream: TcpStream, peer: SocketAddr) {
        let shared = self.shared.clone();
        match shared.admission.admit(peer.ip().to_canonical()) {
            Ok((place, stranger)) => {
                let serving = async move {
                    shared.run(stream, peer, stranger).await;
                    drop(place);
                };
                self.tasks.spawn(self.abandoned.clone().run_until_cancelled_owned(serving));
            }
            Err(reason) => shared.serving.figures.refuse(reason, peer, "there is no room"),
        }
    }
}

fn builder(executor: Tracked, limits: &PeerLimits) -> Builder<Tracked> {
    let mut builder = Builder::new(executor);
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.ping)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.head)
        .max_send_buf_size(SEND_BUFFER)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}

/// A connection whose handshake is done.
struct Greeted {
    stream: TlsStream<TcpStream>,
    caller: PeerCaller,
    /// What the caller has shown; nothing if it showed nothing.
    chain: Vec<CertificateDer<'static>>,
    /// Its place among strangers, if it still is one.
    stranger: Option<Stranger>,
}

impl Shared {
    async fn run(self: Arc<Self>, stream: TcpStream, address: SocketAddr, stranger: Stranger) {
        let handshake = self.handshake(stream);
        let Some(greeted) = self.leaving.run_until_cancelled(handshake).await else { return };
        match greeted {
            Ok(stream) => self.serve(greet(stream, address, stranger)).await,
            Err((reason, detail)) => self.serving.figures.refuse(reason, address, detail),
        }
    }

    async fn handshake(
        &self,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, (RefusalReason, String)> {
        let within = self.serving.limits.handshake;
        let acceptor = TlsAcceptor::from(self.serving.credentials.accepting());
        match tokio::time::timeout(within, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err((reason_of(&error), error.to_string())),
            Err(_elapsed) => Err((RefusalReason::Slow, format!("no handshake in {within:?}"))),
        }
    }

    async fn serve(self: Arc<Self>, greeted: Greeted) {
        let Greeted { stream, caller, chain, stranger } = greeted;
        let _open = self.serving.figures.connection();
        let address = caller.address;
        let requests = Requests::new(self.serving.clone(), caller, self.leaving.clone());
        let service = service_fn(move |request| requests.clone().answer(request));
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            // How a connection ends concerns its peer alone.
            _ended = connection.as_mut() => return,
            () = self.leaving.cancelled() => {}
            () = self.serving.credentials.distrusted(&chain, KeyUsage::client_auth()) => {
                let detail = "its certificate is no longer believed";
                return self.serving.figures.refuse(RefusalReason::Outsider, address, detail);
            }
            () = self.has_stayed(stranger.as_ref()) => return,
        }
        connection.as_mut().graceful_shutdown();
        let _ended = connection.await;
    }

    /// Ends when a stranger has been here for long enough.
    async fn has_stayed(&self, stranger: Option<&Stranger>) {
        match stranger {
            Some(_) => tokio::time::sleep(self.serving.limits.handshake).await,
            None => std::future::pending().await,
        }
    }
}

fn greet(stream: TlsStream<TcpStream>, address: SocketAddr, stranger: Stranger) -> Greeted {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain: Vec<_> = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
    let role = chain.first().and_then(name_of).map_or(PeerRole::Nobody, PeerRole::from);
    let stranger = (role == PeerRole::Nobody).then_some(stranger);
    Greeted { stream, caller: PeerCaller { role, address }, chain, stranger }
}

/// What a handshake that failed says of the other side.
fn reason_of(error: &io::Error) -> RefusalReason {
    use rustls::Error as Tls;
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
        Some(Tls::InvalidCertificate(_)) => RefusalReason::Outsider,
        Some(Tls::AlertReceived(alert)) if refuses_certificate(*alert) => RefusalReason::Outsider,
        Some(Tls::PeerIncompatible(_) | Tls::NoApplicationProtocol) => RefusalReason::OtherTls,
        Some(Tls::AlertReceived(_)) | None => RefusalReason::BrokenOff,
        Some(_) => RefusalReason::NotTls,
    }
}
