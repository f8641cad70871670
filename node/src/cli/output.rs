//! What commands print: lines for people, or one JSON object a line for programs.

use std::fmt;
use std::io::{self, Write as _};

use serde::Serialize;

use super::Done;

/// Prints a line.
pub(super) fn line(text: impl fmt::Display) -> Done {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Prints a value as one line of JSON.
pub(super) fn json(value: &impl Serialize) -> Done {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    bytes(&line)
}

/// Prints bytes as they are.
pub(super) fn bytes(bytes: &[u8]) -> Done {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Tells people what goes on, beside the output.
pub(super) fn notice(text: impl fmt::Display) {
    // Where nobody listens, nothing is lost.
    let _ = writeln!(io::stderr().lock(), "kvs: {text}");
}

/// Rows of text in columns that are as wide as they must be.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.map(str::to_owned).to_vec()] }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(super) fn print(&self) -> Done {
        line(self.to_string().trim_end())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let length = |row: &Vec<String>, at: usize| row.get(at).map_or(0, |s| s.chars().count());
        let widths: Vec<_> = (0..columns)
            .map(|at| self.rows.iter().map(|row| length(row, at)).max().unwrap_or(0))
            .collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}
