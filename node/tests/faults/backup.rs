//! Backups in the middle of which the process is killed or the disk fills up.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kvs_client::{BackupStatus, Client, Value};
use kvs_node::backup::shelf::Folder;
use kvs_node::backup::{self, Progress};
use rand::RngExt as _;
use serde_json::value::RawValue;

use crate::process::{Home, Process, SMALL_FILES};
use crate::seed::Seed;
use crate::small_disk::{self, Ballast};
use crate::wait::DEADLINE;

const ROUNDS: u64 = 6;
const DISK_MIB: u32 = 160;
/// `disk_reserve` of the nodes here.
const RESERVE: u64 = 16 << 20;

/// Values that take as much on disk as they are long.
async fn fill(client: &Client, keys: u32, seed: Seed) {
    let mut random = seed.part(77);
    for at in 0..keys {
        let noise: Vec<String> =
            (0..3_000).map(|_| format!("{:016x}", random.random::<u64>())).collect();
        let noise = noise.concat();
        let value = Value::Json(RawValue::from_string(format!("\"{noise}\"")).unwrap());
        client.put(&format!("big/{at}"), value).await.unwrap();
    }
}

/// Waits until so many percent are done, or all.
async fn until_it_has_come(client: &Client, percent: u64) {
    let waiting = async {
        while let Some(running) = client.backup_status().await.unwrap().running {
            if running.total > 0 && running.done * 100 >= running.total * percent {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("the backup does not go on");
}

async fn idle(client: &Client) -> BackupStatus {
    let waiting = async {
        loop {
            let status = client.backup_status().await.unwrap();
            if status.running.is_none() {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("the backup does not end")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_backup_leaves_none_or_a_whole_one() {
    let seed = Seed::choose();
    let mut random = seed.part(1);
    let home = Home::new(SMALL_FILES);
    let process = home.start();
    fill(&process.client(), 300, seed).await;
    process.stop();
    for _ in 0..ROUNDS {
        let process = home.start();
        let client = process.client();
        client.create_backup().await.unwrap();
        until_it_has_come(&client, random.random_range(0..=90)).await;
        process.kill();
    }
    let process = home.start();
    process.client().create_backup().await.unwrap();
    let status = idle(&process.client()).await;
    assert_eq!((status.made, status.failed), (1, 0), "{status:?}");
    process.stop();

    let folder = home.data().join("backups");
    let shelf = Folder::new(&folder, 0);
    let found = backup::find(&shelf).unwrap();
    for found in &found {
        backup::verify(&shelf, &found.name, &Progress::default()).unwrap();
    }
    let files = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(files, 2 * found.len(), "nothing but whole backups is left");
    assert!(!home.data().join("backup.tmp").exists());
    println!("{} of {ROUNDS} backups were whole when the process was killed", found.len() - 1);
}

#[test]
fn a_disk_that_is_full_fails_the_backup_and_not_the_node() {
    let test = "backup::a_disk_that_is_full_fails_the_backup_and_not_the_node";
    small_disk::with(test, DISK_MIB, |folder| {
        block_on(async {
            let home = Home::at(folder, SMALL_FILES);
            let process = home.start();
            let client = process.client();
            fill(&client, 400, Seed::choose()).await;
            let mut ballast = Ballast::new(folder);
            // More than the node keeps for itself, less than the backup would take.
            ballast.fill(RESERVE + RESERVE / 4 + (8 << 20));
            client.create_backup().await.unwrap();
            let status = idle(&client).await;
            let reason = status.last_failure.expect("it failed").reason;
            assert!(reason.contains("kept for the node") || reason.contains("space"), "{reason}");
            client.put("still", Value::json(&1).unwrap()).await.unwrap();
            assert_eq!(std::fs::read_dir(home.data().join("backups")).unwrap().count(), 0);
            drop(ballast);
            client.create_backup().await.unwrap();
            let status = idle(&client).await;
            assert_eq!((status.made, status.failed), (1, 1), "{status:?}");
            process.stop();
        });
    });
}

/// Runs something on a runtime of its own: what mounts a disk runs before any.
fn block_on(what: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(what);
}

/// A backup of what is in a home; its file.
async fn backed_up(process: &Process, folder: &Path) -> PathBuf {
    process.client().create_backup().await.unwrap();
    let status = idle(&process.client()).await;
    let name = status.last_success.expect("it succeeded").name;
    folder.join(format!("{name}.tar.zst"))
}

#[test]
fn a_full_target_disk_fails_the_backup_and_leaves_nothing_there() {
    let test = "backup::a_full_target_disk_fails_the_backup_and_leaves_nothing_there";
    small_disk::with(test, 64, |folder| {
        block_on(async {
            let target = folder.join("backups");
            let settings = format!("{SMALL_FILES}backup_target: {}\n", target.display());
            let home = Home::new(&settings);
            let process = home.start();
            let client = process.client();
            fill(&client, 400, Seed::choose()).await;
            let mut ballast = Ballast::new(folder);
            ballast.fill(RESERVE + RESERVE / 4 + (4 << 20));
            client.create_backup().await.unwrap();
            let status = idle(&client).await;
            assert!(status.last_failure.is_some(), "{status:?}");
            assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0);
            drop(ballast);
            let file = backed_up(&process, &target).await;
            assert!(file.exists());
            process.stop();
        });
    });
}

fn restore(file: &Path, data_dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvs"));
    command.args(["backup", "restore"]).arg(file).arg("--data-dir").arg(data_dir);
    command.output().unwrap()
}

#[test]
fn a_disk_without_room_takes_no_restore_and_no_node_starts_on_what_is_left() {
    let test = "backup::a_disk_without_room_takes_no_restore_and_no_node_starts_on_what_is_left";
    small_disk::with(test, DISK_MIB, |folder| {
        block_on(async {
            let home = Home::new(SMALL_FILES);
            let process = home.start();
            fill(&process.client(), 400, Seed::choose()).await;
            let file = backed_up(&process, &home.data().join("backups")).await;
            process.stop();
            let takes = std::fs::metadata(&file).unwrap().len();
            let target = Home::at(folder, "");
            // From far too little to what the files take but not what opening them does.
            for room in [takes / 2, takes, takes + takes / 16] {
                let mut ballast = Ballast::new(folder);
                ballast.fill(room);
                let output = restore(&file, &target.data());
                if output.status.success() {
                    break;
                }
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(said.starts_with("kvs: ") && said.lines().count() == 1, "{said}");
                assert!(!target.data().join("store").exists(), "{room}: {said}");
            }
            if !target.data().join("store").exists() {
                assert!(restore(&file, &target.data()).status.success());
            }
            let process = target.start();
            process.client().get("big/399").await.unwrap();
            process.stop();
        });
    });
}
