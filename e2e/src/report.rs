//! The table of what was seen.

use std::fmt::Write as _;
use std::path::Path;

use crate::failure::Failure;
use crate::machine;
use crate::scenario::{Row, Scenario};
use crate::site::Site;

/// Writes the table.
///
/// # Errors
///
/// The file cannot be written.
pub(crate) async fn write(path: &Path, on: &str, site: &Site, rows: &[Row]) -> Result<(), Failure> {
    let commit = machine::run(Path::new("git"), &["rev-parse", "--short=12", "HEAD"]).await;
    let version = site.version().await?;
    let mut text = format!(
        "# Scenarios on a real Kubernetes\n\nMade by `make e2e`; do not edit. Commit {}, \
         Kubernetes {version}, on {on}.\n\n| scenario | bar | | seconds | seen |\n| --- | --- | \
         --- | ---: | --- |\n",
        commit.as_deref().unwrap_or("unknown").trim(),
    );
    for row in rows {
        let (result, seen) = match &row.outcome {
            Ok(seen) => ("passed", seen.clone()),
            Err(failure) => ("**failed**", failure.to_string()),
        };
        let (result, seconds) = match &row.not_run {
            Some(_) => ("not run", String::new()),
            None => (result, format!("{:.0}", row.took.as_secs_f64())),
        };
        let seen = row.not_run.clone().unwrap_or(seen).replace('\n', " ").replace('|', "\\|");
        let Scenario { name, bar, .. } = row.scenario;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {name} | {bar} | {result} | {seconds} | {seen} |");
    }
    Ok(std::fs::write(path, text)?)
}
