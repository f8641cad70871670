//! When backups are made, and for how long they are kept.

use super::*;

const HOUR: Duration = Duration::from_hours(1);

/// Names of whole backups, oldest first.
fn whole(home: &Home) -> Vec<String> {
    let mut found: Vec<_> = find(&home.shelf()).unwrap();
    found.retain(|found| found.manifest.is_ok());
    found.into_iter().rev().map(|found| found.name.to_string()).collect()
}

#[tokio::test]
async fn a_schedule_is_kept_and_what_was_missed_is_made_up_for_once() {
    let home = Home::new();
    let hourly = |settings: &mut Settings| settings.backup_schedule = Some("0 * * * *".into());
    let running = home.start_with(hourly);
    let node = running.node.clone();
    // 22:13:20; the next full hour is in 46 minutes and 40 seconds.
    let due = eventually("it is planned", || node.backups().status().next).await;
    assert_eq!(due, NOW + 2_800_000);
    home.clock.advance(Duration::from_millis(2_799_999));
    assert_eq!(whole(&home).len(), 0);
    home.clock.advance(Duration::from_millis(1));
    let made = eventually("it is made", || node.backups().status().last_success).await;
    assert_eq!(made.created, Some(due));
    eventually("the next is planned", || {
        node.backups().status().next.filter(|next| *next == due + 3_600_000)
    })
    .await;
    drop(node);
    running.stop().await.unwrap();

    // Five are missed while it is down, and one is made.
    home.clock.advance(5 * HOUR + HOUR / 2);
    let running = home.start_with(hourly);
    let node = running.node.clone();
    eventually("it is made up for", || (whole(&home).len() == 2).then_some(())).await;
    let status = idle(&node).await;
    assert_eq!(status.made, 1);
    eventually("the next is planned", || {
        node.backups().status().next.filter(|next| *next == due + 6 * 3_600_000)
    })
    .await;
    drop(node);
    running.stop().await.unwrap();
    assert_eq!(whole(&home).len(), 2);
}

#[tokio::test]
async fn a_schedule_that_is_set_later_holds_from_then_on() {
    let home = Home::new();
    let running = home.start();
    assert_eq!(running.node.backups().status().schedule, None);
    let mut settings = home.settings("data");
    settings.backup_schedule = Some("30 22 * * *".into());
    running.node.backups().reschedule(&settings);
    let next = eventually("it is planned", || running.node.backups().status().next).await;
    assert_eq!(next, NOW + 1_000_000);
    settings.backup_schedule = None;
    running.node.backups().reschedule(&settings);
    eventually("nothing is planned", || {
        running.node.backups().status().next.is_none().then_some(())
    })
    .await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn old_backups_go_and_the_newest_whole_one_never() {
    let home = Home::new();
    let running = home.start_with(|settings| {
        settings.backup_retention = kvs_config::Duration::hours(2);
    });
    let node = &running.node;
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(back_up(node).await.name);
        home.clock.advance(HOUR);
    }
    // At the time of the last, the first was three hours old, the second exactly two.
    assert_eq!(whole(&home), names[1..]);
    let foreign = BackupName::new(kvs_core::NodeId::new(Uuid::nil()), UnixMillis(NOW - 99));
    std::fs::write(home.path("backups").join(foreign.archive()), "another node's").unwrap();
    home.clock.advance(100 * HOUR);
    // What is newer is damaged: the newest that is whole stays although it is old.
    let newest = BackupName::parse(&names[3]).unwrap();
    flip(&home.path("backups").join(newest.manifest()), 300);
    let (shelf, id) = (home.shelf(), node.identity().node);
    catalog::prune(&shelf, id, HOUR, node.now()).unwrap();
    assert_eq!(whole(&home), names[2..3]);
    assert!(home.files().contains(&foreign.archive()));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn one_backup_at_a_time_is_made() {
    let home = Home::new();
    let running = home.start();
    let name = Backups::begin(&running.node).unwrap();
    let busy = Backups::begin(&running.node).unwrap_err();
    assert!(matches!(&busy, BeginError::Busy(running) if *running == name), "{busy}");
    assert!(running.node.backups().is_making(&name));
    assert_eq!(idle(&running.node).await.made, 1);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_killed_backup_left_is_removed_with_the_next() {
    let home = Home::new();
    let running = home.start();
    let id = running.node.identity().node;
    let (half, other) = (BackupName::new(id, UnixMillis(1)), kvs_core::NodeId::new(Uuid::nil()));
    let other = BackupName::new(other, UnixMillis(1));
    std::fs::create_dir_all(home.path("backups")).unwrap();
    let leave = |file: String| std::fs::write(home.path("backups").join(file), "half").unwrap();
    leave(half.archive());
    leave(format!(".{}.partial", half.archive()));
    leave(other.archive());
    leave(format!(".{}.partial", other.archive()));
    leave("notes.txt".into());
    std::fs::create_dir_all(home.path("data/backup.tmp/store")).unwrap();
    let made = back_up(&running.node).await;
    let files = home.files();
    assert_eq!(files.len(), 5, "{files:?}");
    assert!(files.iter().all(|file| !file.contains(half.as_str())), "{files:?}");
    assert!(files.contains(&format!("{}.manifest.json", made.name)));
    assert!(!home.path("data/backup.tmp").exists());
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_backup_leaves_the_reserve_of_the_disk_and_a_failure_is_told() {
    let home = Home::new();
    // A file where the folder would be.
    std::fs::write(home.path("backups"), "").unwrap();
    let running = home.start();
    put(&running.node, "a", "1").await;
    Backups::begin(&running.node).unwrap();
    let status = idle(&running.node).await;
    let failure = status.last_failure.unwrap();
    assert!(failure.reason.contains("backups"), "{failure:?}");
    assert_eq!((status.made, status.failed), (0, 1));
    put(&running.node, "b", "1").await;
    std::fs::remove_file(home.path("backups")).unwrap();

    let all = Folder::new(&home.path("backups"), u64::MAX);
    let stop = tokio_util::sync::CancellationToken::new();
    let refused = all.write("x", &stop, &mut |out| out.write_all(b"x")).unwrap_err();
    let reason = std::error::Error::source(&refused).unwrap().to_string();
    assert!(reason.contains("are kept for the node"), "{reason}");
    stop.cancel();
    assert!(home.shelf().write("x", &stop, &mut |out| out.write_all(b"x")).is_err());
    assert_eq!(home.files(), Vec::<String>::new());
    running.stop().await.unwrap();
}
