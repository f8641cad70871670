//! Asks other nodes.

mod begun;
mod connect;
mod link;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;

use kvs_core::NodeId;
use rustls::ClientConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::link::PeerLink;
pub use self::stream::PeerStream;

use super::tls::{CredentialsError, stranger};
use super::{Credentials, PeerError, PeerFigures, PeerLimits};

/// Makes connections to other nodes.
#[derive(Clone, Debug)]
pub struct PeerClient {
    identity: Identity,
    figures: Arc<PeerFigures>,
    limits: PeerLimits,
    tasks: TaskTracker,
    /// Once it is cancelled, connections are dropped.
    shutdown: CancellationToken,
}

/// What is shown to the other side.
#[derive(Clone, Debug)]
enum Identity {
    Known(Arc<Credentials>),
    Stranger(Arc<ClientConfig>),
}

impl PeerClient {
    /// A client with this node's credentials. Its connections are tasks on `tasks` and end at
    /// `shutdown`.
    pub const fn new(
        credentials: Arc<Credentials>,
        figures: Arc<PeerFigures>,
        limits: PeerLimits,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self { identity: Identity::Known(credentials), figures, limits, tasks, shutdown }
    }

    /// A client of a node that has no cluster file yet. It can ask for one on this machine, where
    /// nobody is between the two, and is refused everything else.
    ///
    /// # Errors
    ///
    /// The TLS library refuses its settings.
    pub fn stranger(
        figures: Arc<PeerFigures>,
        limits: PeerLimits,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Result<Self, CredentialsError> {
        let identity = Identity::Stranger(stranger()?);
        Ok(Self { identity, figures, limits, tasks, shutdown })
    }

    /// Connects. When this returns, each side has accepted the other's certificate; `expected` is
    /// the node that must be there, where that is known.
    ///
    /// # Errors
    ///
    /// There is no connection; every variant says why, and in none of them anything was asked.
    pub async fn connect(
        &self,
        address: SocketAddr,
        expected: Option<NodeId>,
    ) -> Result<PeerLink, PeerError> {
        let within = self.limits.connect;
        let connecting = connect::connect(self, address, expected);
        let timed_out = |_elapsed| PeerError::TimedOut { what: "connection", after: within };
        tokio::time::timeout(within, connecting).await.map_err(timed_out)?
    }
}
