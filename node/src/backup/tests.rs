//! Backups of a running node, and what becomes of them.

mod damage;
mod keeping;
mod round_trip;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kvs_client::{Backup, BackupStatus, ClusterFile};
use kvs_config::Settings;
use kvs_core::{Body, Command, ContentType, Key, RecordId, UnixMillis, Value, VersionId};
use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::shelf::{Folder, Shelf};
use super::*;
use crate::node::{Node, Running};
use crate::time::ManualClock;
use crate::writer::Write;

const NOW: u64 = 1_700_000_000_000;
const DEADLINE: Duration = Duration::from_mins(1);

/// A folder with a node's data in `data` and its backups in `backups`.
struct Home {
    dir: TempDir,
    clock: Arc<ManualClock>,
}

impl Home {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::at(NOW)) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn settings(&self, data: &str) -> Settings {
        Settings {
            data_dir: self.path(data),
            backup_target: Some(self.path("backups").to_str().unwrap().to_owned()),
            port: 0,
            digest_leaves: 65_536,
            clustering_enabled: false,
            ..Settings::default()
        }
    }

    fn start(&self) -> Running {
        self.start_with(|_| {})
    }

    fn start_with(&self, adjust: impl FnOnce(&mut Settings)) -> Running {
        let mut settings = self.settings("data");
        adjust(&mut settings);
        Running::start(settings, self.clock.clone()).unwrap()
    }

    fn shelf(&self) -> Folder {
        Folder::new(&self.path("backups"), 0)
    }

    /// Names of the files in the folder of backups.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("backups")).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn restore(&self, name: &str, to: &str) -> Result<Restored, RestoreError> {
        self.restore_as(name, to, None)
    }

    fn restore_as(
        &self,
        name: &str,
        to: &str,
        cluster: Option<ClusterFile>,
    ) -> Result<Restored, RestoreError> {
        let order = RestoreOrder {
            shelf: &self.shelf(),
            name: &BackupName::parse(name).unwrap(),
            data_dir: &self.path(to),
            cluster,
            node_name: "restored",
            now: UnixMillis(NOW + 1),
        };
        restore(&order, &Progress::default())
    }
}

async fn put(node: &Node, key: &str, value: &str) {
    let value = Value::plain(ContentType::JSON, value.to_owned().into());
    let command = Command::put(Body::Value(value), VersionId::new(Uuid::new_v4()));
    let record = RecordId::value(Key::client(key).unwrap());
    node.write(vec![Write { record, command }]).await.unwrap()[0].unwrap();
}

/// Waits until no backup is being made.
async fn idle(node: &Node) -> BackupStatus {
    eventually("the backup ends", || {
        Some(node.backups().status()).filter(|status| status.running.is_none())
    })
    .await
}

async fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(ready) = ready() {
                return ready;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(DEADLINE, waiting).await;
    waited.unwrap_or_else(|_late| panic!("waited in vain: {what}"))
}

async fn back_up(node: &Arc<Node>) -> Backup {
    let name = Backups::begin(node).unwrap();
    let status = idle(node).await;
    let made = status.last_success.unwrap_or_else(|| panic!("{:?}", status.last_failure));
    assert_eq!(made.name, name.as_str());
    made
}

/// A node with `keys` keys, and a backup of it.
async fn backed_up(home: &Home, keys: usize) -> (Running, Backup) {
    let running = home.start();
    for at in 0..keys {
        put(&running.node, &format!("k/{at}"), &at.to_string()).await;
    }
    let made = back_up(&running.node).await;
    (running, made)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn the_settings_name_the_place() {
    let home = Home::new();
    let at = |settings: &Settings| shelf::of_settings(settings, Handle::current());
    assert_eq!(
        at(&home.settings("d")).unwrap().to_string(),
        home.path("backups").to_str().unwrap()
    );
    let default = Settings { backup_target: None, ..home.settings("d") };
    assert!(at(&default).unwrap().to_string().ends_with("d/backups"));
}
