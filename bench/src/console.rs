//! What the benchmark says while it works.

use std::{
    error::Error,
    io::{self, Write},
};

/// Tells the person at the terminal what happens; a closed terminal is no reason to stop.
pub fn note(line: &str) {
    writeln!(io::stderr().lock(), "{line}").ok();
}

/// Writes a result, which somebody may have asked to be piped elsewhere.
pub fn answer(line: &str) {
    writeln!(io::stdout().lock(), "{line}").ok();
}

/// An error with all its causes, in one line.
pub fn in_full(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
