//! One question, one answer, over HTTP/2 and TLS. Questions are few: each has a connection of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http2;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kvs_client::peer::{PeerName, name_of};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{NodeError, PATIENCE};
use crate::fence::Fence;

/// Longest answer: that of a cluster of some thousand nodes.
const LONGEST: usize = 4 << 20;

pub(super) async fn ask(
    tls: &Arc<ClientConfig>,
    address: SocketAddr,
    route: &str,
    body: Vec<u8>,
    fence: Option<&Fence>,
) -> Result<Bytes, NodeError> {
    ask_within(PATIENCE, tls, address, route, body, fence).await
}

/// The same of what may take a node longer.
pub(super) async fn ask_within(
    patience: Duration,
    tls: &Arc<ClientConfig>,
    address: SocketAddr,
    route: &str,
    body: Vec<u8>,
    fence: Option<&Fence>,
) -> Result<Bytes, NodeError> {
    let asking = async {
        let stream = connect(tls, address).await.map_err(|error| unreachable(address, &error))?;
        if let Some(fence) = fence {
            fence.check()?;
        }
        exchange(stream, address, route, body).await
    };
    let late = |_elapsed| NodeError::TimedOut(address, patience);
    tokio::time::timeout(patience, asking).await.map_err(late)?
}

async fn connect(
    tls: &Arc<ClientConfig>,
    address: SocketAddr,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    // Nodes are known by the id in their certificate, never by a host name.
    let name = ServerName::try_from("peer.invalid").map_err(std::io::Error::other)?;
    let stream = TlsConnector::from(tls.clone()).connect(name, stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    match shown.and_then(name_of) {
        Some(PeerName::Node(_)) => Ok(stream),
        _ => Err(std::io::Error::other("it is no node")),
    }
}

async fn exchange(
    stream: TlsStream<TcpStream>,
    address: SocketAddr,
    route: &str,
    body: Vec<u8>,
) -> Result<Bytes, NodeError> {
    let failed = |error: hyper::Error| unreachable(address, &error);
    let io = TokioIo::new(stream);
    let (mut send, connection) =
        http2::handshake(TokioExecutor::new(), io).await.map_err(failed)?;
    let request = Request::post(format!("https://{address}/peer/v1/{route}"))
        .header(http::header::CONTENT_LENGTH, body.len())
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| unreachable(address, &error))?;
    let answering = async {
        let response = send.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        let body = body.map_err(|error| unreachable(address, &*error))?.to_bytes();
        match status {
            StatusCode::OK => Ok(body),
            _ => Err(NodeError::Refused(String::from_utf8_lossy(&body).into_owned())),
        }
    };
    // The connection ends with the answer, or the other way round.
    tokio::select! {
        answer = answering => answer,
        ended = connection => Err(unreachable(address, &match ended {
            Ok(()) => "it hung up".to_owned(),
            Err(error) => error.to_string(),
        })),
    }
}

fn unreachable(address: SocketAddr, why: &(impl ToString + ?Sized)) -> NodeError {
    NodeError::Unreachable(address, why.to_string())
}
