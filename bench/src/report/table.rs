//! Markdown tables.

use std::fmt::Write;

/// A table.
pub(super) struct Table {
    text: String,
}

impl Table {
    /// A table whose columns hold text.
    pub(super) fn of_text<const N: usize>(heads: [&str; N]) -> Self {
        Self::new(heads, "---")
    }

    /// A table whose first column is text and whose others are figures.
    pub(super) fn of_figures<const N: usize>(heads: [&str; N]) -> Self {
        Self::new(heads, "---:")
    }

    fn new<const N: usize>(heads: [&str; N], others: &'static str) -> Self {
        let mut rule = vec!["---"];
        rule.resize(N, others);
        let mut table = Self { text: String::new() };
        table.row(heads.map(str::to_owned));
        table.row(rule.into_iter().map(str::to_owned));
        table
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
        writeln!(self.text, "| {} |", cells.join(" | ")).ok();
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}
