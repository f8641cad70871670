use std::{io, net::SocketAddr};

use hyper::StatusCode;

/// Why a request to a measured server failed.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// There was no connection to be had.
    #[error("no connection to {address}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The HTTP exchange broke off.
    #[error("the HTTP exchange failed")]
    Http(#[from] hyper::Error),
    /// The server closed the connection before it answered.
    #[error("the connection was closed before the answer")]
    Closed,
    /// The server answered, but not with success.
    #[error("answered {status}: {body}")]
    Status {
        /// Its status.
        status: StatusCode,
        /// The beginning of its body.
        body: String,
    },
    /// The answer could not be understood.
    #[error("the answer is not what was expected")]
    Malformed(#[from] serde_json::Error),
    /// A batch was answered, but not every item with success.
    #[error("{succeeded} of {sent} items of a batch succeeded")]
    Partial {
        /// Items sent.
        sent: usize,
        /// Items that succeeded.
        succeeded: usize,
    },
    /// A key that was written before is not there.
    #[error("key {0} is not there")]
    Missing(String),
    /// etcd's client reports this.
    #[error("etcd's client failed")]
    Etcd(#[from] etcd_client::Error),
    /// Redis' client reports this.
    #[error("Redis' client failed")]
    Redis(#[from] redis::RedisError),
    /// NATS' client reports this.
    #[error("NATS: {0}")]
    Nats(String),
}

impl TargetError {
    /// Whether the server answered, so that its connection is good for more.
    pub fn was_answered(&self) -> bool {
        matches!(
            self,
            Self::Status { .. } | Self::Malformed(_) | Self::Partial { .. } | Self::Missing(_)
        )
    }

    /// An error of the NATS client, which has one type per call.
    pub(super) fn nats(error: impl std::error::Error) -> Self {
        Self::Nats(error.to_string())
    }
}
