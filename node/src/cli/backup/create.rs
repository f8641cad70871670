//! `kvs backup create`.

use std::time::Duration;

use clap::Args;
use kvs_client::{BackupStatus, Client};

use crate::cli::remote::Remote;
use crate::cli::{Done, Failure, output, progress};
use crate::config::Environment;

/// How often the node is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Have the node make a backup, and wait for it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs backup create")]
pub(super) struct Create {
    #[command(flatten)]
    remote: Remote,
}

impl Create {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let name = client.create_backup().await?.name;
        let status = watch(&client, &name).await?;
        let made = status.last_success.filter(|made| made.name == name);
        let Some(made) = made else {
            let failure = status.last_failure.filter(|failure| failure.name == name);
            let reason = failure.map_or("the node does not say why".into(), |it| it.reason);
            return Err(Failure::new(format!("backup {name} was not made: {reason}")));
        };
        if self.remote.json {
            return output::json(&made);
        }
        let (target, records) = (status.target, made.records.unwrap_or(0));
        let bytes = made.size;
        output::line(format_args!("{name}: {records} records, {bytes} bytes, in {target}"))
    }
}

/// Shows how far the backup is until it is made, or not.
async fn watch(client: &Client, name: &str) -> Result<BackupStatus, Failure> {
    let bar = progress::transfer(0);
    loop {
        let status = client.backup_status().await?;
        let running = status.running.as_ref().filter(|running| running.name == name);
        let Some(running) = running else {
            bar.finish_and_clear();
            return Ok(status);
        };
        bar.set_length(running.total);
        bar.set_position(running.done);
        tokio::time::sleep(ASK_EVERY).await;
    }
}
