//! `KvsBackup`: has a node make one backup, once, and follows it to its end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::events::EventType;
use kube::runtime::watcher;
use kube::{Error, ResourceExt as _};
use kvs_client::{Backup, BackupStarted, BackupStatus, Backups};
use kvs_core::UnixMillis;
use kvs_operator_core::backup::{self, Made, Next, NodeBackups, Seen};
use kvs_operator_core::crd::{BackupPhase, KvsBackup, KvsBackupStatus};
use kvs_operator_core::names::Names;
use kvs_operator_core::observed::Ordinal;

use crate::nodes::{Api, ApiError, NodeError};
use crate::reach::{Reached, reach};
use crate::report;
use crate::run::{Worked, api};
use crate::site::{self, Site};

/// While one is made its node is asked this often.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// What waits is looked at again this often.
const WAITING: Duration = Duration::from_secs(5);

/// Looks after all of them in a namespace, or everywhere.
pub fn controller(space: &str, site: &Arc<Site>) -> impl Stream<Item = Worked> + Send + use<> {
    Controller::new(api::<KvsBackup>(&site.client, space), watcher::Config::default())
        .run(reconcile, |of, error, site| failed(&of, error, &site), site.clone())
        .map(|result| result.map(drop).map_err(|error| error.to_string()))
}

fn failed(of: &KvsBackup, error: &Error, site: &Site) -> Action {
    if !report::is_stale(error) {
        site.metrics.failed("KvsBackup", "api");
        tracing::warn!(backup = of.name_any(), %error, "a step failed");
    }
    Action::requeue(WAITING)
}

async fn reconcile(of: Arc<KvsBackup>, site: Arc<Site>) -> Result<Action, Error> {
    let before = of.status.clone().unwrap_or_default();
    if before.phase.is_over() || of.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let space = of.namespace().unwrap_or_default();
    let look = async {
        let reached = reach(&site, &space, &of.spec.cluster).await?;
        let names = Names::new(&of.spec.cluster, space.clone());
        Turn { of: &of, site: &site, names, before }.take(reached.as_ref()).await
    };
    site.look("KvsBackup", Box::pin(look)).await
}

struct Turn<'a> {
    of: &'a KvsBackup,
    site: &'a Site,
    names: Names,
    before: KvsBackupStatus,
}

