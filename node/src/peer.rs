//! How nodes speak with each other: HTTP/2 over TLS 1.3 on a port of its own.
//!
//! This is transport alone: bytes in, bytes out. Who may call what is in one table ([`PeerRoute`]);
//! what the bytes mean is the business of a [`PeerHandler`]. Reading order: [`route`] and [`handler`]
//! say what there is, [`tls`] who is who, [`server`] and [`client`] carry it.

pub mod client;
pub mod error;
pub mod figures;
pub mod handler;
pub mod limits;
pub mod route;
pub mod server;
pub mod tls;

mod messages;

#[cfg(test)]
mod tests;

pub use self::client::{PeerClient, PeerLink, PeerStream};
pub use self::error::PeerError;
pub use self::figures::{PeerFigures, RefusalReason};
pub use self::handler::{PeerAnswer, PeerCaller, PeerHandler, PeerRole, Refusal};
pub use self::limits::PeerLimits;
pub use self::route::{Callers, PeerRoute};
pub use self::server::{PeerServer, PeerServing};
pub use self::tls::{Credentials, CredentialsError, PeerName, Trust};
