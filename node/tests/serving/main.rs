//! A node behind a socket: lists, streams, the routes about the node, and what connections may do.

mod browser;
mod changes;
mod client_certificates;
mod connections;
mod drain;
mod issuers;
mod lists;
mod metrics;
mod node;
mod served;
mod streams;
mod tls;
mod trees;
