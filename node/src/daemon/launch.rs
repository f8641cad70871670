//! Starting an instance in the background and waiting until it is ready.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use thiserror::Error;

use super::InstanceName;

/// A started instance.
#[derive(Clone, Debug)]
pub struct Launched {
    /// Its process.
    pub pid: u32,
    /// What it said when it was ready.
    pub greeting: String,
}

/// Why an instance did not start.
#[derive(Debug, Error)]
pub enum LaunchError {
    /// The program could not be run.
    #[error("cannot run {program}", program = .program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The instance ended before it was ready.
    #[error("{said}")]
    Ended {
        /// What it said of the reason.
        said: String,
        /// Its exit code; nothing if a signal ended it.
        code: Option<u8>,
    },
}

/// Starts `program run CONFIG --instance NAME` and waits until it is ready.
///
/// The instance says so on its standard output, which it then closes, as it closes its standard
/// error: from then on it writes to its log alone. So the two ends of the pipes tell everything,
/// and nobody has to ask again and again. It sees a pipe in any case, so it is told whether what it
/// says goes on `to_a_person`, or to what may keep it, such as a file.
///
/// # Errors
///
/// It ended before it was ready: its own words and exit code.
pub fn launch(
    program: &Path,
    config: &Path,
    name: &InstanceName,
    to_a_person: bool,
) -> Result<Launched, LaunchError> {
    let failed = |source| LaunchError::Spawn { program: program.to_owned(), source };
    let mut command = Command::new(program);
    command.arg("run").arg(config).args(["--instance", name.as_str()]);
    command.args(to_a_person.then_some("--to-a-person"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let greeting = read_all(child.stdout.take()).map_err(failed)?;
    if !greeting.is_empty() {
        return Ok(Launched { pid: child.id(), greeting });
    }
    let said = read_all(child.stderr.take()).map_err(failed)?;
    let status = child.wait().map_err(failed)?;
    Err(ended(&said, status))
}

fn read_all(pipe: Option<impl io::Read>) -> io::Result<String> {
    let mut bytes = Vec::new();
    pipe.map(|mut pipe| pipe.read_to_end(&mut bytes)).transpose()?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn ended(said: &str, status: ExitStatus) -> LaunchError {
    let said = said.trim();
    let said = if said.is_empty() { format!("it ended at once: {status}") } else { said.into() };
    LaunchError::Ended { said, code: status.code().and_then(|code| u8::try_from(code).ok()) }
}
