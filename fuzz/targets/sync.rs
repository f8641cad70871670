//! Bytes as messages of the repair conversation: nothing panics, what decodes survives its encoding,
//! whatever is asked is answered, and whatever is answered is taken in or refused.
#![no_main]

use std::convert::Infallible;
use std::sync::LazyLock;

use kvs_core::digest::{DigestKey, Entry, Leaf, Position, Summary, Tree};
use kvs_core::sync::{
    Conversation, Fetch, Listed, Next, Replica, Request, Response, resolve, respond,
};
use kvs_core::{Key, RecordId, Stamp, VersionId};
use libfuzzer_sys::fuzz_target;

const CLOCK: Stamp = Stamp::from_bits(1 << 40);

static MINE: LazyLock<Store> = LazyLock::new(|| Store::new(2, 0..90));
static THEIRS: LazyLock<Store> = LazyLock::new(|| Store::new(1, 20..100));

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = Request::decode(data) {
        assert_eq!(Request::decode(&request.encode()), Ok(request.clone()));
        // The one refusal: the children of leaves.
        if let Ok(answer) = respond(&request, &*MINE) {
            assert!(Response::decode(&answer.response.encode()).is_ok());
        }
    }
    if let Ok(response) = Response::decode(data) {
        assert_eq!(Response::decode(&response.encode()), Ok(response.clone()));
        for turns in 0..4 {
            take_in(turns, response.clone());
        }
    }
    if let Ok(fetch) = Fetch::decode(data) {
        assert_eq!(Fetch::decode(&fetch.encode()), Ok(fetch.clone()));
        assert!(resolve(&fetch, &*MINE).is_ok());
    }
});

/// Gives `response` to a conversation after some turns that went well.
fn take_in(turns: usize, response: Response) {
    let (mut conversation, mut request) = Conversation::start(CLOCK, &*MINE);
    for _ in 0..turns {
        let answer = respond(&request, &*THEIRS).expect("a real question is answered");
        let turn = conversation.turn(answer.response, &*MINE).expect("a real answer fits");
        let Next::Ask(next) = turn.next else { return };
        request = next;
    }
    if let Ok(turn) = conversation.turn(response, &*MINE)
        && let Next::Ask(next) = turn.next
    {
        assert_eq!(Request::decode(&next.encode()), Ok(next));
    }
}

struct Store {
    rows: Vec<Listed>,
    tree: Tree,
}

impl Store {
    fn new(depth: u32, records: std::ops::Range<u8>) -> Self {
        let key = DigestKey::new([7; 32]);
        let mut rows: Vec<_> = records.map(|record| listed(&key, record)).collect();
        rows.sort_by_key(|row| row.position);
        let mut tree = Tree::new(depth);
        rows.iter().for_each(|row| tree.add(Leaf { position: row.position, item: row.item }));
        Self { rows, tree }
    }
}

fn listed(key: &DigestKey, record: u8) -> Listed {
    let name = Key::client(&record.to_string()).expect("digits are a key");
    let record = RecordId::value(name).encode();
    let entry = Entry { stamp: Stamp::from_bits(1), uuid: VersionId::from_bytes([1; 16]) };
    Listed { position: key.position(&record), item: key.item(&record, &entry), record, entry }
}

impl Replica for Store {
    type Error = Infallible;

    fn depth(&self) -> u32 {
        self.tree.depth()
    }

    fn summary(&self, level: u32, index: u64) -> Summary {
        self.tree.summary(level, usize::try_from(index).expect("a tree's nodes are in memory"))
    }

    fn list(
        &self,
        start: Position,
        end: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Listed>, Infallible> {
        let within =
            |row: &&Listed| start <= row.position && end.is_none_or(|end| row.position < end);
        Ok(self.rows.iter().filter(within).take(limit).cloned().collect())
    }
}
