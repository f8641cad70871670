//! The log: text for people or JSON for collectors, at a level that can change while it is written.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;

use kvs_config::{LogFormat, LogLevel};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, reload};

/// What our own crates' events begin with.
const OURS: &str = "kvs";

/// Where the log goes.
#[derive(Debug)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file, at its end.
    File(File),
}

impl Destination {
    /// Opens a log file to go on at its end; makes its folder if need be.
    ///
    /// # Errors
    ///
    /// It cannot be made or opened.
    pub fn append_to(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        OpenOptions::new().append(true).create(true).open(path).map(Self::File)
    }

    fn is_terminal(&self) -> bool {
        matches!(self, Self::Stdout) && io::stdout().is_terminal()
    }

    fn into_writer(self) -> BoxMakeWriter {
        match self {
            Self::Stdout => BoxMakeWriter::new(io::stdout),
            Self::File(file) => BoxMakeWriter::new(Arc::new(file)),
        }
    }
}

/// A hold on the running log.
#[derive(Clone, Debug)]
pub struct Logging(reload::Handle<Targets, Registry>);

/// Begins to log. Once per process: what logs already stays, and this is then without effect.
pub fn start(level: LogLevel, format: LogFormat, to: Destination) -> Logging {
    let (filter, handle) = reload::Layer::new(targets(level));
    let colour = to.is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_ansi(colour).with_writer(to.into_writer());
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // A second start within one process, as in tests, leaves the first one's log.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    Logging(handle)
}

impl Logging {
    /// Changes the level of what follows.
    pub fn set_level(&self, level: LogLevel) {
        // It fails only if nothing logs any more.
        let _ = self.0.reload(targets(level));
    }
}

/// Our own events at `level`; those of libraries only where they warn, unless all is asked for.
fn targets(level: LogLevel) -> Targets {
    let ours = filter(level);
    let others = if level == LogLevel::Trace { ours } else { ours.min(LevelFilter::WARN) };
    Targets::new().with_default(others).with_target(OURS, ours)
}

const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_are_quieter_than_we_are() {
        let info = targets(LogLevel::Info);
        assert!(info.would_enable("kvs_node::node", &Level::INFO));
        assert!(!info.would_enable("hyper", &Level::INFO));
        assert!(info.would_enable("hyper", &Level::WARN));
        assert!(!targets(LogLevel::Error).would_enable("hyper", &Level::WARN));
        assert!(targets(LogLevel::Trace).would_enable("hyper", &Level::TRACE));
    }
}
