//! How an empty node becomes a full one beside a node that is written to.

use tokio::time::{Duration, Instant};

use super::{Gathering, PATIENCE, figure, stop_all};
use crate::{
    cluster::{ClusterError, Node, Writers, wait_until_equal},
    console::note,
    load,
    number::{float, grouped},
    results::Unit,
    scenario::{ScenarioError, Section, Settings, VALUE_SIZE, workload},
    workload::key_name,
};

/// Writes a second that go on meanwhile.
const RATE: f64 = 500.0;

/// A prime above every number of keys, which spreads writes over them.
const SPREAD: u64 = 4_294_967_291;

pub(in crate::scenario) async fn measure_bootstrap(
    settings: &Settings,
) -> Result<Section, ScenarioError> {
    let keys = settings.keys();
    let asked = format!(
        "a node with {} keys of 256 B takes {RATE} puts a second in an open loop, all over its \
         keys, while an empty node starts and takes everything from it; timed from the start of \
         the process until it is ready, and from the last put until both roots are the same",
        grouped(float(keys))
    );
    let mut section = settings.cluster_section(asked);
    let mut full = settings.node(None)?;
    full.wait_until_ready(PATIENCE).await?;
    note(&format!("  {} keys into a node", grouped(float(keys))));
    load::fill(full.endpoint(), &workload(keys, 0, 1), 0..keys).await?;
    let mut gathering = Gathering::default();
    for _ in 0..settings.rounds {
        let new = one_round(settings, &full, keys, &mut gathering).await?;
        stop_all([new]).await;
    }
    section.readings = gathering.finish();
    stop_all([full]).await;
    Ok(section)
}

async fn one_round(
    settings: &Settings,
    full: &Node,
    keys: u64,
    gathering: &mut Gathering,
) -> Result<Node, ScenarioError> {
    let key = move |number: u64| key_name(number.wrapping_mul(SPREAD) % keys);
    let writers = Writers::start(&[full.endpoint()], RATE, VALUE_SIZE, key, |_| {}).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    let mut new = settings.node(Some(full))?;
    new.wait_until_ready(PATIENCE).await?;
    gathering.add(figure::SERVING, Unit::Seconds, start.elapsed().as_secs_f64());
    let writes = writers.stop().await?.figures().ok_or(ClusterError::Lost)?;
    let equal = wait_until_equal(&[full, &new], PATIENCE).await?;
    gathering.add("then, from the last put until equal roots", Unit::Seconds, equal.as_secs_f64());
    gathering.add("puts meanwhile, p50", Unit::Microseconds, writes.p50);
    gathering.add("puts meanwhile, p99", Unit::Microseconds, writes.p99);
    for (name, node) in [("the full node", full), ("the new node", &new)] {
        let resident = node.resident_bytes().map_or(0.0, float);
        gathering.add(format!("resident memory of {name}"), Unit::Bytes, resident);
    }
    note(&format!("  {}", new.traffic().await?.in_words()));
    Ok(new)
}
