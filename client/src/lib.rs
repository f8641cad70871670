//! The public HTTP API of KVS: its types and a typed client.
//!
//! [`types`] holds every JSON body that the key routes and the health routes take or answer. The
//! node serialises these same types, so the two sides cannot drift apart. [`Client`] calls the
//! routes, and its errors say whether anything may have been written.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use kvs_client::{Client, Value};
//!
//! let client = Client::new("http://127.0.0.1:8080", None)?;
//! client.put("home/room/socks", Value::json(&["red", "blue"])?).await?;
//! let stored = client.get("home/room/socks").await?;
//! assert_eq!(stored.value.as_bytes(), br#"["red","blue"]"#);
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

#[cfg(feature = "cluster-file")]
pub mod cluster_file;
#[cfg(feature = "peer")]
pub mod peer;
pub mod types;

mod client;
mod error;
mod sse;

pub use client::{
    Client,
    audit::AuditOptions,
    options::{ChangesOptions, Condition, ListOptions, PageOptions, PutOptions, TreeOptions},
    values::{Head, Raw},
    watch::{Watch, WatchEvent},
};
#[cfg(feature = "cluster-file")]
pub use cluster_file::ClusterFile;
pub use error::ClientError;
pub use types::*;
