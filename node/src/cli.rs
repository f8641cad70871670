//! The command line. Each command is a file below; this one says which there are.

mod failure;
mod output;
mod remote;
mod time;

mod flags;
mod run;
mod start;
mod status;
mod stop;

mod history;
mod lists;
mod metadata;
mod values;
mod watch;

mod export;
mod import;
mod progress;
mod record;

mod backup;
mod bench;
mod clock;
mod cluster;
mod config;
mod conflict;
mod identity;
mod member;
mod stopped;
mod systemd;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use self::failure::Failure;
use crate::config::{DEFAULT_FILE, Environment};

/// What a command comes to.
type Done = Result<(), Failure>;

/// A durable store for JSON values under path-like keys.
#[derive(Debug, Parser)]
#[command(
    name = "kvs",
    version,
    subcommand_required = true,
    disable_help_subcommand = true,
    after_help = "\
Without a command, `kvs` is `kvs run config.yaml`, and `kvs FILE.yaml` is `kvs run FILE.yaml`.

Try it:
  kvs start                              a node in the background, with a default config.yaml
  kvs put home/room/socks '[\"red\"]'      write a value
  kvs get home/room/socks                read it
  kvs tree home                          see what is there
  kvs stop config                        end the node

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running, 64 bad configuration.
Every command explains itself: kvs COMMAND --help"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Start(start::Start),
    Stop(stop::Stop),
    Restart(start::Restart),
    Status(status::Status),
    Get(values::Get),
    Put(values::Put),
    Delete(values::Delete),
    Ls(lists::Ls),
    Tree(lists::Tree),
    Watch(watch::Watch),
    History(history::History),
    Restore(history::Restore),
    Chmod(metadata::Chmod),
    Chown(metadata::Chown),
    Export(export::Export),
    Import(import::Import),
    Backup(backup::Backup),
    Bench(bench::Bench),
    Cluster(cluster::Cluster),
    Member(member::Members),
    Clock(clock::Clock),
    ResetIdentity(identity::ResetIdentity),
    Conflict(conflict::Conflict),
    Config(config::Config),
    Systemd(systemd::Systemd),
    Completions(Completions),
}

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example, for this session of bash:
  source <(kvs completions bash)")]
struct Completions {
    /// The shell.
    shell: Shell,
}

/// Runs the program with these arguments, the first being its own name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(with_run(arguments.into_iter().collect())) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match dispatch(cli.command, Environment::read()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Help and version are errors to clap, but not to us.
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing can be said where neither output can be written.
    let _ = error.print();
    if error.use_stderr() { failure::USAGE.into() } else { ExitCode::SUCCESS }
}

/// Puts in the `run` that may be left out: before a configuration, or before nothing at all.
fn with_run(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let first = arguments.get(1).map(Path::new);
    let is_config = first.is_none_or(|first| {
        let is_yaml = first.extension().is_some_and(|end| end == "yaml" || end == "yml");
        is_yaml || first.components().count() > 1 && first.is_file()
    });
    if is_config {
        arguments.resize(arguments.len().max(1), OsString::from("kvs"));
        arguments.insert(1, OsString::from("run"));
    }
    if arguments.len() == 2 && is_config {
        arguments.push(OsString::from(DEFAULT_FILE));
    }
    arguments
}

fn dispatch(command: Command, environment: Environment) -> Done {
    match command {
        Command::Run(run) => run.run(environment),
        Command::Start(start) => start.run(&environment),
        Command::Stop(stop) => stop.run(&environment),
        Command::Restart(restart) => restart.run(&environment),
        Command::Status(status) => block_on(status.run(&environment)),
        Command::Get(get) => block_on(get.run(&environment)),
        Command::Put(put) => block_on(put.run(&environment)),
        Command::Delete(delete) => block_on(delete.run(&environment)),
        Command::Ls(ls) => block_on(ls.run(&environment)),
        Command::Tree(tree) => block_on(tree.run(&environment)),
        Command::Watch(watch) => block_on(watch.run(&environment)),
        Command::History(history) => block_on(history.run(&environment)),
        Command::Restore(restore) => block_on(restore.run(&environment)),
        Command::Chmod(chmod) => block_on(chmod.run(&environment)),
        Command::Chown(chown) => block_on(chown.run(&environment)),
        Command::Export(export) => block_on(export.run(&environment)),
        Command::Import(import) => block_on(import.run(&environment)),
        Command::Backup(backup) => backup.run(&environment),
        Command::Bench(bench) => bench.run(&environment),
        Command::Cluster(cluster) => cluster.run(environment),
        Command::Member(member) => block_on(member.run(&environment)),
        Command::Clock(clock) => clock.run(environment),
        Command::ResetIdentity(reset) => reset.run(environment),
        Command::Conflict(conflict) => conflict.run(),
        Command::Config(config) => config.run(environment),
        Command::Systemd(systemd) => systemd.run(&environment),
        Command::Completions(completions) => completions.run(),
    }
}

/// Runs a client command, which needs one thread.
fn block_on(command: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

impl Completions {
    fn run(self) -> Done {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "kvs", &mut script);
        output::bytes(&script)
    }
}
