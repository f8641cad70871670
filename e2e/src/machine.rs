//! Commands on this machine, and on those of the cluster where they can be reached.

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;

/// Whether a program is on the path.
pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Runs a command and gives its output.
///
/// # Errors
///
/// It cannot be run, or says that it failed.
pub(crate) async fn run(program: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new(program);
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("{} {}: {said}", program.display(), arguments.join(" "))))
}
