//! The report: a Markdown page and its plots, all of it made from results.

use std::{fs, io, path::Path};

use crate::results::Results;

mod chart;
mod page;
mod plots;
mod table;

/// The page below the folder of documents.
const PAGE: &str = "benchmarks.md";

/// The folder of plots beside the page.
const PLOTS: &str = "benchmarks";

/// Writes the page and its plots into the folder of documents.
pub fn write(results: &Results, docs: &Path) -> io::Result<()> {
    let plots = plots::draw(results);
    fs::create_dir_all(docs.join(PLOTS))?;
    for plot in &plots {
        fs::write(docs.join(PLOTS).join(plot.file_name()), &plot.svg)?;
    }
    fs::write(docs.join(PAGE), page::render(results, &plots))
}

#[cfg(test)]
mod tests;
