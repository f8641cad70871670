//! `kvs run`: a node, from its configuration to its last write.

mod background;
mod greeting;
mod reload;

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use kvs_config::{Effective, Settings};
use kvs_core::Format;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::background::Background;
use self::greeting::Greeting;
use self::reload::{Reload, Signals};
use super::flags::SettingFlags;
use super::{Done, Failure};
use crate::config::{self, Environment, Sources};
use crate::logging::{self, Destination};
use crate::node::{Node, Running};
use crate::server::{Server, Tls};
use crate::time::{SystemClock, WallClock, WrongClock};

/// How long a start waits for a node to catch up before it says so.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Run a node in the foreground, with its log on standard output.
///
/// Once ready it prints where it answers, where its data lies and where other nodes reach it; if it
/// is not ready within 10 seconds, what it waits for. Ctrl-C or SIGTERM lets the requests in flight
/// finish and ends it. On SIGHUP, and when the files change, it takes over a new `log_level`,
/// `backup_schedule` and limits of rates, the cluster file and the certificates of `tls` and `peer_tls`; other settings need a restart.
///
/// A relative `data_dir` in the file is taken from the file's folder. Each setting can also be given
/// as an option (all are listed by --help) or as a variable such as `KVS__PORT`; options count most,
/// the file least.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs run                        with config.yaml of this folder, written if it is not there
  kvs run node1.yaml --port 0    on a free port, which it prints
  kvs node1.yaml                 the same as kvs run node1.yaml")]
pub(super) struct Run {
    /// The configuration file; its .yaml may be left out [default: config.yaml]
    config: Option<PathBuf>,

    /// A second file, with settings that change while the node runs, such as `log_level` and `fenced`; it
    /// counts more than the first, and need not be there
    #[arg(long, value_name = "FILE")]
    live: Option<PathBuf>,

    /// Be this instance of `kvs start`: hold its pid file, write to its log
    #[arg(long, hide = true)]
    instance: Option<PathBuf>,

    /// What an instance says when it is ready is shown to a person
    #[arg(long, hide = true, requires = "instance")]
    to_a_person: bool,

    /// Have a clock that is wrong by the milliseconds in this file
    #[arg(long, hide = true)]
    clock_offset: Option<PathBuf>,

    /// Know no later format of versions than this, like an earlier release
    #[arg(long, hide = true, value_parser = known_format)]
    newest_format: Option<Format>,

    #[command(flatten)]
    settings: SettingFlags,
}

/// What hidden options have a node take itself for.
#[derive(Clone)]
struct Guise {
    /// What the time is.
    clock: Arc<dyn WallClock>,
    /// The newest format of versions that it knows.
    newest: Format,
}

fn known_format(number: &str) -> Result<Format, String> {
    let known = number.parse().ok().and_then(Format::of);
    known.ok_or_else(|| format!("a format is a number from 1 to {}", Format::NEWEST.number()))
}

impl Run {
    pub(super) fn run(self, environment: Environment) -> Done {
        let found = config::find(self.config.as_deref())?;
        if found.written {
            tell(greeting::written(&found.path))?;
        }
        let instance = self.instance;
        let (file, live) = (Some(found.path), self.live);
        let sources = Sources { file, live, environment, flags: self.settings.0 };
        let effective = sources.load()?;
        let clock: Arc<dyn WallClock> = match self.clock_offset {
            None => Arc::new(SystemClock),
            Some(offset) => Arc::new(WrongClock(offset)),
        };
        let guise = Guise { clock, newest: self.newest_format.unwrap_or(Format::NEWEST) };
        let Some(name) = instance else { return serve(sources, effective, guise, None) };
        let mut background = Background::enter(&name, &sources, self.to_a_person)?;
        let served = serve(sources, effective, guise, Some(&mut background));
        background.leave()?;
        served
    }
}

/// Runs a node until it is told to stop, on threads of its own.
fn serve(
    sources: Sources,
    effective: Effective,
    guise: Guise,
    background: Option<&mut Background>,
) -> Done {
    let settings = &effective.settings;
    let to = background.as_ref().map_or(Ok(Destination::Stdout), |background| background.log())?;
    let logging = logging::start(settings.log_level, settings.log_format, to);
    let in_background = background.is_some();
    let reload = Reload::new(sources, effective, logging);
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = threads.block_on(run_node(reload, guise, background));
    if let (Err(Failure::Because { reason, .. }), true) = (&served, in_background) {
        tracing::error!(reason, "the node ended");
    }
    served
}

