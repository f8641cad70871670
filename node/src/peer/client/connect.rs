//! From an address to a connection on which both sides believe each other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use kvs_core::NodeId;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, DnsName, ServerName};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use webpki::KeyUsage;

use super::begun::Begun;
use super::link::{Ends, PeerLink};
use super::{Identity, PeerClient};
use crate::peer::tls::{PeerName, name_of, refuses_certificate};
use crate::peer::{PeerError, PeerLimits};
use crate::server::{Tracked, prepare};

/// What one stream may have under way towards us before we have read it.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same for a connection, so that a stream that we are slow to read does not stop the others.
const CONNECTION_WINDOW: u32 = 16 << 20;

type Body = Full<Bytes>;
type Io = TokioIo<Begun<TlsStream<TcpStream>>>;

pub(super) async fn connect(
    client: &PeerClient,
    address: SocketAddr,
    expected: Option<NodeId>,
) -> Result<PeerLink, PeerError> {
    let config = config(&client.identity, address)?;
    let unreachable = |source| PeerError::Unreachable { address, source };
    let stream = TcpStream::connect(address).await.map_err(unreachable)?;
    prepare(&stream, client.limits.ping * 2);
    let mut stream = handshake(config, stream).await.map_err(|error| failed(address, &error))?;
    let chain = chain_of(&stream);
    let node = node_at(address, &chain, expected)?;
    let first = first_bytes(&mut stream).await.map_err(|error| failed(address, &error))?;
    let ends = Ends::new(&client.shutdown);
    let begun = Begun { first, stream };
    let (send, connection) = http2(client, begun, &ends)
        .await
        .map_err(|error| PeerError::NotANode { address, reason: error.to_string() })?;
    drive(client, connection, chain, ends.clone());
    Ok(PeerLink::new(node, address, send, ends, client))
}

fn config(identity: &Identity, address: SocketAddr) -> Result<Arc<ClientConfig>, PeerError> {
    match identity {
        Identity::Known(credentials) => Ok(credentials.connecting()),
        Identity::Stranger(config) if address.ip().to_canonical().is_loopback() => {
            Ok(config.clone())
        }
        Identity::Stranger(_) => {
            let reason =
                "without a cluster file only nodes on this machine can be asked".to_owned();
            Err(PeerError::Outsider { address, reason })
        }
    }
}

async fn handshake(
    config: Arc<ClientConfig>,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    // Nodes are known by the id in their certificate, never by a host name: this one is not sent.
    let name = DnsName::try_from("peer.invalid").map_err(io::Error::other)?;
    TlsConnector::from(config).connect(ServerName::DnsName(name), stream).await
}

fn chain_of(stream: &TlsStream<TcpStream>) -> Vec<CertificateDer<'static>> {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    chain.iter().map(|certificate| certificate.clone().into_owned()).collect()
}

fn node_at(
    address: SocketAddr,
    chain: &[CertificateDer<'_>],
    expected: Option<NodeId>,
) -> Result<NodeId, PeerError> {
    let found = chain.first().and_then(name_of);
    match (found, expected) {
        (Some(PeerName::Node(node)), None) => Ok(node),
        (Some(PeerName::Node(node)), Some(expected)) if node == expected => Ok(node),
        (Some(found), Some(expected)) => Err(PeerError::NotExpected { address, expected, found }),
        (_, _) => {
            let reason = "its certificate names no node".to_owned();
            Err(PeerError::NotANode { address, reason })
        }
    }
}

/// Waits for the first bytes of the other side. With TLS 1.3 a client has finished its handshake
/// before its certificate was looked at: only what comes next, HTTP/2's settings or an alert, tells
/// whether it was accepted. Nothing of ours may be under way meanwhile, or the system could drop the
/// alert.
async fn first_bytes(stream: &mut TlsStream<TcpStream>) -> io::Result<Bytes> {
    let mut buffer = [0; 256];
    let length = stream.read(&mut buffer).await?;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default()))
}

/// What a handshake that failed says of the other side.
fn failed(address: SocketAddr, error: &io::Error) -> PeerError {
    use rustls::Error as Tls;
    let outsider = |reason: String| PeerError::Outsider { address, reason };
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
        Some(Tls::InvalidCertificate(why)) => {
            outsider(format!("its certificate is not believed here: {why}"))
        }
        Some(Tls::AlertReceived(alert)) if refuses_certificate(*alert) => {
            outsider(format!("it does not believe this node's certificate ({alert:?})"))
        }
        Some(other) => PeerError::NotANode { address, reason: other.to_string() },
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            PeerError::Closed("it hung up during the handshake".to_owned())
        }
        None => PeerError::Closed(error.to_string()),
    }
}

async fn http2(
    client: &PeerClient,
    stream: Begun<TlsStream<TcpStream>>,
    ends: &Ends,
) -> hyper::Result<(SendRequest<Body>, Connection<Io, Body, Tracked>)> {
    let PeerLimits { ping, streams, .. } = client.limits;
    let executor = Tracked::new(client.tasks.clone(), ends.token().clone());
    Builder::new(executor)
        .timer(TokioTimer::new())
        .keep_alive_interval(ping)
        .keep_alive_timeout(ping)
        .keep_alive_while_idle(true)
        .max_concurrent_streams(streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(TokioIo::new(stream))
        .await
}

/// Runs a connection until it ends, nobody uses it, or its other end is no longer believed.
fn drive(
    client: &PeerClient,
    connection: Connection<Io, Body, Tracked>,
    chain: Vec<CertificateDer<'static>>,
    ends: Ends,
) {
    let open = client.figures.link();
    let identity = client.identity.clone();
    client.tasks.spawn(async move {
        let _open = open;
        let token = ends.token().clone();
        tokio::select! {
            ended = connection => ends.because(&match ended {
                Ok(()) => "the other side closed it".to_owned(),
                Err(error) => super::link::root(&error),
            }),
            () = token.cancelled() => ends.because("it was closed here"),
            () = distrusted(&identity, &chain) => {
                ends.because("the certificate of the other side is no longer believed");
            }
        }
    });
}

async fn distrusted(identity: &Identity, chain: &[CertificateDer<'static>]) {
    match identity {
        Identity::Known(credentials) => {
            credentials.distrusted(chain, KeyUsage::server_auth()).await;
        }
        Identity::Stranger(_) => std::future::pending().await,
    }
}
