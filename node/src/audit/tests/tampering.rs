//! Whatever is done to a log, verifying it says where.

use kvs_core::audit::Tampered;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

const ENTRIES: u64 = 40;

/// What a verification names, and what it says.
fn named(site: &Site) -> (Tampered, String) {
    let fault = site.verify().unwrap_err();
    let said = fault.to_string();
    match fault {
        Fault::Entry { source, .. } => (source, said),
        other => panic!("{other}"),
    }
}

/// Replaces the log from an entry on by one that is well formed, signed with the node's own key: what
/// whoever owns the machine can do.
pub(super) fn rewrite(store: &RocksStore, data_dir: &Path, from: usize) {
    let log = Log::open(store, data_dir).unwrap();
    let size = log.sizes().size;
    let entries: Vec<Entry> = (0..size).map(|at| log.entry(at).unwrap().unwrap()).collect();
    let (mut appender, mut batch) = (Appender::default(), Batch::default());
    for (at, entry) in entries.into_iter().enumerate() {
        let Entry { time, event, subject, key, outcome, .. } = entry;
        let time = kvs_core::UnixMillis(if at == from { time.0 ^ 1 } else { time.0 });
        appender.append(&mut batch, time, Said { event, subject, key, outcome });
    }
    appender.finish(&mut batch);
    store.write(&batch, Flush::Synced).unwrap();
    let edge = Edge::read(store, layout::END).unwrap();
    let head = last_head(store).unwrap().unwrap().head;
    let head = kvs_core::audit::Head { root: edge.frontier.root(), ..head };
    let signed = NodeKey::open(store).unwrap().sign(head);
    let mut batch = Batch::default();
    batch.put(Column::Local, layout::HEAD, &serde_json::to_vec(&signed).unwrap());
    store.write(&batch, Flush::Synced).unwrap();
}

