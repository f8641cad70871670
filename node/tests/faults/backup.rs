//! Backups in the middle of which the process is killed or the disk fills up.

use kvs_client::{BackupStatus, Client, Value};
use kvs_node::backup::shelf::Folder;
use kvs_node::backup::{self, Progress};
use rand::RngExt as _;
use serde_json::value::RawValue;

use crate::process::{Home, SMALL_FILES};
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
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
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
