//! Results for tests, with round numbers.

use std::collections::BTreeMap;

use super::{About, Measurement, Operation, Origin, Reading, Section, Unit};
use crate::{latency::Latency, load::Figures, machine::Machine, server::LeftOut, target::Protocol};

/// Ours 900, 1,000 and 1,100 a second; the bare handler 1,000; etcd 500; NATS left out.
pub(crate) fn section() -> Section {
    Section {
        origin: origin(),
        machine: machine(),
        filesystem: "ext4 on /dev/vda".into(),
        rounds: 3,
        seconds: 4.0,
        threads: 1,
        asked: "reads of 256 B over 64 connections".into(),
        servers: vec![About {
            name: "KVS".into(),
            version: "kvs 0.1.0".into(),
            settings: "`durability: sync`".into(),
        }],
        left_out: vec![LeftOut { name: "NATS".into(), reason: "there is no Go compiler".into() }],
        measurements: vec![
            measurement(Protocol::Kvs, 64, &[900.0, 1_000.0, 1_100.0]),
            measurement(Protocol::Bare, 64, &[1_000.0, 1_000.0, 1_000.0]),
            measurement(Protocol::EtcdGrpc, 64, &[500.0, 500.0, 500.0]),
        ],
        syncs: vec![],
        memory: vec![],
        readings: vec![Reading {
            name: "bytes of nothing".into(),
            unit: Unit::Bytes,
            rounds: vec![100.0, 90.0, 1_100.0],
        }],
        keys: None,
        load_average: Some(0.25),
    }
}

pub(crate) fn measurement(protocol: Protocol, point: u64, rates: &[f64]) -> Measurement {
    let rounds = rates.iter().map(|&rate| figures(rate)).collect();
    Measurement { protocol, operation: Operation::Get, point, rounds }
}

/// A p99 of 2 ms at 1,000 requests a second, less at more.
fn figures(rate: f64) -> Figures {
    let p99 = 2_000_000.0 / rate;
    let latency =
        Latency { count: 10, p50: p99 / 2.0, p90: p99 / 1.5, p99, p999: p99 * 2.0, max: p99 * 3.0 };
    Figures {
        requests_per_second: rate,
        keys_per_second: rate,
        reads: Some(latency),
        writes: Some(latency),
        errors: 0,
        first_error: None,
        given_up: 0,
    }
}

fn origin() -> Origin {
    Origin {
        command: "kvs-bench run".into(),
        date: "2026-01-02 03:04 UTC".into(),
        commit: "0123456789abcdef".into(),
        changed: false,
        covers: BTreeMap::new(),
    }
}

fn machine() -> Machine {
    Machine {
        cpu: "A processor".into(),
        cores: 2,
        memory: "24.00 GiB".into(),
        kernel: "6.1".into(),
        system: "Debian".into(),
    }
}
