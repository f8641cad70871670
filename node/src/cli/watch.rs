//! `kvs watch`: changes as they happen.

use std::time::Duration;

use clap::Args;
use kvs_client::{Watch as Stream, WatchEvent};

use super::failure::chain;
use super::remote::Remote;
use super::{Done, output, time};
use crate::config::Environment;

/// How long to wait before the first try to connect again, and at most before any.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Show what changes below a key, as it happens.
///
/// It goes on until Ctrl-C; when the node is restarted it connects again and misses nothing. With
/// --json each change has a cursor, from which --after goes on later.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs watch home
  kvs watch --json | jq -r .key")]
pub(super) struct Watch {
    /// The key above; none for the root
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,

    /// Begin after this change, instead of now
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,

    #[command(flatten)]
    remote: Remote,
}

impl Watch {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let mut stream = client.watch(&self.prefix, self.after.as_deref()).await?;
        loop {
            match stream.next().await {
                Some(Ok(event)) => print(&event, self.remote.json)?,
                Some(Err(error)) => {
                    output::notice(chain(&error));
                    reconnect(&mut stream).await;
                }
                None => reconnect(&mut stream).await,
            }
        }
    }
}

fn print(event: &WatchEvent, json: bool) -> Done {
    match event {
        WatchEvent::Change(change) if json => output::json(change),
        WatchEvent::Change(change) => {
            let time = time::utc(change.timestamp);
            output::line(format_args!("{time}  {:8}  {}  {}", change.op, change.uuid, change.key))
        }
        WatchEvent::Reset(reset) => {
            output::notice(format_args!(
                "{}; changes may have been missed, and what follows is new",
                reset.reason
            ));
            Ok(())
        }
    }
}

/// Tries until the node is there again.
async fn reconnect(stream: &mut Stream) {
    let mut wait = FIRST_WAIT;
    output::notice("the stream has ended; connecting again");
    while let Err(error) = stream.reconnect().await {
        tokio::time::sleep(wait).await;
        if wait == LONGEST_WAIT {
            output::notice(chain(&error));
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