impl Turn<'_> {
    async fn take(&self, reached: Option<&Reached>) -> Result<Action, Error> {
        let none = std::collections::BTreeMap::new();
        let seen = Seen {
            names: &self.names,
            replicas: reached.map(Reached::replicas),
            members: reached.map_or(&none, |reached| &reached.look.seen.members),
        };
        let node = |ordinal: Ordinal| reached.and_then(|reached| reached.api(ordinal));
        let next = backup::next(&self.before, &seen);
        match next {
            Next::Over => Ok(Action::await_change()),
            Next::Wait(why) => self.wait(why).await,
            Next::Fail(why) => self.tell(&backup::failed(&self.before, why, site::now())).await,
            Next::Begin(ordinal) => match node(ordinal) {
                Some(node) => self.begin(&seen, ordinal, &node).await,
                None => self.wait("no node can be spoken to".to_owned()).await,
            },
            Next::Search(ordinal) | Next::Follow(ordinal) | Next::Seek(ordinal) => {
                let Some(node) = node(ordinal) else {
                    return self.wait("its node cannot be spoken to".to_owned()).await;
                };
                match self.learn(&next, &node).await {
                    Ok(status) => self.tell(&status).await,
                    Err(error) => self.wait(error.to_string()).await,
                }
            }
        }
    }

    /// Asks a node for the backup, once it is written down that it is asked.
    async fn begin(
        &self,
        seen: &Seen<'_>,
        ordinal: Ordinal,
        node: &Api<'_>,
    ) -> Result<Action, Error> {
        let Some(member) = seen.members.get(&ordinal) else { return Ok(Action::requeue(WAITING)) };
        match status(node).await {
            Ok(NodeBackups { running: Some(name), .. }) => {
                let pod = self.names.pod(ordinal);
                return self.wait(format!("{pod} is making {name}; one at a time is")).await;
            }
            Ok(_) => {}
            Err(error) => return self.wait(error.to_string()).await,
        }
        let asking = backup::asking(&self.names, ordinal, member);
        let noted = report::status(&self.site.client, self.of, &asking).await?;
        let started: Result<BackupStarted, ApiError> = node.post("/api/backups", None::<&()>).await;
        let status = match started {
            Ok(BackupStarted { name }) => backup::began(&asking, &name),
            Err(error) if is_no(&error) => backup::refused(&error.to_string()),
            Err(error) => {
                tracing::warn!(%error, "it is not known whether a backup began");
                return Ok(Action::requeue(UNDER_WAY));
            }
        };
        report::status(&self.site.client, &noted, &status).await?;
        let Some(name) = &status.backup else { return Ok(Action::requeue(WAITING)) };
        self.site.metrics.stepped("Backup");
        let note = format!("{} makes {name}", self.names.pod(ordinal));
        self.site.tell(self.of, EventType::Normal, "Started", note).await;
        Ok(Action::requeue(UNDER_WAY))
    }

    /// What became of it, from what a node says.
    async fn learn(&self, next: &Next, node: &Api<'_>) -> Result<KvsBackupStatus, ApiError> {
        let (before, now) = (&self.before, site::now());
        Ok(match next {
            Next::Search(_) => {
                backup::search(before, &status(node).await?, &list(node).await?, now)
            }
            Next::Follow(_) => match backup::follow(before, &status(node).await?, now) {
                Some(status) => status,
                None => backup::seek(before, &list(node).await?, now),
            },
            _ => backup::seek(before, &list(node).await?, now),
        })
    }

    async fn wait(&self, why: String) -> Result<Action, Error> {
        let status = backup::waiting(&self.before, why);
        self.write(&status).await?;
        Ok(Action::requeue(WAITING))
    }

    async fn tell(&self, status: &KvsBackupStatus) -> Result<Action, Error> {
        self.write(status).await?;
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        match status.phase {
            BackupPhase::Succeeded => {
                let note = format!("{} is made", said(&status.backup));
                self.site.tell(self.of, EventType::Normal, "Succeeded", note).await;
            }
            BackupPhase::Failed => {
                self.site.metrics.failed("KvsBackup", "node");
                self.site.tell(self.of, EventType::Warning, "Failed", said(&status.message)).await;
            }
            _ => return Ok(Action::requeue(UNDER_WAY)),
        }
        Ok(Action::await_change())
    }

    async fn write(&self, status: &KvsBackupStatus) -> Result<(), Error> {
        if *status == self.before && self.of.status.is_some() {
            return Ok(());
        }
        report::status(&self.site.client, self.of, status).await.map(drop)
    }
}

/// Whether nothing was begun for sure.
fn is_no(error: &ApiError) -> bool {
    let unsent = |error: &NodeError| matches!(error, NodeError::Stale(_));
    match error {
        ApiError::Problem(_) => true,
        ApiError::Node(error) => unsent(error),
        ApiError::Malformed(_) => false,
    }
}

async fn status(node: &Api<'_>) -> Result<NodeBackups, ApiError> {
    let status: BackupStatus = node.get("/api/backup/status").await?.unwrap_or_default();
    let took = status.last_duration;
    Ok(NodeBackups {
        target: status.target,
        running: status.running.map(|running| running.name),
        last: status.last_success.map(|last| made(last, took)),
        failure: status.last_failure.map(|failure| (failure.name, failure.reason)),
    })
}

/// All that can be restored.
async fn list(node: &Api<'_>) -> Result<Vec<Made>, ApiError> {
    let found: Option<Backups> = node.get("/api/backups").await?;
    let all = found.map(|found| found.backups).unwrap_or_default();
    Ok(all.into_iter().filter(|one| one.damaged.is_none()).map(|one| made(one, None)).collect())
}

fn made(backup: Backup, took: Option<u64>) -> Made {
    let done: Option<UnixMillis> = backup::done(backup.created, took);
    Made { name: backup.name, size: backup.size, done }
}
