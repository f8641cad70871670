//! What nodes know of each other's logs.

use std::collections::BTreeMap;

use kvs_core::UnixMillis;
use kvs_core::audit::Head;
use kvs_core::audit::tree::{self, Nodes};

use super::*;
use crate::audit::exchange::{Answer, Rewritten, Seen, Unusable, judge};
use crate::audit::log::Log;
use crate::store::{MemoryStore, Store as _};

const AT: UnixMillis = UnixMillis(9);

/// A log in memory, with the key of its node.
struct Author {
    store: MemoryStore,
    key: NodeKey,
}

impl Author {
    fn new(entries: u64) -> Self {
        Self::altered(entries, u64::MAX)
    }

    /// The same but for one entry.
    fn altered(entries: u64, which: u64) -> Self {
        let store = MemoryStore::default();
        let (mut appender, mut batch) = (Appender::default(), Batch::default());
        for at in 0..entries {
            let said = Said {
                event: Event::LoginFailures(u32::from(at == which)),
                subject: Subject::Node,
                key: None,
                outcome: Outcome::Done,
            };
            appender.append(&mut batch, UnixMillis(at), said);
        }
        appender.finish(&mut batch);
        store.write(&batch, Flush::Synced).unwrap();
        let key = NodeKey::open(&store).unwrap();
        Self { store, key }
    }

    /// With the key of another log.
    fn signing_as(self, other: &Self) -> Self {
        let seed = other.store.get(Column::Local, layout::KEY).unwrap().unwrap();
        let mut batch = Batch::default();
        batch.put(Column::Local, layout::KEY, &seed);
        self.store.write(&batch, Flush::Synced).unwrap();
        let key = NodeKey::open(&self.store).unwrap();
        Self { key, ..self }
    }

    fn answer(&self, size: u64, since: Option<u64>) -> Answer {
        let log = Log::open(&self.store, Path::new("nowhere")).unwrap();
        let root = tree::root(&log, size).unwrap();
        let head =
            Head { cluster: Uuid::from_u128(1), node: node(), size, root, time: UnixMillis(5) };
        let proof = since.and_then(|since| log.consistency(since, size).unwrap());
        Answer { head: self.key.sign(head), key: *self.key.public(), proof }
    }
}

fn node() -> NodeId {
    NodeId::new(Uuid::from_u128(2))
}

fn look(known: Option<&Seen>, answer: Answer) -> Result<Seen, Unusable> {
    judge((Uuid::from_u128(1), node()), known, answer, AT)
}

fn why(seen: &Seen) -> Option<Rewritten> {
    seen.alarm.as_ref().map(|alarm| alarm.why)
}

#[test]
fn a_log_that_grows_is_followed() {
    let author = Author::new(1_000);
    let mut seen = look(None, author.answer(3, None)).unwrap();
    for size in [3, 4, 255, 256, 700, 1_000] {
        let since = seen.head.head.size;
        seen = look(Some(&seen), author.answer(size, Some(since))).unwrap();
        assert_eq!((seen.head.head.size, why(&seen)), (size, None));
    }
}

#[test]
fn a_log_that_was_rewritten_is_known_and_the_first_proof_of_it_is_kept() {
    let author = Author::new(300);
    let seen = look(None, author.answer(200, None)).unwrap();
    let forger = Author::altered(300, 100).signing_as(&author);
    let cases = [
        (author.answer(150, Some(150)), Rewritten::Shorter),
        (forger.answer(200, Some(200)), Rewritten::Entries),
        (forger.answer(300, Some(200)), Rewritten::NoProof),
        (author.answer(300, None), Rewritten::NoProof),
        (Author::new(300).answer(300, Some(200)), Rewritten::Key),
    ];
    for (answer, expected) in cases {
        let alarmed = look(Some(&seen), answer.clone()).unwrap();
        assert_eq!((why(&alarmed), &alarmed.head), (Some(expected), &seen.head));
        assert_eq!(alarmed.alarm.as_ref().unwrap().head, answer.head);
        let later = look(Some(&alarmed), author.answer(300, Some(200))).unwrap();
        assert_eq!(why(&later), Some(expected), "it stays");
    }
    // Before what was altered both are the same.
    let early = look(None, author.answer(90, None)).unwrap();
    let grown = look(Some(&early), forger.answer(300, Some(90))).unwrap();
    assert_eq!(why(&grown), None);
}

#[test]
fn what_is_not_signed_or_is_of_another_node_says_nothing() {
    let author = Author::new(10);
    let mut forged = author.answer(10, None);
    forged.head.head.size = 9;
    assert_eq!(look(None, forged), Err(Unusable::Signature));
    let mut other = author.answer(10, None);
    other.key = [3; 32];
    assert_eq!(look(None, other), Err(Unusable::Signature));
    let strange = judge((Uuid::nil(), node()), None, author.answer(10, None), AT);
    assert_eq!(strange, Err(Unusable::Unrelated));
}

#[test]
fn what_a_node_keeps_of_others_survives_its_row() {
    let author = Author::new(10);
    let seen = look(None, author.answer(10, None)).unwrap();
    let alarmed = look(Some(&seen), author.answer(4, None)).unwrap();
    for seen in [seen, alarmed] {
        let row = serde_json::to_vec(&seen).unwrap();
        assert_eq!(serde_json::from_slice::<Seen>(&row).unwrap(), seen);
    }
}

#[test]
fn subtrees_below_the_rows_are_worked_out() {
    let author = Author::new(300);
    let log = Log::open(&author.store, Path::new("nowhere")).unwrap();
    let (left, right) = (log.node(7, 0).unwrap(), log.node(7, 1).unwrap());
    assert_eq!(tree::node_hash(&left, &right), log.node(8, 0).unwrap());
}

#[tokio::test]
async fn only_members_are_counted_and_what_was_known_of_others_is_kept() {
    let site = Site::new();
    let running = site.start();
    let author = Author::new(10);
    let fine = look(None, author.answer(10, None)).unwrap();
    let alarmed = look(Some(&fine), author.answer(4, None)).unwrap();
    let [member, gone] = [1, 2].map(|number| NodeId::new(Uuid::from_u128(number)));
    let (node, news) = (running.node.clone(), BTreeMap::from([(member, fine), (gone, alarmed)]));
    let keeping = tokio::task::spawn_blocking(move || node.audit().keep_seen(news).unwrap());
    keeping.await.unwrap();
    let audit = running.node.audit();
    let count = |members: &[NodeId]| {
        let PeerFigures { consistent, rewritten, silent } =
            audit.peer_figures(&members.iter().copied().collect());
        (consistent, rewritten, silent)
    };
    assert_eq!(count(&[]), (0, 0, 0));
    assert_eq!(count(&[member]), (1, 0, 0));
    assert_eq!(count(&[member, gone]), (1, 1, 0));
    assert!(audit.peers()[&gone].alarm.is_some());
    running.stop().await.unwrap();
}
