//! Entries that left the store.

use kvs_core::audit::{Tampered, tree};

use super::*;
use crate::audit::archive::{Archive, ArchiveError, Archives, Part, Sealed};
use crate::audit::exchange::{self, Question};
use crate::store::MemoryStore;

/// A site whose first 768 entries are in three archives; it has 1,200.
async fn archived() -> Site {
    let site = Site::new();
    let running = site.start();
    let node = running.node.clone();
    fill(&node, 600).await;
    keep(&node).await;
    fill(&node, 599).await;
    for _ in 0..4 {
        keep(&node).await;
    }
    assert_eq!(node.audit().figures().unwrap().archived, 768);
    drop(node);
    running.stop().await.unwrap();
    site
}

fn files(site: &Site) -> Vec<PathBuf> {
    Archives::of(&site.path()).files().unwrap()
}

#[tokio::test]
async fn old_entries_go_into_archives_and_stay_readable_and_provable() {
    let site = archived().await;
    let report = site.verify().unwrap();
    assert_eq!((report.first, report.summary.size, report.summary.signed), (0, 1_200, 1_200));
    assert_eq!(files(&site).len(), 3);
    let store = site.store();
    assert_eq!(store.get(Column::Audit, &layout::entry(767)).unwrap(), None);
    let log = Log::open(&store, &site.path()).unwrap();
    assert_eq!(log.sizes(), Sizes { archived: 768, size: 1_200 });
    let root = report.summary.root;
    for sequence in [0, 1, 255, 256, 700, 767, 768, 1_199] {
        let row = log.row(sequence).unwrap().unwrap();
        let leaf = row[..32].try_into().unwrap();
        let proof = log.inclusion(sequence, 1_200).unwrap().unwrap();
        tree::verify_inclusion(&leaf, sequence, 1_200, &root, &proof).unwrap();
    }
    for old in [1, 100, 256, 700, 1_000] {
        let proof = log.consistency(old, 1_200).unwrap().unwrap();
        let before = tree::root(&log, old).unwrap();
        tree::verify_consistency(old, &before, 1_200, &root, &proof).unwrap();
    }
    for path in files(&site) {
        let report = verify::archive(&path, &Order::default()).unwrap();
        assert_eq!(report.summary.signed, report.summary.size);
    }
}

