//! Claims of single nodes, and of clusters in a simulated network.

mod claims;
mod lives;
mod network;
mod nonsense;
mod trouble;
