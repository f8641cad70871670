//! Proof that a bar was met, by which code, on which machine.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    bar::{Verdict, bars_of},
    machine::Machine,
    results::{Measurement, Memory, Origin, Reading, Section, write_json},
    scenario::Scenario,
};

/// What is written about one bar.
#[derive(Debug, Serialize)]
struct Evidence<'a> {
    bar: String,
    met: bool,
    #[serde(flatten)]
    origin: &'a Origin,
    machine: &'a Machine,
    filesystem: &'a str,
    rounds: usize,
    seconds: f64,
    verdicts: Vec<Verdict>,
    measurements: &'a [Measurement],
    syncs: &'a [f64],
    memory: &'a [Memory],
    #[serde(skip_serializing_if = "<[Reading]>::is_empty")]
    readings: &'a [Reading],
    load_average: Option<f64>,
}

/// Writes the evidence of a scenario with bars; says where it is and whether all bars are met.
pub fn write(
    scenario: Scenario,
    section: &Section,
    folder: &Path,
) -> io::Result<(PathBuf, Vec<Verdict>)> {
    let verdicts: Vec<Verdict> = bars_of(scenario).map(|bar| bar.judge(Some(section))).collect();
    let file = folder.join(format!("{scenario}.json"));
    let evidence = Evidence {
        bar: scenario.to_string(),
        met: all_met(&verdicts),
        origin: &section.origin,
        machine: &section.machine,
        filesystem: &section.filesystem,
        rounds: section.rounds,
        seconds: section.seconds,
        verdicts: verdicts.clone(),
        measurements: &section.measurements,
        syncs: &section.syncs,
        memory: &section.memory,
        readings: &section.readings,
        load_average: section.load_average,
    };
    write_json(&file, &evidence)?;
    Ok((file, verdicts))
}

/// Whether each was measured and met.
pub fn all_met(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| verdict.met == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture;

    #[test]
    fn evidence_names_bar_commit_and_figures() {
        let folder = tempfile::tempdir().expect("a folder is to be had");
        let (file, verdicts) =
            write(Scenario::Get, &fixture::section(), folder.path()).expect("it is written");
        let text = std::fs::read_to_string(&file).expect("it is there");
        let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        assert!(file.ends_with("get.json"));
        assert_eq!((json["bar"].as_str(), json["met"].as_bool()), (Some("get"), Some(true)));
        assert_eq!(json["commit"], "0123456789abcdef");
        assert_eq!(json["verdicts"].as_array().map(Vec::len), Some(verdicts.len()));
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let mut section = fixture::section();
        section.measurements.clear();
        let folder = tempfile::tempdir().expect("a folder is to be had");
        let (_, verdicts) = write(Scenario::Get, &section, folder.path()).expect("it is written");
        assert!(!all_met(&verdicts));
    }
}
