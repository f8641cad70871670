//! Has a backup made, and follows it to its end.

use std::io::Write;
use std::time::Duration;

use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use kvs_operator_core::crd::{BackupPhase, KvsBackup, KvsBackupSpec, KvsBackupStatus};
use tokio::time::{Instant, sleep};

use super::{Here, PluginError};

/// How often it is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn backup(
    here: &Here,
    cluster: Option<String>,
    timeout: Duration,
    out: &mut impl Write,
) -> Result<(), PluginError> {
    let cluster = match cluster {
        Some(name) => here.clusters().get(&name).await?.name_any(),
        None => only_one(here).await?,
    };
    let backups: Api<KvsBackup> = Api::namespaced(here.client.clone(), &here.namespace);
    let mut wanted = KvsBackup::new("", KvsBackupSpec { cluster: cluster.clone() });
    wanted.metadata.name = None;
    wanted.metadata.generate_name = Some(format!("{cluster}-"));
    let name = backups.create(&PostParams::default(), &wanted).await?.name_any();
    writeln!(out, "{name}: asked for")?;
    let (until, mut said) = (Instant::now() + timeout, String::new());
    loop {
        let status = backups.get(&name).await?.status.unwrap_or_default();
        let line = line(&status);
        if line != said {
            writeln!(out, "{name}: {line}")?;
            out.flush()?;
            said = line;
        }
        if let Some(ended) = ended(&name, &status) {
            return ended;
        }
        if Instant::now() >= until {
            return Err(PluginError::Refused(format!(
                "{name} is not over after {timeout:?}; it goes on: `kubectl get kvsbackup {name}`"
            )));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// The cluster of a namespace that has one.
async fn only_one(here: &Here) -> Result<String, PluginError> {
    let found = here.clusters().list(&ListParams::default()).await?.items;
    let names: Vec<String> = found.iter().map(ResourceExt::name_any).collect();
    chosen(&names, &here.namespace)
}

fn chosen(names: &[String], namespace: &str) -> Result<String, PluginError> {
    match names {
        [name] => Ok(name.clone()),
        [] => {
            let text = format!("there is no KvsCluster in {namespace}");
            Err(PluginError::Refused(text))
        }
        several => {
            let text = format!("say which cluster: {}", several.join(", "));
            Err(PluginError::Refused(text))
        }
    }
}

/// How far it is.
fn line(status: &KvsBackupStatus) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match (status.phase, &status.message) {
        (BackupPhase::Pending, None) => "waits for the operator".to_owned(),
        (BackupPhase::Pending, Some(why)) => format!("waits: {why}"),
        (BackupPhase::Starting, _) => format!("{} is asked", text(&status.member)),
        (BackupPhase::Running, None) => {
            format!("{} makes {}", text(&status.member), text(&status.backup))
        }
        (BackupPhase::Running, Some(why)) => format!("{}: {why}", text(&status.backup)),
        (BackupPhase::Succeeded, _) => format!(
            "{} in {}: {} bytes",
            text(&status.backup),
            text(&status.target),
            status.size.unwrap_or_default(),
        ),
        (BackupPhase::Failed, why) => format!("failed: {}", text(why)),
    }
}

fn ended(name: &str, status: &KvsBackupStatus) -> Option<Result<(), PluginError>> {
    match status.phase {
        BackupPhase::Succeeded => Some(Ok(())),
        BackupPhase::Failed => {
            Some(Err(PluginError::Refused(format!("{name} failed, there is no backup"))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_cluster_need_not_be_named_and_one_of_several_must_be() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            chosen(&names, "apps").map_err(|error| error.to_string())
        };
        assert_eq!(of(&["db"]), Ok("db".to_owned()));
        assert_eq!(of(&[]), Err("there is no KvsCluster in apps".to_owned()));
        assert_eq!(of(&["a", "b"]), Err("say which cluster: a, b".to_owned()));
    }

    #[test]
    fn each_phase_is_told_and_the_last_ones_end_it() {
        let mut status = KvsBackupStatus {
            member: Some("db-2".into()),
            backup: Some("kvs-1".into()),
            target: Some("s3://b".into()),
            size: Some(7),
            ..KvsBackupStatus::default()
        };
        for (phase, message, says, ends) in [
            (BackupPhase::Pending, None, "waits for the operator", false),
            (BackupPhase::Pending, Some("busy"), "waits: busy", false),
            (BackupPhase::Starting, None, "db-2 is asked", false),
            (BackupPhase::Running, None, "db-2 makes kvs-1", false),
            (BackupPhase::Running, Some("silent"), "kvs-1: silent", false),
            (BackupPhase::Succeeded, None, "kvs-1 in s3://b: 7 bytes", true),
            (BackupPhase::Failed, Some("full"), "failed: full", true),
        ] {
            (status.phase, status.message) = (phase, message.map(str::to_owned));
            assert_eq!(line(&status), says);
            assert_eq!(ended("a", &status).is_some(), ends, "{says}");
        }
    }
}
