//! All servers at one point.

use std::path::Path;

use super::{ScenarioError, Section, Settings, Turn, fill_all, interleave, sample, workload};
use crate::{
    results::Operation,
    server::Fleet,
    target::{Endpoint, Protocol},
    workload::Workload,
};

/// Connections of the comparisons of single requests.
const CONNECTIONS: usize = 64;

/// Connections that send batches.
const BATCH_CONNECTIONS: usize = 8;

/// Puts in a batch.
const BATCH: usize = 100;

/// Keys that puts and reads fall on.
const KEYS: u64 = 100_000;

/// Keys that batches fall on.
const BATCH_KEYS: u64 = 1_000_000;

const STORES: [Protocol; 5] =
    [Protocol::Kvs, Protocol::Redis, Protocol::EtcdGrpc, Protocol::EtcdGateway, Protocol::Nats];

const READERS: [Protocol; 6] = [
    Protocol::Kvs,
    Protocol::Bare,
    Protocol::Redis,
    Protocol::EtcdGrpc,
    Protocol::EtcdGateway,
    Protocol::Nats,
];

const GUARDED: [Protocol; 2] = [Protocol::Kvs, Protocol::KvsGuarded];

/// NATS has no batches.
const BATCHERS: [Protocol; 3] = [Protocol::Kvs, Protocol::Redis, Protocol::EtcdGrpc];

pub(super) async fn put_on_disk(settings: &Settings) -> Result<Section, ScenarioError> {
    put(settings, &settings.disk).await
}

pub(super) async fn put_in_memory(settings: &Settings) -> Result<Section, ScenarioError> {
    put(settings, &settings.tmpfs).await
}

async fn put(settings: &Settings, place: &Path) -> Result<Section, ScenarioError> {
    let fleet = Fleet::start(&STORES, &settings.programs, place).await;
    let asked = format!("durable puts of 256 B over {CONNECTIONS} connections, {KEYS} keys");
    let mut section = settings.section(asked, place, &fleet);
    let load = |endpoint| settings.load(endpoint, workload(KEYS, 0, 1), CONNECTIONS);
    let turns = turns(&fleet.endpoints(&STORES), Operation::Put, CONNECTIONS, load);
    interleave(settings, &turns, Some(place), &mut section).await?;
    fleet.stop().await;
    Ok(section)
}

pub(super) async fn get(settings: &Settings) -> Result<Section, ScenarioError> {
    let (place, reads) = (&settings.disk, workload(KEYS, 100, 1));
    let fleet = filled_with_bare(settings, &reads).await?;
    let asked = format!("reads of 256 B over {CONNECTIONS} connections, {KEYS} keys");
    let mut section = settings.section(asked, place, &fleet);
    let load = |endpoint| settings.load(endpoint, reads.clone(), CONNECTIONS);
    let turns = turns(&fleet.endpoints(&READERS), Operation::Get, CONNECTIONS, load);
    interleave(settings, &turns, None, &mut section).await?;
    fleet.stop().await;
    Ok(section)
}

/// All stores with their keys, and the bare handler with what KVS answers.
pub(super) async fn filled_with_bare(
    settings: &Settings,
    workload: &Workload,
) -> Result<Fleet, ScenarioError> {
    let place = &settings.disk;
    let mut fleet = Fleet::start(&STORES, &settings.programs, place).await;
    fill_all(&fleet.endpoints(&STORES), workload).await?;
    let answer = sample(&fleet, workload).await?;
    fleet.add_bare(&settings.programs, place, &answer).await;
    Ok(fleet)
}

pub(super) async fn batch(settings: &Settings) -> Result<Section, ScenarioError> {
    let place = &settings.disk;
    let fleet = Fleet::start(&BATCHERS, &settings.programs, place).await;
    let asked = format!(
        "batches of {BATCH} durable puts of 256 B over {BATCH_CONNECTIONS} connections, \
         {BATCH_KEYS} keys (`_batch`, Redis `MSET`, an etcd transaction)"
    );
    let mut section = settings.section(asked, place, &fleet);
    let load =
        |endpoint| settings.load(endpoint, workload(BATCH_KEYS, 0, BATCH), BATCH_CONNECTIONS);
    let turns = turns(&fleet.endpoints(&BATCHERS), Operation::Batch, BATCH_CONNECTIONS, load);
    interleave(settings, &turns, Some(place), &mut section).await?;
    fleet.stop().await;
    Ok(section)
}

/// KVS with all off and with all on, reads and puts.
pub(super) async fn guarded(settings: &Settings) -> Result<Section, ScenarioError> {
    let place = &settings.disk;
    let fleet = Fleet::start(&GUARDED, &settings.programs, place).await;
    let endpoints = fleet.endpoints(&GUARDED);
    fill_all(&endpoints, &workload(KEYS, 0, 1)).await?;
    let asked = format!(
        "durable puts and reads of 256 B over {CONNECTIONS} connections, {KEYS} keys, with \
         authentication, modes, limits of rates and the tamper-evident log off and on"
    );
    let mut section = settings.section(asked, place, &fleet);
    let load =
        |reads| move |endpoint| settings.load(endpoint, workload(KEYS, reads, 1), CONNECTIONS);
    let mut all = turns(&endpoints, Operation::Put, CONNECTIONS, load(0));
    all.extend(turns(&endpoints, Operation::Get, CONNECTIONS, load(100)));
    interleave(settings, &all, Some(place), &mut section).await?;
    fleet.stop().await;
    Ok(section)
}

fn turns(
    endpoints: &[Endpoint],
    operation: Operation,
    connections: usize,
    load: impl Fn(Endpoint) -> crate::load::Load,
) -> Vec<Turn> {
    let point = connections as u64;
    endpoints.iter().map(|&endpoint| Turn { operation, point, load: load(endpoint) }).collect()
}
