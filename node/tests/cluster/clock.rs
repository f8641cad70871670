//! Clocks that a test sets.

use std::fs;
use std::path::PathBuf;

use crate::site::Home;

/// A home whose clock a test sets.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) home: Home,
    file: PathBuf,
}

impl Clock {
    pub(crate) fn of(home: Home) -> Self {
        let file = home.beside_data("offset");
        let home = home.told(format!("--clock-offset={}", file.display()));
        Self { home, file }
    }

    /// Puts the clock ahead by so many milliseconds; as a whole, so that nobody reads a half.
    pub(crate) fn set(&self, ahead: i64) {
        let whole = self.file.with_extension("new");
        fs::write(&whole, ahead.to_string()).unwrap();
        fs::rename(whole, &self.file).unwrap();
    }
}
