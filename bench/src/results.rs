//! What was measured, kept so that the report can be written again without measuring again.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    load::Figures, machine::Machine, scenario::Scenario, server::LeftOut, stats::Spread,
    target::Protocol,
};

mod origin;
mod reading;

pub use origin::Origin;
pub(crate) use origin::{bench, repository};
pub use reading::{Reading, Unit};

/// The latest results of every scenario; a partial run replaces its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Results {
    /// By scenario.
    pub sections: BTreeMap<Scenario, Section>,
}

/// The results of one scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Section {
    /// By whom and when it was measured.
    pub origin: Origin,
    /// On what.
    pub machine: Machine,
    /// The filesystem that held the data.
    pub filesystem: String,
    /// Rounds, of which medians are taken.
    pub rounds: usize,
    /// Seconds measured in each round for each server.
    pub seconds: f64,
    /// Threads of the load generator.
    pub threads: usize,
    /// What was asked for, in words.
    pub asked: String,
    /// Servers with version and settings.
    pub servers: Vec<About>,
    /// Servers that could not be measured.
    pub left_out: Vec<LeftOut>,
    /// The figures.
    pub measurements: Vec<Measurement>,
    /// Syncs a second of the disk alone, measured in the same rounds.
    pub syncs: Vec<f64>,
    /// Memory of KVS, where it was looked at.
    pub memory: Vec<Memory>,
    /// Figures of clusters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// Keys of a full store, if not as many as bars are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// How busy the machine was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_average: Option<f64>,
}

/// A server as it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its name.
    pub name: String,
    /// What it says its version is.
    pub version: String,
    /// How it was told to run.
    pub settings: String,
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Reads one key.
    Get,
    /// Writes one key.
    Put,
    /// Writes many.
    Batch,
}

/// One server at one point, in all rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measurement {
    /// The server and how it was talked to.
    pub protocol: Protocol,
    /// What was asked.
    pub operation: Operation,
    /// Connections, keys or wrong tokens a second, whichever the scenario varies; else connections.
    pub point: u64,
    /// The figures of each round.
    pub rounds: Vec<Figures>,
}

/// Resident memory of KVS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Keys in it.
    pub keys: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Results {
    /// Those in `file`, or none if there is no such file yet.
    pub fn read(file: &Path) -> io::Result<Self> {
        match fs::read(file) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Into `file`, whose folder is made if need be.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        write_json(file, self)
    }
}

/// Writes JSON that people can read and compare.
pub fn write_json(file: &Path, value: &impl Serialize) -> io::Result<()> {
    fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
    fs::write(file, serde_json::to_string_pretty(value)? + "\n")
}

impl Section {
    /// The measurement of a server at a point.
    pub fn find(
        &self,
        protocol: Protocol,
        operation: Operation,
        point: u64,
    ) -> Option<&Measurement> {
        self.measurements.iter().find(|measurement| {
            (measurement.protocol, measurement.operation, measurement.point)
                == (protocol, operation, point)
        })
    }

    /// The figure of this name, over all rounds.
    pub fn reading(&self, name: &str) -> Option<Spread> {
        self.readings.iter().find(|reading| reading.name == name)?.spread()
    }

    /// The points of an operation, in order.
    pub fn points(&self, operation: Operation) -> Vec<u64> {
        let of_operation = self.measurements.iter().filter(|one| one.operation == operation);
        let mut points: Vec<u64> = of_operation.map(|measurement| measurement.point).collect();
        points.sort_unstable();
        points.dedup();
        points
    }
}

impl Measurement {
    /// Keys a second in each round.
    pub fn throughputs(&self) -> Vec<f64> {
        self.rounds.iter().map(|figures| figures.keys_per_second).collect()
    }

    /// Keys a second.
    pub fn throughput(&self) -> Option<Spread> {
        Spread::of(self.throughputs())
    }

    /// The middle latency in microseconds.
    pub fn p50(&self) -> Option<Spread> {
        Spread::of(self.latencies().map(|latency| latency.p50))
    }

    /// The latency that 1 of 100 requests exceeds, in microseconds.
    pub fn p99(&self) -> Option<Spread> {
        Spread::of(self.latencies().map(|latency| latency.p99))
    }

    /// Requests that failed or were given up, in all rounds.
    pub fn failures(&self) -> u64 {
        self.rounds.iter().map(|figures| figures.errors + figures.given_up).sum()
    }

    fn latencies(&self) -> impl Iterator<Item = crate::latency::Latency> {
        let of_reads = self.operation == Operation::Get;
        self.rounds.iter().filter_map(move |one| if of_reads { one.reads } else { one.writes })
    }
}

#[cfg(test)]
pub(crate) mod fixture;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_survive_a_file() {
        let folder = tempfile::tempdir().expect("a folder is to be had");
        let file = folder.path().join("below/latest.json");
        let mut results = Results::read(&file).expect("no file is no results");
        results.sections.insert(Scenario::Get, fixture::section());
        results.write(&file).expect("it is written");
        let read = Results::read(&file).expect("it is read");
        assert_eq!(read.sections[&Scenario::Get].measurements.len(), 3);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_not_no_results() {
        let file = tempfile::NamedTempFile::new().expect("a file is to be had");
        fs::write(file.path(), "{").expect("it is written");
        assert!(Results::read(file.path()).is_err());
    }

    #[test]
    fn points_are_in_order_and_once() {
        let mut section = fixture::section();
        section.measurements.push(fixture::measurement(Protocol::Nats, 1, &[1.0]));
        assert_eq!(section.points(Operation::Get), [1, 64]);
    }
}
