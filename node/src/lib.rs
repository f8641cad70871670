//! A KVS node: its store, its HTTP API and its command line.
//!
//! Reading order: [`store`] holds rows, [`writer`] changes them, [`records`] reads them as versions,
//! [`replication`] makes nodes agree, [`node`] puts these together and serves the HTTP API.

pub mod accounts;
pub mod audit;
pub mod backup;
pub mod caller;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod conflict;
pub mod daemon;
pub mod digest;
pub mod duty;
pub mod http;
pub mod identities;
pub mod local;
pub mod logging;
pub mod membership;
pub mod node;
pub mod peer;
pub mod rates;
pub mod records;
pub mod replication;
pub mod restamp;
pub mod server;
pub mod store;
pub mod time;
pub mod writer;
