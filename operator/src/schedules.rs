//! `KvsBackupSchedule`: makes a `KvsBackup` when one is due, and deletes old ones.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::events::EventType;
use kube::runtime::watcher;
use kube::{Api, Error, ResourceExt as _};
use kvs_operator_core::crd::{KvsBackup, KvsBackupSchedule};
use kvs_operator_core::schedule::{SCHEDULE, Turn, turn};
use serde_json::Value;

use crate::objects::{self, gone};
use crate::report;
use crate::run::{Worked, api};
use crate::site::{self, Site};

/// After a failure.
const AGAIN: Duration = Duration::from_secs(5);

/// Looks after all of them in a namespace, or everywhere.
pub fn controller(space: &str, site: &Arc<Site>) -> impl Stream<Item = Worked> + Send + use<> {
    let ours = watcher::Config::default().labels("app.kubernetes.io/managed-by=kvs-operator");
    let all = api::<KvsBackupSchedule>(&site.client, space);
    Controller::new(all, watcher::Config::default())
        .owns(api::<KvsBackup>(&site.client, space), ours)
        .run(reconcile, |of, error, site| failed(&of, error, &site), site.clone())
        .map(|result| result.map(drop).map_err(|error| error.to_string()))
}

fn failed(of: &KvsBackupSchedule, error: &Error, site: &Site) -> Action {
    if !report::is_stale(error) {
        site.metrics.failed("KvsBackupSchedule", "api");
        tracing::warn!(schedule = of.name_any(), %error, "a step failed");
    }
    Action::requeue(AGAIN)
}

async fn reconcile(of: Arc<KvsBackupSchedule>, site: Arc<Site>) -> Result<Action, Error> {
    if of.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    site.look("KvsBackupSchedule", look(&of, &site)).await
}

async fn look(of: &KvsBackupSchedule, site: &Site) -> Result<Action, Error> {
    let backups: Api<KvsBackup> =
        Api::namespaced(site.client.clone(), &of.namespace().unwrap_or_default());
    let label = format!("{SCHEDULE}={}", of.name_any());
    let made = backups.list(&ListParams::default().labels(&label)).await?.items;
    let Turn { make, delete, status, again } = turn(of, &made, site::now());
    if let Some(object) = make {
        create(site, of, object).await?;
    }
    for name in delete {
        gone(backups.delete(&name, &DeleteParams::default()).await.map(drop))?;
    }
    if of.status.as_ref() != Some(&status) {
        report::status(&site.client, of, &status).await?;
    }
    Ok(Action::requeue(Duration::from_millis(again)))
}

/// Makes one. One of that name is the one that was due then.
async fn create(site: &Site, of: &KvsBackupSchedule, object: Value) -> Result<(), Error> {
    let space = of.namespace().unwrap_or_default();
    let api = objects::api(&site.client, &space, "kvs.kalzu.dev/v1alpha1", "KvsBackup");
    let object: DynamicObject = serde_json::from_value(object).map_err(Error::SerdeError)?;
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => {
            site.metrics.stepped("Schedule");
            let note = format!("made KvsBackup {}", object.name_any());
            site.tell(of, EventType::Normal, "Scheduled", note).await;
            Ok(())
        }
        Err(Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error),
    }
}