/// Runs the node, and once more from the beginning whenever it must start over.
async fn run_node(mut reload: Reload, guise: Guise, background: Option<&mut Background>) -> Done {
    let mut signals = Signals::new()?;
    let mut background = background;
    let mut told = false;
    loop {
        if background.is_some() && reload.is_fenced() {
            return Err(Failure::new("this node is held down: take its name out of `fenced`"));
        }
        if signals.hold(&mut reload).await.is_some() {
            return Ok(());
        }
        let settings = reload.settings().clone();
        // The port comes first: where it is taken, nothing else need be touched.
        let server = Server::bind(&settings).map_err(|error| Failure::new(error.to_string()))?;
        let tls = Tls::load(&settings.tls).map_err(|error| Failure::of(&error))?;
        reload.set_tls(tls.clone());
        let server = server.with_tls(tls);
        let greeting = Greeting::new(&settings, server.scheme(), server.local_addr());
        let running = start(settings.clone(), guise.clone(), &server)?;
        let shutdown = CancellationToken::new();
        let serving = running.node.spawn(server.serve(running.node.clone(), shutdown.clone()));
        let until = serve_until(
            &running.node,
            serving,
            &shutdown,
            signals.attend(&mut reload, &running.node),
        );
        let telling = greet(&running.node, &greeting, &settings, background.as_deref_mut());
        let ended = greet_and_serve(&mut told, telling, until).await;
        shutdown.cancel();
        stop(running).await?;
        if ended? == Ended::ForGood {
            return Ok(());
        }
    }
}

/// Serves, and greets on the way if that was not done before: who waits for others must hear a
/// signal, and may have to start over before it was ever ready.
async fn greet_and_serve(
    told: &mut bool,
    telling: impl Future<Output = Done>,
    until: impl Future<Output = Ended>,
) -> Result<Ended, Failure> {
    tokio::pin!(until);
    if !*told {
        tokio::select! {
            ended = &mut until => return Ok(ended),
            done = telling => done?,
        }
        *told = true;
    }
    Ok(until.await)
}

/// Says where the node answers, once it does or is known to wait for others.
async fn greet(
    node: &Arc<Node>,
    greeting: &Greeting,
    settings: &Settings,
    background: Option<&mut Background>,
) -> Done {
    let asks = settings.auth_enabled;
    let ready = async {
        node.catch_up().await;
        if asks {
            node.accounts().ready().await;
        }
    };
    let ready = tokio::time::timeout(READY_WITHIN, ready).await.is_ok();
    let greeting = greeting.clone().of(node);
    let state = if ready { "ready" } else { "up, and waits for its cluster" };
    tracing::info!(url = %greeting.url, version = env!("CARGO_PKG_VERSION"), "{state}");
    if !asks {
        tracing::warn!("auth_enabled is false: whoever reaches the port may read and write");
    }
    match background {
        Some(background) => background.ready(&greeting, settings, node),
        None => tell(greeting.foreground(io::stdout().is_terminal())),
    }
}

/// How a run of the node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    ForGood,
    /// To begin anew, with what the store is then.
    ToStartOver,
}

/// Waits until a signal comes, the writer ends, or the node must start over. Requests in flight may
/// finish.
async fn serve_until(
    node: &Arc<Node>,
    serving: JoinHandle<()>,
    shutdown: &CancellationToken,
    signal: impl Future<Output = &'static str>,
) -> Ended {
    tokio::pin!(serving);
    let mut ended = Ended::ForGood;
    tokio::select! {
        _ended = &mut serving => return ended,
        () = node.writer().ended() => tracing::error!("the writer has ended: stopping"),
        () = node.start_over().cancelled() => ended = Ended::ToStartOver,
        () = node.stopping().cancelled() => {}
        signal = signal => {
            part(node, signal).await;
            tracing::info!(signal, "stopping: requests in flight may finish");
        }
    }
    shutdown.cancel();
    // A panic in it was said where it happened.
    let _ended = serving.await;
    ended
}

/// Still serves for `drain_delay`, and asks clients to go elsewhere: who sends it requests has not yet
/// heard that it stops.
async fn part(node: &Node, signal: &'static str) {
    let delay = Duration::from(node.settings().drain_delay);
    if !delay.is_zero() {
        tracing::info!(signal, ?delay, "about to stop: clients are asked to go elsewhere");
        node.closing().cancel();
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            // Nothing is served any more in any case.
            () = node.writer().ended() => {}
            () = node.start_over().cancelled() => {}
            () = node.stopping().cancelled() => {}
        }
    }
}

/// Prints what whoever starts a node must learn: that nobody listens any more is no success here.
fn tell(text: impl Display) -> Done {
    writeln!(io::stdout().lock(), "{text}").map_err(|error| {
        Failure::new(format!("cannot print where the node answers, so it does not run: {error}"))
    })
}

fn start(settings: Settings, guise: Guise, server: &Server) -> Result<Running, Failure> {
    let Guise { clock, newest } = guise;
    let running = Running::start_at(settings, clock, server.local_addr(), newest);
    running.map_err(|error| Failure::of(&error))
}

async fn stop(running: Running) -> Done {
    running.stop().await.map_err(|error| Failure::of(&error))?;
    tracing::info!("stopped");
    Ok(())
}

#[cfg(test)]
mod tests;
