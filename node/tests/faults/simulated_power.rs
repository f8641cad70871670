//! A disk whose power can be cut: `tests/power/` of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Home;

/// The shim to run a node under, and the tool that takes away what was not synced.
#[derive(Debug)]
pub(crate) struct Power {
    shim: PathBuf,
    data: PathBuf,
    state: PathBuf,
}

impl Power {
    /// Power for the data directory of `home`; says why there is none where it cannot be built.
    pub(crate) fn of(home: &Home) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/power-shim");
        let built = Command::new(script).output().unwrap();
        if !built.status.success() {
            println!("skipped: {}", String::from_utf8_lossy(&built.stderr).trim());
            return None;
        }
        let shim = PathBuf::from(String::from_utf8(built.stdout).unwrap().trim());
        let state = home.folder().join("power");
        fs::create_dir(&state).unwrap();
        Some(Self { shim, data: home.data(), state })
    }

    /// Has a command run on the disk.
    pub(crate) fn connect(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.shim);
        command.env("KVS_POWER_DIR", &self.data).env("KVS_POWER_STATE", &self.state);
    }

    /// Takes away what was not synced: all of it, or with a seed a random part.
    pub(crate) fn cut(&self, seed: Option<u64>) {
        let mut command = Command::new(self.shim.with_file_name("power-cut"));
        command.arg(&self.data).arg(&self.state).args(seed.map(|seed| seed.to_string()));
        let output = command.output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the power cannot be cut: {complaint}");
    }
}
