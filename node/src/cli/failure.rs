//! How a command fails: what it says, and with which exit code.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use kvs_client::ClientError;
use kvs_client::cluster_file::{FileError, RingError};

use crate::config::LoadError;
use crate::daemon::{HoldError, NameError, RegistryError};

/// What was asked could not be done.
pub(super) const FAILED: u8 = 1;
/// The command line makes no sense.
pub(super) const USAGE: u8 = 2;
/// The instance that was asked about does not run.
pub(super) const NOT_RUNNING: u8 = 3;
/// The configuration is wrong (`EX_USAGE` of `sysexits.h`).
pub(super) const BAD_CONFIGURATION: u8 = 64;

/// Why a command ends without having done its work.
#[derive(Debug)]
pub(super) enum Failure {
    /// Whoever read our output has seen enough.
    Hangup,
    /// The reason was given already.
    Told(u8),
    /// This is the reason.
    Because {
        /// In a line or a few.
        reason: String,
        /// The exit code.
        code: u8,
    },
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self::because(reason, FAILED)
    }

    pub(super) fn because(reason: impl Into<String>, code: u8) -> Self {
        Self::Because { reason: reason.into(), code }
    }

    /// The error with what lies behind it, in one line.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        Self::new(chain(error))
    }

    /// Says why, and answers the exit code.
    pub(super) fn report(self) -> ExitCode {
        match self {
            Self::Hangup => ExitCode::SUCCESS,
            Self::Told(code) => ExitCode::from(code),
            Self::Because { reason, code } => {
                // Nobody is left to tell.
                let _ = writeln!(io::stderr(), "kvs: {reason}");
                ExitCode::from(code)
            }
        }
    }
}

/// An error and its root cause in one line. What lies between would tell of our libraries.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    if let Some(root) = causes.last().map(ToString::to_string)
        && !text.contains(&root)
    {
        text = format!("{text}: {root}");
    }
    text
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Hangup,
            _ => Self::of(&error),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let mut reason = chain(&error);
        if matches!(error, ClientError::Connect { .. }) {
            reason.push_str("; is a node running there? (`kvs status`, --server)");
        }
        Self::new(reason)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::because(chain(&error), BAD_CONFIGURATION)
    }
}

macro_rules! failed {
    ($($error:ty),+) => {
        $( impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(&error)
            }
        } )+
    };
}

failed!(NameError, RegistryError, HoldError, FileError, RingError, serde_json::Error);
