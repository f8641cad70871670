//! What KVS is like when it has grown.

use std::time::Duration;

use tokio::time::sleep;

use super::{ScenarioError, Section, Settings, measure, no_kvs, workload};
use crate::{
    console::note,
    load::{self, Load},
    machine::resident_bytes,
    number::{bytes, float, grouped},
    results::{Measurement, Memory, Operation},
    scenario::turn::Turn,
    schedule::Pace,
    server::{Fleet, Product},
    target::{Endpoint, Protocol},
    workload::Workload,
};

/// The numbers of keys that are compared.
pub(crate) const KEY_COUNTS: [u64; 2] = [1_000_000, 5_000_000];

const CONNECTIONS: usize = 64;

/// Reads of 100 requests.
const READS: u8 = 50;

/// After filling, what the store still does in the background is not part of the question.
const SETTLING: Duration = Duration::from_secs(10);

pub(super) async fn measure_growth(settings: &Settings) -> Result<Section, ScenarioError> {
    let fleet = Fleet::start(&[Protocol::Kvs], &settings.programs, &settings.disk).await;
    let asked = format!(
        "reads and puts of 256 B, half each, over {CONNECTIONS} connections, in an open loop \
         at half of what a closed loop reaches at 1,000,000 keys"
    );
    let mut section = settings.section(asked, &settings.disk, &fleet);
    let endpoint = fleet.endpoint(Protocol::Kvs).ok_or_else(|| no_kvs(&fleet))?;
    let (mut filled, mut rate) = (0, None);
    for keys in KEY_COUNTS {
        grow(endpoint, filled, keys).await?;
        filled = keys;
        section.memory.extend(memory(&fleet, keys));
        let load = settings.load(endpoint, workload(keys, READS, 1), CONNECTIONS);
        let rate = match rate {
            Some(rate) => rate,
            None => *rate.insert(half_of_capacity(&load).await?),
        };
        let load = Load { pace: Pace::Open(rate), ..load };
        section.measurements.extend(rounds(settings, load, keys).await?);
        section.memory.extend(memory(&fleet, keys));
    }
    fleet.stop().await;
    Ok(section)
}

async fn grow(endpoint: Endpoint, from: u64, to: u64) -> Result<(), ScenarioError> {
    note(&format!("  growing to {} keys", grouped(float(to))));
    let filling: Workload = workload(to, 0, 1);
    load::fill(endpoint, &filling, from..to).await?;
    sleep(SETTLING).await;
    Ok(())
}

async fn half_of_capacity(load: &Load) -> Result<f64, ScenarioError> {
    let capacity = load::run(load).await?.requests_per_second;
    note(&format!("  capacity: {}/s", grouped(capacity)));
    Ok((capacity / 2.0).max(1.0))
}

/// One row of rounds says how reads went and how puts did.
async fn rounds(
    settings: &Settings,
    load: Load,
    keys: u64,
) -> Result<[Measurement; 2], ScenarioError> {
    let turn = Turn { operation: Operation::Get, point: keys, load };
    let mut rounds = Vec::new();
    for round in 0..settings.rounds {
        rounds.push(measure(&turn, round).await?);
    }
    Ok([Operation::Get, Operation::Put].map(|operation| Measurement {
        protocol: Protocol::Kvs,
        operation,
        point: keys,
        rounds: rounds.clone(),
    }))
}

fn memory(fleet: &Fleet, keys: u64) -> Option<Memory> {
    let process = fleet.server(Product::Kvs)?.process()?;
    let resident = resident_bytes(process)?;
    note(&format!("  resident memory: {}", bytes(float(resident))));
    Some(Memory { keys, bytes: resident })
}