#[tokio::test]
async fn an_archive_that_is_gone_is_missed_unless_it_is_known_to_be_elsewhere() {
    let site = archived().await;
    std::fs::remove_file(&files(&site)[1]).unwrap();
    let fault = site.verify().unwrap_err();
    assert!(matches!(fault, Fault::NoArchive { from: 256, until: 768, .. }), "{fault}");
    let order = Order { without_archives: true, ..Order::default() };
    let report = verify::directory(&site.path(), &order).unwrap();
    assert_eq!((report.first, report.summary.size), (768, 1_200));
    // The node goes on, and says of those entries that they are not there.
    let running = site.start();
    let snapshot = running.node.store().snapshot();
    let log = Log::open(&*snapshot, &site.path()).unwrap();
    assert_eq!(log.row(300).unwrap(), None);
    assert!(log.row(200).unwrap().is_some());
    // Only a proof from within them is not to be had.
    for (since, missing) in
        [(255, None), (256, None), (257, Some(256)), (511, Some(510)), (512, None)]
    {
        let answer = exchange::answer(&running.node, Question { since: Some(since) });
        match (answer, missing) {
            (Ok(Some(answer)), None) => assert!(answer.proof.is_some(), "{since}"),
            (Err(Unproven::NoArchive(entry)), Some(missing)) => assert_eq!(entry, missing),
            (answer, _) => panic!("{since}: {answer:?}"),
        }
    }
    drop(log);
    drop(snapshot);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn whatever_is_done_to_an_archive_is_named_with_its_file() {
    let site = archived().await;
    let paths = files(&site);
    let second = std::fs::read(&paths[1]).unwrap();
    let name = paths[1].file_name().unwrap().to_str().unwrap();
    let step = second.len() / 40;
    for at in (0..second.len()).step_by(step).chain([second.len() - 1]) {
        let mut flipped = second.clone();
        flipped[at] ^= 1;
        std::fs::write(&paths[1], &flipped).unwrap();
        let alone = verify::archive(&paths[1], &Order::default());
        let said = site.verify().map(drop).map_err(|fault| fault.to_string());
        // Only a place that is looked up and not walked past may differ unnoticed: in the trailer.
        match said {
            Err(said) => assert!(said.contains(name) || said.contains("archive"), "{at}: {said}"),
            Ok(()) => assert!(at > second.len() - 1_000 && alone.is_ok(), "byte {at}"),
        }
    }
    for length in [0, 10, second.len() / 2, second.len() - 1] {
        std::fs::write(&paths[1], &second[..length]).unwrap();
        let said = site.verify().unwrap_err().to_string();
        assert!(said.contains(name), "{length}: {said}");
    }
    std::fs::write(&paths[1], &second).unwrap();
    site.verify().unwrap();

    let first = std::fs::read(&paths[0]).unwrap();
    std::fs::write(&paths[1], &first).unwrap();
    assert!(matches!(site.verify(), Err(Fault::NoArchive { from: 256, .. })), "reordered");
    let other = archived().await;
    std::fs::copy(&files(&other)[1], &paths[1]).unwrap();
    let fault = site.verify().unwrap_err();
    assert!(matches!(&fault, Fault::Owner { .. }), "{fault}");
}

#[tokio::test]
async fn an_entry_that_is_altered_in_an_archive_is_named() {
    let site = archived().await;
    let path = &files(&site)[1];
    let mut bytes = std::fs::read(path).unwrap();
    let mut row = None;
    let archive = Archive::open(path).unwrap();
    archive
        .rows(|sequence, found| {
            if sequence == 300 {
                row = Some(found.to_vec());
            }
            Ok::<_, ArchiveError>(())
        })
        .unwrap();
    let row = row.unwrap();
    let at = bytes.windows(row.len()).position(|window| window == row).unwrap();
    bytes[at + row.len() - 1] ^= 3;
    std::fs::write(path, bytes).unwrap();
    let fault = site.verify().unwrap_err();
    let Fault::Entry { place, source } = fault else { panic!("{fault}") };
    assert_eq!(source, Tampered::Altered(300));
    assert!(place.contains("00000000000000000256.kvsaudit"), "{place}");
}

/// What another node kept, as it is given.
fn kept_of((head, key): &Sealed) -> Order {
    let kept = verify::Kept { by: "node2".to_owned(), head: head.clone(), key: *key };
    Order { kept: vec![kept], ..Order::default() }
}

#[tokio::test]
async fn an_archive_is_held_against_what_others_kept() {
    let site = archived().await;
    let path = &files(&site)[0];
    let archive = Archive::open(path).unwrap();
    let (node, sealed) = (archive.header().node, archive.sealed().unwrap());
    let mut rows = Vec::new();
    let keep = |_, row: &[u8]| {
        rows.push(row.to_vec());
        Ok::<_, ArchiveError>(())
    };
    archive.rows(keep).unwrap();
    let later = (last_head(&site.store()).unwrap().unwrap(), sealed.1);
    let over = |kept| verify::archive(path, &kept_of(kept)).unwrap().held;
    assert_eq!((over(&sealed), over(&later)), (1, 0));

    let elsewhere = tempfile::tempdir().unwrap();
    let forge = |seal: Option<Sealed>| {
        let begin = &Edge::default();
        let part = Part { node, begin, count: SEGMENT.into(), checked: true, reserve: 0 };
        let next = |sequence| Ok(rows[usize::try_from(sequence).unwrap()].clone());
        Archives::of(elsewhere.path()).write(&part, next, |_| seal).unwrap().0
    };
    let stranger = NodeKey::open(&MemoryStore::default()).unwrap();
    let by_stranger = |head| Some((stranger.sign(head), *stranger.public()));
    let forged = forge(by_stranger(sealed.0.head));
    verify::archive(&forged, &Order::default()).expect("by itself it is well formed");
    for kept in [&sealed, &later] {
        let fault = verify::archive(&forged, &kept_of(kept)).unwrap_err();
        assert!(matches!(&fault, Fault::Key { by } if by == "node2"), "{fault}");
    }
    let other = NodeId::new(Uuid::from_u128(2));
    let forged = forge(by_stranger(kvs_core::audit::Head { node: other, ..sealed.0.head }));
    let fault = verify::archive(&forged, &Order::default()).unwrap_err();
    assert!(matches!(&fault, Fault::Owner { found, .. } if *found == other), "{fault}");
    let forged = forge(None);
    for order in [Order::default(), kept_of(&later)] {
        let fault = verify::archive(&forged, &order).unwrap_err();
        assert!(matches!(fault, Fault::Unsigned { .. }), "{fault}");
    }
    // What another kept vouches for what bears no head.
    assert_eq!(verify::archive(&forged, &kept_of(&sealed)).unwrap().held, 1);
}

#[tokio::test]
async fn a_crash_between_the_archive_and_the_store_loses_nothing() {
    let site = Site::with(500).await;
    // The file is there, and the store does not know of it.
    let store = site.store();
    let node = local::identity(&store).unwrap().unwrap().node;
    let part =
        Part { node, begin: &Edge::default(), count: SEGMENT.into(), checked: true, reserve: 0 };
    let next = |sequence| Ok(row(&store, sequence));
    Archives::of(&site.path()).write(&part, next, |_| None).unwrap();
    drop(store);
    assert_eq!(site.verify().unwrap().summary.size, 500);
    let running = site.start();
    let node = running.node.clone();
    fill(&node, 100).await;
    keep(&node).await;
    keep(&node).await;
    assert_eq!(node.audit().figures().unwrap().archived, 256);
    drop(node);
    running.stop().await.unwrap();
    assert_eq!(site.verify().unwrap().summary.size, 601);
    // The store knows, and not all of its rows are gone.
    site.change(|_, batch| batch.put(Column::Audit, &layout::entry(3), b"left behind"));
    assert_eq!(site.verify().unwrap().summary.size, 601);
}

/// What is in the folder of the archives, drafts as well.
fn names(site: &Site) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(Archives::of(&site.path()).folder());
    entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

/// Changes a row of a log that is about to be archived, and lets its node try; what is found.
async fn fault_after(change: impl FnOnce(&RocksStore, &mut Batch)) -> Tampered {
    let site = Site::with(500).await;
    site.change(change);
    let running = site.start();
    let node = running.node.clone();
    fill(&node, 100).await;
    // The node itself may have tried already, and does not try again.
    let _ = kept(&node).await;
    let figures = node.audit().figures().unwrap();
    assert!(figures.tampered);
    assert_eq!((figures.archived, names(&site)), (0, Vec::new()));
    keep(&node).await;
    drop(node);
    running.stop().await.unwrap();
    let fault = site.verify().unwrap_err();
    let Fault::Entry { source, .. } = fault else { panic!("{fault}") };
    source
}

#[tokio::test]
async fn what_was_altered_or_deleted_is_not_archived() {
    let altered = fault_after(|store, batch| {
        let mut row = row(store, 100);
        row[40] ^= 1;
        batch.put(Column::Audit, &layout::entry(100), &row);
    });
    assert_eq!(altered.await, Tampered::Altered(100));
    let deleted = fault_after(|_, batch| batch.delete(Column::Audit, &layout::entry(100)));
    assert_eq!(deleted.await, Tampered::Missing(100));
}

#[tokio::test]
async fn nothing_is_archived_into_what_must_stay_free() {
    let site = Site::new();
    let running = start(Settings { audit_segment: 4_096, ..site.settings() });
    fill(&running.node, 600).await;
    running.stop().await.unwrap();

    let running = start(Settings { disk_reserve: Size::gib(u16::MAX), ..site.settings() });
    let node = running.node.clone();
    // The first of these fails, unless the node itself has tried already; then there is a pause.
    let _ = kept(&node).await;
    keep(&node).await;
    let figures = node.audit().figures().unwrap();
    assert_eq!((figures.archived, figures.tampered, names(&site)), (0, false, Vec::new()));
    drop(node);
    running.stop().await.unwrap();

    let running = site.start();
    let node = running.node.clone();
    keep(&node).await;
    assert_eq!(node.audit().figures().unwrap().archived, 256);
    drop(node);
    running.stop().await.unwrap();
}
