//! `kvs import`: what an export wrote, or anything of its form.

mod counts;
mod sender;
mod source;

use std::path::PathBuf;

use clap::Args;

use self::sender::Sender;
use self::source::Source;
use super::failure::FAILED;
use super::record::Line;
use super::remote::Remote;
use super::{Done, Failure, output};
use crate::config::Environment;

/// Write keys from NDJSON, as `kvs export` made it.
///
/// A line needs `key` and either `data` (any JSON) or `content_type` and `data_base64`; with
/// `expires` (Unix milliseconds) the key lives until then. Keys that hold the same value already
/// are not written again: an import that was interrupted is resumed by running it again. A line
/// that cannot be imported is named with its key, and the others go on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs import all.ndjson
  zcat all.ndjson.gz | kvs import")]
pub(super) struct Import {
    /// The file; - or none reads standard input
    file: Option<PathBuf>,

    #[command(flatten)]
    remote: Remote,
}

impl Import {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let mut source = Source::open(self.file.as_deref())?;
        let mut sender = Sender::new(client);
        let imported = feed(&mut source, &mut sender).await;
        source.finish();
        imported?;
        let counts = sender.counts;
        if self.remote.json {
            output::json(&counts)?;
        } else {
            output::line(counts)?;
        }
        if counts.failed == 0 { Ok(()) } else { Err(Failure::Told(FAILED)) }
    }
}

async fn feed(source: &mut Source, sender: &mut Sender) -> Done {
    while let Some((number, text)) = source.next()? {
        match Line::parse(text) {
            Ok(line) => sender.add(number, line, text.len()).await?,
            Err(error) => {
                source.say(&format!("line {number}: {error}"));
                sender.counts.failed += 1;
            }
        }
        source.show(&sender.counts);
        sender.complaints(|complaint| source.say(&complaint));
    }
    sender.flush().await?;
    sender.complaints(|complaint| source.say(&complaint));
    Ok(())
}
