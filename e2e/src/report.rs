//! The table of what was seen. A run of some scenarios replaces their rows and leaves the others.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::failure::Failure;
use crate::machine;
use crate::scenario::{self, Row, Scenario};
use crate::site::Site;

const HEAD: &str = "# Scenarios on a real Kubernetes\n\nMade by `make e2e`; do not edit. Each row tells \
                    on which commit it ran, and on which Kubernetes.\n\n| scenario | bar | | seconds \
                    | seen | on |\n| --- | --- | --- | ---: | --- | --- |\n";

const PASSED: &str = "passed";
/// How many characters of what was seen fit beside the rest.
const SEEN: usize = 100;

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
    let known: Vec<&String> = scenario::names().filter_map(|name| lines.get(name)).collect();
    let seconds = known.iter().filter_map(|line| seconds(line)).sum();
    let all = minutes(Duration::from_secs(seconds));
    let table = known.into_iter().map(String::as_str).collect::<Vec<_>>().join("\n");
    Ok(std::fs::write(path, format!("{HEAD}{table}\n\nAll rows together: {all}.\n"))?)
}

/// How long the scenario of a row took.
fn seconds(row: &str) -> Option<u64> {
    row.split(" | ").nth(3)?.parse().ok()
}

fn minutes(time: Duration) -> String {
    format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60)
}

/// What came of each, for whoever watches: scenario, result, seconds and the beginning of what was seen; and how
/// long all took.
pub(crate) fn summary(rows: &[Row]) -> String {
    let lines = rows.iter().map(|row| {
        let (result, seen) = told(row);
        let seen: String = seen.chars().take(SEEN).collect();
        let seconds = row.took.as_secs_f64();
        format!("{:18} {result:22} {seconds:5.0} s  {seen}\n", row.scenario.name)
    });
    let all: Duration = rows.iter().map(|row| row.took).sum();
    let passed = rows.iter().filter(|row| told(row).0 == PASSED).count();
    format!("{}{passed} of {} passed, in {}", lines.collect::<String>(), rows.len(), minutes(all))
}

/// The result, and what was seen, on one line.
fn told(row: &Row) -> (&'static str, String) {
    let (result, seen) = match (&row.not_run, &row.outcome) {
        (Some(reason), _) => ("not run", reason.clone()),
        (None, Ok(seen)) if row.shortened => ("shortened: not passed", seen.clone()),
        (None, Ok(seen)) => (PASSED, seen.clone()),
        (None, Err(failure)) => ("**failed**", failure.to_string()),
    };
    (result, seen.replace('\n', " "))
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
    let (result, seen) = told(row);
    let Scenario { name, bar, .. } = row.scenario;
    let mut text = format!("| {name} | {bar} |");
    let seen = seen.replace('|', "\\|");
    // Writing to a String cannot fail.
    let _ = match &row.not_run {
        Some(_) => write!(text, " {result} | | {seen} | |"),
        None => write!(text, " {result} | {:.0} | {seen} | {on} |", row.took.as_secs_f64()),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_for_less_than_the_bar_says_has_not_passed_it() {
        let scenario = scenario::choose(&["silence".into()], true).unwrap()[0];
        let (outcome, took) = (Ok("nothing".to_owned()), Duration::ZERO);
        let mut row = Row { scenario, outcome, not_run: None, shortened: true, took };
        assert!(line(&row, "here").contains("| shortened: not passed | 0 | nothing |"));
        assert!(summary(std::slice::from_ref(&row)).ends_with("0 of 1 passed, in 0 min 0 s"));
        row.shortened = false;
        assert!(line(&row, "here").contains("| passed | 0 | nothing |"));
        assert!(summary(std::slice::from_ref(&row)).ends_with("1 of 1 passed, in 0 min 0 s"));
    }

    #[test]
    fn rows_of_earlier_runs_are_found_by_their_scenario() {
        let table = format!("{HEAD}| drain | a bar | passed | 7 | all | here |\n");
        let rows = earlier(&table);
        assert_eq!(rows["drain"], "| drain | a bar | passed | 7 | all | here |");
        assert_eq!(seconds(&rows["drain"]), Some(7));
        assert_eq!(seconds("| drain | a bar | not run | | no disks | |"), None);
    }
}
