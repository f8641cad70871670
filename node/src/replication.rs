//! Making nodes agree: the shell around [`kvs_core::engine`].
//!
//! [`host`] is the store as the engine sees it; [`outgoing`] reads what others follow.

pub mod host;
pub mod outgoing;

pub use host::{Commit, NodeHost};
