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
    /// Those that are not printed yet.
    rows: Vec<Vec<String>>,
    /// Of the columns in rows that were printed.
    widths: Vec<usize>,
}

impl Table {
    pub(super) fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.map(str::to_owned).to_vec()], widths: vec![0; N] }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(super) fn print(&self) -> Done {
        line(self.to_string().trim_end())
    }

    /// Prints the rows so far, if there are any: of a table that comes page by page no more than one is
    /// in memory. Columns do not become narrower again.
    pub(super) fn print_page(&mut self) -> Done {
        self.take_page().map_or(Ok(()), |page| line(page.trim_end()))
    }

    fn take_page(&mut self) -> Option<String> {
        let page = (!self.rows.is_empty()).then(|| self.to_string());
        self.widths = self.widths();
        self.rows.clear();
        page
    }

    fn widths(&self) -> Vec<usize> {
        let length = |row: &Vec<String>, at: usize| row.get(at).map_or(0, |s| s.chars().count());
        let columns = self.widths.iter().enumerate();
        columns
            .map(|(at, before)| {
                self.rows.iter().map(|row| length(row, at)).fold(*before, usize::max)
            })
            .collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_printed_page_by_page_keeps_its_columns_and_no_rows() {
        let mut table = Table::new(["A", "B"]);
        table.row(["long".to_owned(), "x".to_owned()]);
        assert_eq!(table.take_page().as_deref(), Some("A     B\nlong  x\n"));
        assert_eq!(table.take_page(), None);
        table.row(["y".to_owned(), "z".to_owned()]);
        assert_eq!(table.take_page().as_deref(), Some("y     z\n"));
    }
}
