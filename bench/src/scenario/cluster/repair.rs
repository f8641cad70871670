//! What it costs to find and heal differences, in bytes and time.

use std::time::Duration;

use bytes::Bytes;
use rand::{SeedableRng, rngs::SmallRng};
use tokio::time::{Instant, sleep};

use super::{Gathering, PATIENCE, figure, stop_all};
use crate::{
    cluster::{ClusterError, Node, Traffic, wait_until_equal, write_each},
    console::note,
    load,
    number::{float, grouped},
    results::Unit,
    scenario::{SEED, ScenarioError, Section, Settings, VALUE_SIZE, workload},
    workload::{ValuePool, key_name},
};

/// How many keys differ.
const DIFFERENCES: [u64; 3] = [1, 100, 100_000];

/// A prime above every number of keys, which spreads differences over them.
const SPREAD: u64 = 4_294_967_291;

/// How long a comparison of equal stores is waited for.
const COMPARED_WITHIN: Duration = Duration::from_secs(20);

/// How long a comparison leaves what was written to the streams of new writes.
const IN_FLIGHT: Duration = Duration::from_secs(2);

/// Small enough that the versions cost what keys and stamps cost.
const TINY: &[u8] = b"0";

pub(in crate::scenario) async fn measure_repair(
    settings: &Settings,
) -> Result<Section, ScenarioError> {
    let asked = format!(
        "three nodes with {} keys of 256 B. One is stopped, keys are written to the second, which \
         streams them to the third and is then stopped as well: what the first lacks when it \
         starts again is in nobody's stream of own writes, and only comparing with the third \
         finds it. It starts two seconds after the last write, when no comparison takes that for \
         one on its way. Bytes are HTTP/2 DATA of all requests of comparing and repairing (begin, \
         compare, fetch, push, range, agree), both ways, from the start of the first until the two \
         hold the same, with new values of one byte each, which are not subtracted; the greeting \
         of two nodes that meet has a line of its own, streams of new writes (a beat a second) and \
         membership are not counted. Times are from the start of the \
         process, with new values of 256 B",
        grouped(float(settings.keys()))
    );
    let mut section = settings.cluster_section(asked);
    let mut nodes = full_nodes(settings).await?;
    let mut gathering = Gathering::default();
    for _ in 0..settings.rounds {
        let bytes = equal_comparison(&nodes[0]).await?;
        gathering.add(figure::BYTES_EQUAL, Unit::Bytes, bytes);
        for count in DIFFERENCES {
            let count = count.min(settings.keys() / 10);
            let healed = heal(&mut nodes, settings.keys(), count, false).await?;
            gathering.add(differ(count), Unit::Bytes, float(healed.bytes));
            if count == 1 {
                let name = "two nodes greet each other before that: bytes";
                gathering.add(name, Unit::Bytes, float(healed.greeting));
            }
        }
        let count = 100_000.min(settings.keys() / 10);
        let healed = heal(&mut nodes, settings.keys(), count, true).await?;
        let name = format!("{} keys of 256 B differ: until equal", grouped(float(count)));
        gathering.add(name, Unit::Seconds, healed.took.as_secs_f64());
        let name = format!("{} keys of 256 B differ: bytes, with values", grouped(float(count)));
        gathering.add(name, Unit::Bytes, float(healed.bytes));
    }
    section.readings = gathering.finish();
    stop_all(nodes).await;
    Ok(section)
}

fn differ(count: u64) -> String {
    if count == 1 {
        return figure::BYTES_1.to_owned();
    }
    format!("{} keys differ: bytes", grouped(float(count)))
}

/// One node is filled by its clients, the others by it.
async fn full_nodes(settings: &Settings) -> Result<[Node; 3], ScenarioError> {
    let mut first = settings.node(None)?;
    first.wait_until_ready(PATIENCE).await?;
    let keys = settings.keys();
    note(&format!("  {} keys into three nodes", grouped(float(keys))));
    load::fill(first.endpoint(), &workload(keys, 0, 1), 0..keys).await?;
    let mut others = [settings.node(Some(&first))?, settings.node(Some(&first))?];
    for other in &mut others {
        other.wait_until_ready(PATIENCE).await?;
    }
    let [second, third] = others;
    let nodes = [first, second, third];
    wait_until_equal(&nodes.each_ref(), PATIENCE).await?;
    Ok(nodes)
}

/// Bytes of one comparison between equal nodes, none of which had to begin again because what may be
/// forgotten moved meanwhile.
async fn equal_comparison(node: &Node) -> Result<f64, ClusterError> {
    let deadline = Instant::now() + COMPARED_WITHIN;
    loop {
        let since = comparisons(node).await?;
        let [begun, agreed] = ["begin", "agree"].map(|route| since.requests(route));
        if begun > 0 && begun == agreed {
            note(&format!("  {}", since.in_words()));
            return Ok(float(since.repair_bytes()) / float(begun));
        }
        if Instant::now() > deadline {
            let (what, seen) = ("comparisons are complete", since.in_words());
            return Err(ClusterError::NotWithin { what, after: COMPARED_WITHIN, seen });
        }
    }
}

/// What was said once the node was told to compare, until nothing more was said for a moment.
async fn comparisons(node: &Node) -> Result<Traffic, ClusterError> {
    let before = node.traffic().await?;
    node.compare().await?;
    let mut since = Traffic::default();
    loop {
        sleep(Duration::from_millis(200)).await;
        let now = node.traffic().await?.since(&before);
        if now.repair_bytes() == since.repair_bytes() {
            return Ok(now);
        }
        since = now;
    }
}

struct Healed {
    bytes: u64,
    greeting: u64,
    took: Duration,
}

/// Has `count` keys differ between the first and the third node, and waits until they do not.
async fn heal(
    nodes: &mut [Node; 3],
    keys: u64,
    count: u64,
    large: bool,
) -> Result<Healed, ScenarioError> {
    let [away, writing, knowing] = nodes;
    away.stop().await;
    let numbers = (0..count).map(|place| place.wrapping_mul(SPREAD) % keys);
    let mut rng = SmallRng::seed_from_u64(SEED ^ count);
    let values = ValuePool::new(VALUE_SIZE, SEED ^ count);
    let value = || if large { values.draw(&mut rng) } else { Bytes::from_static(TINY) };
    write_each(writing.endpoint(), numbers.map(key_name), value).await?;
    wait_until_same_root(writing, knowing).await?;
    writing.stop().await;
    // What was just written may still be on its way for all that a comparison knows.
    sleep(IN_FLIGHT).await;
    let start = Instant::now();
    away.start_again()?;
    away.wait_until_ready(PATIENCE).await?;
    wait_until_same_root(away, knowing).await?;
    let took = start.elapsed();
    let traffic: Traffic = away.traffic().await?;
    note(&format!("  {count}: {took:?}, {}", traffic.in_words()));
    writing.start_again()?;
    writing.wait_until_ready(PATIENCE).await?;
    wait_until_equal(&[&*away, &*writing, &*knowing], PATIENCE).await?;
    Ok(Healed { bytes: traffic.repair_bytes(), greeting: traffic.bytes("hello"), took })
}

async fn wait_until_same_root(one: &Node, other: &Node) -> Result<(), ClusterError> {
    let start = Instant::now();
    loop {
        let (one, other) = (one.status().await?, other.status().await?);
        if one.root.is_some() && one.root == other.root {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            let (what, seen) = ("two nodes hold the same", format!("{one:?} {other:?}"));
            return Err(ClusterError::NotWithin { what, after: PATIENCE, seen });
        }
        sleep(Duration::from_millis(10)).await;
    }
}
