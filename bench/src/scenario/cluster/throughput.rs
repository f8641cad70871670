//! What three nodes acknowledge that share the machine, beside a single one.

use super::{Gathering, PATIENCE, figure, stop_all};
use crate::{
    cluster::{Node, wait_until_equal},
    load::{self, Load},
    results::Unit,
    scenario::{ScenarioError, Section, Settings, workload},
};

/// Connections of all clients together: the same number on each node.
const CONNECTIONS: usize = 66;

/// Keys that the puts fall on.
const KEYS: u64 = 100_000;

pub(in crate::scenario) async fn measure_throughput(
    settings: &Settings,
) -> Result<Section, ScenarioError> {
    let asked = format!(
        "durable puts of 256 B over {CONNECTIONS} connections in a closed loop, {KEYS} keys: all \
         connections to a single node, and a third of them to each of three nodes that replicate; \
         the four share the machine, two of them idle at a time or all but one; after each turn of \
         the three it is waited, and said, how long they took to hold the same"
    );
    let mut section = settings.cluster_section(asked);
    let mut single = settings.node(None)?;
    single.wait_until_ready(PATIENCE).await?;
    let nodes = settings.three_nodes().await?;
    let alone = settings.load(single.endpoint(), workload(KEYS, 0, 1), CONNECTIONS);
    let [first, others @ ..] = nodes.each_ref().map(Node::endpoint);
    let together = Load { endpoint: first, others: others.to_vec(), ..alone.clone() };
    let mut gathering = Gathering::default();
    for round in 0..settings.rounds {
        let mut rates = [0.0; 2];
        for place in [round % 2, (round + 1) % 2] {
            rates[place] = if place == 0 {
                one_turn(&mut gathering, "a single node", &alone).await?
            } else {
                let rate = one_turn(&mut gathering, "three nodes", &together).await?;
                let settled = wait_until_equal(&nodes.each_ref(), PATIENCE).await?;
                let name = "three nodes: until they held the same afterwards";
                gathering.add(name, Unit::Seconds, settled.as_secs_f64());
                rate
            };
        }
        gathering.add(figure::RATIO, Unit::Times, rates[1] / rates[0].max(1.0));
    }
    section.readings = gathering.finish();
    single.stop().await;
    stop_all(nodes).await;
    Ok(section)
}

async fn one_turn(gathering: &mut Gathering, who: &str, load: &Load) -> Result<f64, ScenarioError> {
    let figures = load::run(load).await?;
    if let Some(first) = figures.first_error {
        return Err(ScenarioError::Failed { errors: figures.errors, first });
    }
    let rate = figures.keys_per_second;
    gathering.add(format!("{who}: acknowledged"), Unit::PerSecond, rate);
    if let Some(writes) = figures.writes {
        gathering.add(format!("{who}: p50"), Unit::Microseconds, writes.p50);
        gathering.add(format!("{who}: p99"), Unit::Microseconds, writes.p99);
    }
    Ok(rate)
}
