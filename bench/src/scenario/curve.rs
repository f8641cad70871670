//! All servers over a range of points.

use super::{
    ScenarioError, Section, Settings, Turn, comparison::filled_with_bare, interleave, workload,
};
use crate::{
    console::note,
    load,
    number::{float, grouped},
    results::Operation,
    server::Fleet,
    target::{Endpoint, Protocol},
};

/// The numbers of connections.
const CONNECTIONS: [usize; 5] = [1, 4, 16, 64, 256];

/// Keys while connections vary.
const KEYS: u64 = 100_000;

/// The numbers of keys.
const KEY_COUNTS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// Connections while keys vary.
const CONNECTIONS_OVER_KEYS: usize = 64;

const WRITERS: [Protocol; 5] =
    [Protocol::Kvs, Protocol::Redis, Protocol::EtcdGrpc, Protocol::EtcdGateway, Protocol::Nats];

const READERS: [Protocol; 6] = [
    Protocol::Kvs,
    Protocol::Bare,
    Protocol::Redis,
    Protocol::EtcdGrpc,
    Protocol::EtcdGateway,
    Protocol::Nats,
];

/// The gateway is left out where keys vary, since it is the same store as etcd over gRPC.
const STORES: [Protocol; 4] = [Protocol::Kvs, Protocol::Redis, Protocol::EtcdGrpc, Protocol::Nats];

/// The most keys for NATS, which has no batches to fill a million durably in reasonable time.
const MOST_KEYS_OF_NATS: u64 = 100_000;

pub(super) async fn over_connections(settings: &Settings) -> Result<Section, ScenarioError> {
    let fleet = filled_with_bare(settings, &workload(KEYS, 100, 1)).await?;
    let asked = format!("puts and reads of 256 B over 1 to 256 connections, {KEYS} keys");
    let mut section = settings.section(asked, &settings.disk, &fleet);
    for connections in CONNECTIONS {
        let turns = both(settings, &fleet, &WRITERS, &READERS, KEYS, connections);
        let turns: Vec<Turn> = turns.map(|turn| at(turn, connections as u64)).collect();
        interleave(settings, &turns, None, &mut section).await?;
    }
    fleet.stop().await;
    Ok(section)
}

pub(super) async fn over_keys(settings: &Settings) -> Result<Section, ScenarioError> {
    let fleet = Fleet::start(&STORES, &settings.programs, &settings.disk).await;
    let asked = format!(
        "puts and reads of 256 B over {CONNECTIONS_OVER_KEYS} connections, 1,000 to 1,000,000 keys"
    );
    let mut section = settings.section(asked, &settings.disk, &fleet);
    let mut filled = 0;
    for keys in KEY_COUNTS {
        let stores = stores_for(keys);
        grow(&fleet.endpoints(&stores), filled, keys).await?;
        filled = keys;
        let turns = both(settings, &fleet, &stores, &stores, keys, CONNECTIONS_OVER_KEYS);
        let turns: Vec<Turn> = turns.map(|turn| at(turn, keys)).collect();
        interleave(settings, &turns, None, &mut section).await?;
    }
    fleet.stop().await;
    Ok(section)
}

fn stores_for(keys: u64) -> Vec<Protocol> {
    let able = |store: &Protocol| *store != Protocol::Nats || keys <= MOST_KEYS_OF_NATS;
    STORES.into_iter().filter(able).collect()
}

async fn grow(endpoints: &[Endpoint], from: u64, to: u64) -> Result<(), ScenarioError> {
    for &endpoint in endpoints {
        note(&format!("  {} keys into {}", grouped(float(to)), endpoint.protocol.name()));
        load::fill(endpoint, &workload(to, 0, 1), from..to).await?;
    }
    Ok(())
}

fn both<'a>(
    settings: &'a Settings,
    fleet: &'a Fleet,
    writers: &[Protocol],
    readers: &[Protocol],
    keys: u64,
    connections: usize,
) -> impl Iterator<Item = Turn> + 'a {
    let turn = move |operation, reads| {
        move |endpoint| {
            let load = settings.load(endpoint, workload(keys, reads, 1), connections);
            Turn { operation, point: 0, load }
        }
    };
    let puts = fleet.endpoints(writers).into_iter().map(turn(Operation::Put, 0));
    puts.chain(fleet.endpoints(readers).into_iter().map(turn(Operation::Get, 100)))
}

fn at(turn: Turn, point: u64) -> Turn {
    Turn { point, ..turn }
}
