//! The peer port: sockets, TLS, limits, graceful drain.

mod admission;
mod answer;
mod connection;
mod request;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use self::connection::Connections;
use super::{Credentials, PeerFigures, PeerHandler, PeerLimits};
use crate::server::{BindError, accept_until, listen, prepare};

/// What a peer port needs to answer.
#[derive(Clone)]
pub struct PeerServing {
    /// What it shows, and whom it believes.
    pub credentials: Arc<Credentials>,
    /// What answers.
    pub handler: Arc<dyn PeerHandler>,
    /// What it counts.
    pub figures: Arc<PeerFigures>,
    /// What it allows.
    pub limits: PeerLimits,
}

impl std::fmt::Debug for PeerServing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerServing")
            .field("credentials", &self.credentials)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A bound socket that does not answer yet.
#[derive(Debug)]
pub struct PeerServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl PeerServer {
    /// Binds an address and port. Call within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// The system refuses them.
    pub fn bind(wanted: SocketAddr) -> Result<Self, BindError> {
        let failed = |error| BindError::new(wanted, "peer_port", error);
        let listener = listen(wanted).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens; with port 0 this tells which one the system chose.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves peers until `shutdown`. Then nothing is accepted any more, streams end, requests in
    /// flight are answered, and what has not ended within the limit for that is dropped.
    pub async fn serve(self, serving: PeerServing, shutdown: CancellationToken) {
        let limits = serving.limits;
        let connections = Connections::new(serving, &shutdown);
        let begin = |stream: TcpStream, peer: SocketAddr| {
            prepare(&stream, limits.ping * 2);
            connections.begin(stream, peer);
        };
        accept_until(self.listener, begin, &shutdown).await;
        drain(&connections, limits.drain).await;
    }
}

async fn drain(connections: &Connections, within: Duration) {
    let tasks = connections.tasks();
    tasks.close();
    if tokio::time::timeout(within, tasks.wait()).await.is_err() {
        tracing::warn!(tasks = tasks.len(), "peers are dropped: they did not end in time");
        connections.abandon();
        tasks.wait().await;
    }
}
