//! The lines of an import, and how far it is.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use indicatif::ProgressBar;

use super::counts::Counts;
use crate::cli::{Failure, output, progress};

/// Lines with their numbers.
pub(super) struct Source {
    lines: Box<dyn BufRead>,
    name: String,
    text: String,
    number: u64,
    read: u64,
    bar: ProgressBar,
    knows_end: bool,
}

impl Source {
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path.filter(|path| *path != Path::new("-")) {
            None => Ok(Self::new(Box::new(io::stdin().lock()), "standard input", None)),
            Some(path) => {
                let name = path.display().to_string();
                let failed = |error| Failure::new(format!("cannot read {name}: {error}"));
                let file = File::open(path).map_err(failed)?;
                let length = file.metadata().ok().map(|metadata| metadata.len());
                let length = length.filter(|length| *length > 0);
                Ok(Self::new(Box::new(BufReader::new(file)), &name, length))
            }
        }
    }

    fn new(lines: Box<dyn BufRead>, name: &str, length: Option<u64>) -> Self {
        let bar = length.map_or_else(progress::count, progress::bytes);
        let (name, knows_end) = (name.to_owned(), length.is_some());
        Self { lines, name, text: String::new(), number: 0, read: 0, bar, knows_end }
    }

    /// The next line that is not empty, with its number.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &str)>, Failure> {
        loop {
            self.text.clear();
            self.number += 1;
            let length = self.lines.read_line(&mut self.text).map_err(|error| {
                Failure::new(format!("cannot read line {} of {}: {error}", self.number, self.name))
            })?;
            self.read += length as u64;
            if length == 0 {
                return Ok(None);
            }
            if !self.text.trim().is_empty() {
                return Ok(Some((self.number, self.text.trim())));
            }
        }
    }

    pub(super) fn show(&self, counts: &Counts) {
        if self.knows_end {
            self.bar.set_position(self.read);
            self.bar.set_message(counts.total().to_string());
        } else {
            self.bar.set_position(counts.total());
        }
    }

    /// Says something without tearing the bar.
    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| output::notice(text));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
