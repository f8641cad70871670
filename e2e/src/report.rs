//! The table of what was seen. A run of some scenarios replaces their rows and leaves the others.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::failure::Failure;
use crate::machine;
use crate::scenario::{self, Row, Scenario};
use crate::site::Site;

const HEAD: &str = "# Scenarios on a real Kubernetes\n\nMade by `make e2e`; do not edit. Each row tells \
                    on which commit it ran, and on which Kubernetes.\n\n| scenario | bar | | seconds \
                    | seen | on |\n| --- | --- | --- | ---: | --- | --- |\n";

/// Writes the table.
///
/// # Errors
///
/// The file cannot be written.
pub(crate) async fn write(path: &Path, on: &str, site: &Site, rows: &[Row]) -> Result<(), Failure> {
    let commit = machine::run(Path::new("git"), &["rev-parse", "--short=12", "HEAD"]).await;
    let commit = commit.as_deref().unwrap_or("unknown").trim().to_owned();
    let on = format!("{commit}, {}, {on}", site.version().await?);
    let before = std::fs::read_to_string(path).unwrap_or_default();
    let mut lines = earlier(&before);
    lines.extend(rows.iter().map(|row| (row.scenario.name.to_owned(), line(row, &on))));
    let known = scenario::names().filter_map(|name| lines.get(name).cloned());
    let table: String = known.map(|line| line + "\n").collect();
    Ok(std::fs::write(path, format!("{HEAD}{table}"))?)
}

/// The rows of a table, by scenario.
fn earlier(text: &str) -> BTreeMap<String, String> {
    let rows = text.lines().filter_map(|line| {
        let name = line.strip_prefix("| ")?.split(" |").next()?;
        Some((name.to_owned(), line.to_owned()))
    });
    rows.collect()
}

fn line(row: &Row, on: &str) -> String {
    let (result, seen) = match &row.outcome {
        Ok(seen) if row.shortened => ("shortened: not passed", seen.clone()),
        Ok(seen) => ("passed", seen.clone()),
        Err(failure) => ("**failed**", failure.to_string()),
    };
    let Scenario { name, bar, .. } = row.scenario;
    let mut text = format!("| {name} | {bar} |");
    let seen = row.not_run.clone().unwrap_or(seen).replace('\n', " ").replace('|', "\\|");
    // Writing to a String cannot fail.
    let _ = match &row.not_run {
        Some(_) => write!(text, " not run | | {seen} | |"),
        None => write!(text, " {result} | {:.0} | {seen} | {on} |", row.took.as_secs_f64()),
    };
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_ran_for_less_than_the_bar_says_has_not_passed_it() {
        let scenario = scenario::choose(&["silence".into()], true).unwrap()[0];
        let (outcome, took) = (Ok("nothing".to_owned()), Duration::ZERO);
        let mut row = Row { scenario, outcome, not_run: None, shortened: true, took };
        assert!(line(&row, "here").contains("| shortened: not passed | 0 | nothing |"));
        row.shortened = false;
        assert!(line(&row, "here").contains("| passed | 0 | nothing |"));
    }

    #[test]
    fn rows_of_earlier_runs_are_found_by_their_scenario() {
        let table = format!("{HEAD}| drain | a bar | passed | 7 | all | here |\n");
        let rows = earlier(&table);
        assert_eq!(rows["drain"], "| drain | a bar | passed | 7 | all | here |");
    }
}
