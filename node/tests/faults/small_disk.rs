//! A file system so small that it can be filled.
//!
//! A tmpfs in a mount namespace of its own: the test runs itself again in there, so that the mount
//! ends with that process, however it ends.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set in the process inside the namespace: the folder to mount over.
const INSIDE: &str = "KVS_SMALL_DISK";

/// Runs `body` with a folder on a fresh disk of `mib` MiB. `test` is the path of the calling test.
/// Where the system does not let us mount, says so and runs nothing.
pub(crate) fn with(test: &str, mib: u32, body: impl FnOnce(&Path)) {
    if let Some(folder) = env::var_os(INSIDE) {
        let folder = PathBuf::from(folder);
        mount(&folder, mib);
        return body(&folder);
    }
    if let Err(reason) = namespaces() {
        println!("skipped: no mount namespace of our own: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let status = inside(&env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, folder.path())
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed on the small disk; what it said is above");
}

fn inside(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "--kill-child", "--fork"]).arg(program);
    command
}

fn namespaces() -> Result<(), String> {
    let output = inside(Path::new("true")).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn mount(folder: &Path, mib: u32) {
    let size = format!("size={mib}m");
    let status =
        Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder).status();
    assert!(status.unwrap().success(), "a tmpfs cannot be mounted on {}", folder.display());
}

/// A file that takes the room that others want. Gone when dropped.
#[derive(Debug)]
pub(crate) struct Ballast {
    path: PathBuf,
    file: File,
}

impl Ballast {
    /// An empty one in a folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let path = folder.join("ballast");
        let file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        Self { path, file }
    }

    /// Takes all room but about `leave` bytes.
    pub(crate) fn fill(&mut self, leave: u64) {
        loop {
            let stat = rustix::fs::fstatvfs(&self.file).unwrap();
            let free = (stat.f_bavail * stat.f_frsize).saturating_sub(leave);
            let step = usize::try_from(free.min(1 << 20)).unwrap();
            match self.file.write(&vec![0; step]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return,
                Err(error) => panic!("{}: {error}", self.path.display()),
            }
        }
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        // The disk goes away with the test; a file left on it harms nobody.
        let _ = fs::remove_file(&self.path);
    }
}