/// Takes all entries from `size` on out of a log, and has its end fit, if it is to.
fn cut(site: &Site, size: u64, with_end: bool) {
    site.change(|store, batch| {
        let (mut appender, mut rows) = (Appender::default(), Batch::default());
        for sequence in 0..size {
            let entry = Entry::decode(&row(store, sequence)[32..]).unwrap();
            let Entry { time, event, subject, key, outcome, .. } = entry;
            appender.append(&mut rows, time, Said { event, subject, key, outcome });
        }
        for sequence in size..ENTRIES {
            batch.delete(Column::Audit, &layout::entry(sequence));
        }
        if with_end {
            appender.finish(batch);
        }
    });
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "where it fails, the seed says which bits they were")]
async fn a_flipped_bit_in_any_entry_is_named() {
    let seed: u64 = rand::random();
    println!("bits are flipped by the seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let site = Site::with(ENTRIES).await;
    for sequence in 0..ENTRIES {
        let mut whole = Vec::new();
        site.change(|store, batch| {
            whole = row(store, sequence);
            let mut flipped = whole.clone();
            let at = rng.random_range(..flipped.len());
            flipped[at] ^= 1 << rng.random_range(0..8);
            batch.put(Column::Audit, &layout::entry(sequence), &flipped);
        });
        let (tampered, said) = named(&site);
        assert_eq!(tampered, Tampered::Altered(sequence));
        assert!(said.contains(&format!("the store: entry {sequence} was altered")), "{said}");
        site.change(|_, batch| batch.put(Column::Audit, &layout::entry(sequence), &whole));
    }
    site.verify().unwrap();
}

#[tokio::test]
async fn a_dropped_entry_is_named() {
    for sequence in [0, 1, ENTRIES / 2, ENTRIES - 2] {
        let site = Site::with(ENTRIES).await;
        site.change(|_, batch| batch.delete(Column::Audit, &layout::entry(sequence)));
        assert_eq!(named(&site).0, Tampered::Missing(sequence));
    }
}

#[tokio::test]
async fn reordered_entries_are_named() {
    let site = Site::with(ENTRIES).await;
    site.change(|store, batch| {
        let (one, other) = (row(store, 5), row(store, 17));
        batch.put(Column::Audit, &layout::entry(5), &other);
        batch.put(Column::Audit, &layout::entry(17), &one);
    });
    assert_eq!(named(&site).0, Tampered::Misplaced { sequence: 5, found: 17 });
}

#[tokio::test]
async fn a_replaced_entry_is_named_between_its_neighbours() {
    let site = Site::with(ENTRIES).await;
    site.change(|store, batch| {
        let mut entry = Entry::decode(&row(store, 9)[32..]).unwrap();
        entry.subject = Subject::Socket;
        let forged = kvs_core::audit::row(&entry.encode());
        batch.put(Column::Audit, &layout::entry(9), &forged);
    });
    let (tampered, _) = named(&site);
    assert_eq!((tampered.first(), tampered), (9, Tampered::Unchained(10)));
}

#[tokio::test]
async fn a_log_that_was_cut_is_named_even_if_its_end_was_made_to_fit() {
    let site = Site::with(ENTRIES).await;
    cut(&site, 30, false);
    assert_eq!(named(&site).0, Tampered::Truncated { size: 30, signed: ENTRIES });
    let site = Site::with(ENTRIES).await;
    cut(&site, 30, true);
    assert_eq!(named(&site).0, Tampered::Truncated { size: 30, signed: ENTRIES });
}

#[tokio::test]
async fn a_node_says_at_every_start_that_its_log_was_cut() {
    let site = Site::with(ENTRIES).await;
    cut(&site, 30, true);
    for size in 31..34 {
        let running = site.start();
        // It signs what it goes on with, and that is no reason to forget.
        keep(&running.node).await;
        assert!(running.node.audit().figures().unwrap().tampered, "{size}");
        running.stop().await.unwrap();
        assert_eq!(named(&site).0, Tampered::Truncated { size, signed: ENTRIES });
    }
    let running = site.start();
    fill(&running.node, 20).await;
    running.stop().await.unwrap();
    let fault = named(&site).0;
    assert!(matches!(fault, Tampered::Unsigned { size: ENTRIES, .. }), "{fault}");
}

#[tokio::test]
async fn a_node_says_at_every_start_that_its_log_has_other_entries_than_it_signed() {
    let site = Site::with(300).await;
    let store = site.store();
    let signed = store.get(Column::Local, layout::HEAD).unwrap().unwrap();
    rewrite(&store, &site.path(), 280);
    drop(store);
    site.change(|_, batch| batch.put(Column::Local, layout::HEAD, &signed));
    for _ in 0..2 {
        let running = site.start();
        assert!(running.node.audit().figures().unwrap().tampered);
        running.stop().await.unwrap();
        let fault = named(&site).0;
        assert!(matches!(fault, Tampered::Unsigned { size: 300, .. }), "{fault}");
    }
}

#[tokio::test]
async fn what_stands_beside_the_entries_is_compared_with_them() {
    let site = Site::with(600).await;
    site.change(|_, batch| batch.put(Column::Audit, &layout::node(8, 1), &[7; 32]));
    let fault = site.verify().unwrap_err();
    assert!(matches!(fault, Fault::Node { first: 256, count: 256 }), "{fault}");

    let site = Site::with(ENTRIES).await;
    site.change(|_, batch| batch.put(Column::Local, layout::END, &Edge::default().to_bytes()));
    let fault = site.verify().unwrap_err();
    assert!(matches!(fault, Fault::Edge { what: "ends", found: ENTRIES, said: 0 }), "{fault}");

    let site = Site::with(ENTRIES).await;
    site.change(|store, batch| {
        let mut head: SignedHead = last_head(store).unwrap().unwrap();
        head.head.size -= 1;
        batch.put(Column::Local, layout::HEAD, &serde_json::to_vec(&head).unwrap());
    });
    let said = site.verify().unwrap_err().to_string();
    assert!(said.contains("does not bear the node's signature"), "{said}");

    let site = Site::with(ENTRIES).await;
    site.change(|_, batch| batch.put(Column::Audit, b"stray", b"row"));
    let said = site.verify().unwrap_err().to_string();
    assert!(said.contains("behind entry 40 is a row that no log has"), "{said}");
}

#[tokio::test]
async fn a_log_made_anew_with_the_node_s_key_is_unmasked_by_a_head_that_another_kept() {
    let site = Site::with(ENTRIES).await;
    let store = site.store();
    let (head, key) =
        (last_head(&store).unwrap().unwrap(), *NodeKey::open(&store).unwrap().public());
    rewrite(&store, &site.path(), 20);
    drop(store);
    site.verify().unwrap();
    let kept = verify::Kept { by: "node2".to_owned(), head, key };
    let order = Order { kept: vec![kept.clone()], without_archives: false };
    let fault = verify::directory(&site.path(), &order).unwrap_err();
    let Fault::Entry { source: Tampered::Unsigned { from, size }, .. } = fault else {
        panic!("{fault}")
    };
    assert_eq!((from, size), (0, ENTRIES));
    let other = verify::Kept { key: [1; 32], ..kept };
    let order = Order { kept: vec![other], without_archives: false };
    let said = verify::directory(&site.path(), &order).unwrap_err().to_string();
    assert!(said.contains("node2: the head over 40 entries does not bear"), "{said}");
}

#[tokio::test]
async fn a_file_of_the_store_that_is_flipped_cut_or_gone_is_named() {
    let site = Site::with(600).await;
    let store = site.store();
    for column in [Column::Audit, Column::Local] {
        store.compact(column).unwrap();
    }
    drop(store);
    site.verify().unwrap();
    let files = std::fs::read_dir(site.path().join("store")).unwrap();
    let tables: Vec<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sst"))
        .collect();
    assert!(tables.len() >= 2, "{tables:?}");
    let mut noticed = 0;
    for path in tables {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 3] ^= 4;
        for damaged in [Some(flipped), Some(whole[..whole.len() / 2].to_vec()), None] {
            match &damaged {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            match site.verify() {
                // What is flipped there is of another column.
                Ok(_) => assert!(damaged.is_some(), "{name}"),
                Err(fault) => {
                    assert!(fault.to_string().contains(&name), "{name}: {fault}");
                    noticed += 1;
                }
            }
        }
        std::fs::write(&path, &whole).unwrap();
    }
    assert!(noticed >= 6, "{noticed}");
    site.verify().unwrap();
}
