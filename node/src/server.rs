//! The listening socket and the connections on it.
//!
//! HTTP/1.1 and HTTP/2, told apart by how a connection begins, with or without TLS. Every task belongs to one
//! tracker, so that a drain knows when all of them have ended.

mod connection;
mod cors;
mod lasting;
mod owner;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kvs_config::Settings;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::Connections;
pub(crate) use self::connection::Tracked;
pub use self::owner::SOCKET;
pub use self::tls::{Tls, TlsError};
use crate::http::App;
use crate::node::Node;

/// Connections that the system holds for us until they are accepted.
const BACKLOG: u32 = 1_024;
/// How long nothing is accepted after the system ran out of something, such as file descriptors:
/// trying at once would only burn the processor that could free one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A node's address cannot be listened on. Nothing was changed.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct BindError {
    /// The address and port.
    pub address: SocketAddr,
    /// What is wrong and what to do.
    reason: String,
    #[source]
    source: io::Error,
}

impl BindError {
    /// `setting` is the one that has the port.
    pub(crate) fn new(address: SocketAddr, setting: &str, source: io::Error) -> Self {
        let reason = match source.kind() {
            io::ErrorKind::AddrInUse => {
                format!("another program listens there; stop it, or set another `{setting}`")
            }
            io::ErrorKind::PermissionDenied => format!(
                "the system does not let this user have that port; set a `{setting}` from 1024 up"
            ),
            io::ErrorKind::AddrNotAvailable => {
                "this machine does not have that address; set another `bind_address`".to_owned()
            }
            _ => source.to_string(),
        };
        Self { address, reason, source }
    }
}

/// A bound socket that does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
}

impl Server {
    /// Binds the address and port of the settings. Call within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// The system refuses them.
    pub fn bind(settings: &Settings) -> Result<Self, BindError> {
        let wanted = SocketAddr::new(settings.bind_address, settings.port);
        let failed = |error| BindError::new(wanted, "port", error);
        let listener = listen(wanted).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, tls: None })
    }

    /// The same, speaking TLS with its clients.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// What its address begins with.
    pub const fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Where it listens; with `port: 0` this tells which port the system chose.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves the node's API until `shutdown`. Then nothing is accepted any more, streams end,
    /// requests in flight are answered, and what has not ended within `drain_timeout` is dropped.
    pub async fn serve(self, node: Arc<Node>, shutdown: CancellationToken) {
        let drain_timeout = node.settings().drain_timeout.into();
        if let Some(tls) = &self.tls {
            node.spawn(tls.clone().keep_up(shutdown.clone()));
        }
        let app = App::new(node.clone()).at(self.address);
        let connections = Connections::new(app, self.tls, &shutdown);
        let data_dir = node.settings().data_dir.clone();
        let owners =
            owner::accept_until(&data_dir, |stream| connections.serve_owner(stream), &shutdown);
        let patience = connections.patience();
        let begin = |stream: TcpStream, peer: SocketAddr| {
            prepare(&stream, patience);
            connections.serve(stream, peer.ip());
        };
        tokio::join!(accept_until(self.listener, begin, &shutdown), owners);
        node.stopping().cancel();
        drain(connections, drain_timeout).await;
    }
}

/// Binds an address and port.
pub(crate) fn listen(wanted: SocketAddr) -> io::Result<TcpListener> {
    let socket = if wanted.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of an earlier process that are still closing do not keep the port.
    socket.set_reuseaddr(true)?;
    socket.bind(wanted)?;
    socket.listen(BACKLOG)
}

/// Hands every connection to `begin`, until `shutdown`.
pub(crate) async fn accept_until(
    listener: TcpListener,
    begin: impl Fn(TcpStream, SocketAddr),
    shutdown: &CancellationToken,
) {
    let mut failing = false;
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                failing = false;
                begin(stream, peer);
            }
            Err(error) if of_one_connection(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "connections cannot be accepted; trying again");
                }
                shutdown.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
            }
        }
    }
}

/// Sets the options of a connection whose other end may take no bytes for `patience`.
pub(crate) fn prepare(stream: &TcpStream, patience: Duration) {
    if let Err(error) = set_options(stream, patience) {
        tracing::debug!(%error, "options of a connection cannot be set");
    }
}

fn set_options(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    // Answers are written whole: waiting to fill a packet would only delay them.
    stream.set_nodelay(true)?;
    // A client that takes no bytes for so long is gone, or holds the connection for nothing.
    #[cfg(target_os = "linux")]
    {
        let millis = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(stream, millis)?;
    }
    Ok(())
}

/// Whether the error says that one client left before it was accepted, and nothing of the rest.
fn of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::Interrupted
    )
}

async fn drain(connections: Connections, within: Duration) {
    let tasks: TaskTracker = connections.tasks().clone();
    tasks.close();
    if tokio::time::timeout(within, tasks.wait()).await.is_err() {
        tracing::warn!(
            connections = tasks.len(),
            "connections are dropped: they did not end in time"
        );
        connections.abandon();
        tasks.wait().await;
    }
}
