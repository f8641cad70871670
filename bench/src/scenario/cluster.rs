//! Nodes that agree: how fast, how dearly, and how they come to it again.

use std::time::Duration;

use super::{Section, Settings};
use crate::{
    cluster::{ClusterError, Node, wait_until_equal},
    console::note,
    results::{Reading, Unit},
    server::Product,
};

mod bootstrap;
mod repair;
mod throughput;
mod visible;

pub(super) use bootstrap::measure_bootstrap;
pub(super) use repair::measure_repair;
pub(super) use throughput::measure_throughput;
pub(super) use visible::measure_visibility;

/// Keys of the scenarios that need a full store, and those that their bars are about.
pub(crate) const KEYS: u64 = 1_000_000;

/// The names of the figures that bars are about.
pub(crate) mod figure {
    /// Visibility of writes that all go to one node, and of writes that go to all.
    pub(crate) const VISIBLE_ONE_P50: &str = "written to one node: readable on all, p50";
    /// The same, exceeded by 1 of 100.
    pub(crate) const VISIBLE_ONE_P99: &str = "written to one node: readable on all, p99";
    /// See above.
    pub(crate) const VISIBLE_ALL_P50: &str = "written to all nodes: readable on all, p50";
    /// See above.
    pub(crate) const VISIBLE_ALL_P99: &str = "written to all nodes: readable on all, p99";
    /// Acknowledged by three nodes, by what a single node does.
    pub(crate) const RATIO: &str = "three nodes ÷ a single node";
    /// Of a comparison that finds nothing.
    pub(crate) const BYTES_EQUAL: &str = "a comparison of equal stores: bytes";
    /// Bytes until two nodes are equal again.
    pub(crate) const BYTES_1: &str = "1 key differs: bytes";
    /// See above.
    pub(crate) const BYTES_100: &str = "100 keys differ: bytes";
    /// See above.
    pub(crate) const BYTES_100_000: &str = "100,000 keys differ: bytes";
    /// Time until two nodes are equal again.
    pub(crate) const HEALED: &str = "100,000 keys of 256 B differ: until equal";
    /// Time until an empty node serves.
    pub(crate) const SERVING: &str = "an empty node: until it serves";
}

/// How long nodes may take to become equal where that is not what is measured.
const PATIENCE: Duration = Duration::from_mins(10);

/// A figure that each round gives one value of.
struct Gathered {
    name: String,
    unit: Unit,
    rounds: Vec<f64>,
}

/// Gathers figures round by round.
#[derive(Default)]
struct Gathering(Vec<Gathered>);

impl Gathering {
    /// Adds the value of one more round.
    fn add(&mut self, name: impl Into<String>, unit: Unit, value: f64) {
        let name = name.into();
        note(&format!("  {name}: {}", unit.in_words(value)));
        match self.0.iter_mut().find(|gathered| gathered.name == name) {
            Some(gathered) => gathered.rounds.push(value),
            None => self.0.push(Gathered { name, unit, rounds: vec![value] }),
        }
    }

    fn finish(self) -> Vec<Reading> {
        let reading = |Gathered { name, unit, rounds }| Reading { name, unit, rounds };
        self.0.into_iter().map(reading).collect()
    }
}

impl Settings {
    /// The keys of a full store.
    fn keys(&self) -> u64 {
        self.keys.unwrap_or(KEYS)
    }

    /// The results of a scenario with nodes of ours alone, still without figures.
    fn cluster_section(&self, asked: String) -> Section {
        let servers = vec![self.about(Product::Kvs)];
        Section { servers, ..self.bare_section(asked, &self.disk) }
    }

    fn node(&self, seed: Option<&Node>) -> Result<Node, ClusterError> {
        Node::start(&self.programs.kvs, &self.disk, seed)
    }

    /// Three empty nodes that follow each other.
    async fn three_nodes(&self) -> Result<[Node; 3], ClusterError> {
        let mut first = self.node(None)?;
        first.wait_until_ready(PATIENCE).await?;
        let mut others = [self.node(Some(&first))?, self.node(Some(&first))?];
        for other in &mut others {
            other.wait_until_ready(PATIENCE).await?;
        }
        let [second, third] = others;
        let nodes = [first, second, third];
        wait_until_equal(&nodes.each_ref(), PATIENCE).await?;
        Ok(nodes)
    }
}

async fn stop_all(nodes: impl IntoIterator<Item = Node>) {
    for mut node in nodes {
        node.stop().await;
    }
}
