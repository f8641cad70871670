//! What a run showed of the bars, for people and for whoever keeps evidence.

use std::{io, path::PathBuf};

use crate::{
    bar::{Verdict, bars_of},
    console::answer,
    results::{Section, write_json},
    scenario::Scenario,
};

/// Holds the bars of a scenario against what was just measured, and says how each came out.
pub fn judge(scenario: Scenario, section: &Section) -> Vec<Verdict> {
    let verdicts: Vec<Verdict> = bars_of(scenario).map(|bar| bar.judge(Some(section))).collect();
    for verdict in &verdicts {
        let mark = if verdict.is_met() { "met" } else { "NOT met" };
        answer(&format!("{mark}: {}: {}", verdict.bar, verdict.measured));
    }
    verdicts
}

/// Writes the verdicts of a whole run to the file named by `KVS_FIGURE`, if it is set.
///
/// # Errors
///
/// The file cannot be written.
pub fn tell(verdicts: &[Verdict]) -> io::Result<()> {
    let file = std::env::var_os("KVS_FIGURE").map(PathBuf::from);
    file.map_or(Ok(()), |file| write_json(&file, &verdicts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture;

    #[test]
    fn each_bar_of_a_scenario_has_a_verdict_from_its_figures() {
        let verdicts = judge(Scenario::Get, &fixture::section());
        assert_eq!(verdicts.len(), bars_of(Scenario::Get).count());
        assert!(verdicts.iter().all(Verdict::is_met), "{verdicts:?}");
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let mut section = fixture::section();
        section.measurements.clear();
        assert!(!judge(Scenario::Get, &section).iter().any(Verdict::is_met));
    }
}
