//! Making nodes agree: the shell around [`kvs_core::engine`].
//!
//! Reading order: [`host`] is the store as the engine sees it; [`driver`] is the engine's thread,
//! with what carries out its effects; [`links`] leads to peers, [`follow`] follows their logs;
//! [`handler`] answers them, [`outgoing`] reads what they follow; [`observed`] is what is seen of it
//! all, [`figures`] counts; [`rescue`] puts aside what a node must give up.

pub mod driver;
mod duties;
pub mod figures;
pub mod follow;
pub mod handler;
pub mod host;
pub mod links;
pub mod observed;
pub mod outgoing;
pub mod report;
pub mod rescue;
pub mod standing;

pub use driver::{Driver, EngineHandle};
pub use figures::Figures;
pub use handler::Handler;
pub use host::{Commit, NodeHost};
pub use links::Links;
pub use observed::Observed;
pub use standing::Standing;
