//! A replica in memory, and two of them in conversation.

use std::convert::Infallible;

use uuid::Uuid;

use crate::digest::{Entry, FANOUT, Item, Leaf, Position, Summary, Tree};
use crate::sync::{
    Conversation, Counts, Fetch, Listed, Next, Node, Replica, Request, Response, TurnError,
    resolve, respond,
};
use crate::{Outcome, Rank, Stamp, UnixMillis, VersionId, merge};

/// What HTTP/2 adds to a message.
const FRAME: usize = 5;
/// What a version has apart from its value, compressed with others.
const VERSION: usize = 45;

/// A record is a number here. One with this bit shares the position of the one without.
pub(super) const TWIN: u64 = 1 << 63;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) position: u64,
    pub(super) record: u64,
    pub(super) rank: Rank,
}

#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) rows: Vec<Row>,
    pub(super) tree: Tree,
}

/// A rank of which only stamp and identity matter.
pub(super) fn rank(stamp: u64, uuid: u128) -> Rank {
    let uuid = VersionId::new(Uuid::from_u128(uuid));
    Rank { stamp: Stamp::from_bits(stamp), origin_joined: UnixMillis(0), uuid }
}

/// One round of `SplitMix64`: a hash good enough to stand for a keyed one.
pub(super) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

impl Row {
    pub(super) fn new(record: u64, rank: Rank) -> Self {
        Self { position: mix(record & !TWIN), record, rank }
    }

    pub(super) fn leaf(&self) -> Leaf {
        let (high, low) = self.rank.uuid.uuid().as_u64_pair();
        let parts = [self.record, self.rank.stamp.bits(), high, low];
        let hash = |seed| parts.iter().fold(seed, |hash, part| mix(hash ^ part));
        Leaf {
            position: Position(self.position),
            item: Item([hash(u64::MAX / 3), hash(u64::MAX / 7)]),
        }
    }

    fn listed(&self) -> Listed {
        let Leaf { position, item } = self.leaf();
        let entry = Entry { stamp: self.rank.stamp, uuid: self.rank.uuid };
        Listed { position, record: self.record.to_be_bytes().to_vec(), entry, item }
    }

    fn place(&self) -> (u64, u64) {
        (self.position, self.record)
    }
}

impl Store {
    pub(super) fn new(depth: u32, rows: impl IntoIterator<Item = Row>) -> Self {
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_unstable_by_key(Row::place);
        let mut leaves = vec![Summary::default(); FANOUT.pow(depth)];
        for row in &rows {
            let leaf = row.leaf();
            let at = leaf.position.0.checked_shr(64 - 4 * depth).unwrap_or(0);
            let sum = &mut leaves[usize::try_from(at).unwrap()];
            sum.sum = [0, 1].map(|lane| sum.sum[lane].wrapping_add(leaf.item.0[lane]));
            sum.count += 1;
        }
        Self { rows, tree: Tree::from_leaves(depth, leaves.into_iter()).unwrap() }
    }

    pub(super) fn find(&self, record: u64) -> Option<Rank> {
        let place = Row::new(record, rank(0, 0)).place();
        self.rows.binary_search_by_key(&place, Row::place).ok().map(|at| self.rows[at].rank)
    }

    pub(super) fn write(&mut self, record: u64, rank: Rank) {
        let row = Row::new(record, rank);
        self.tree.add(row.leaf());
        match self.rows.binary_search_by_key(&row.place(), Row::place) {
            Ok(at) => {
                self.tree.remove(self.rows[at].leaf());
                self.rows[at] = row;
            }
            Err(at) => self.rows.insert(at, row),
        }
    }

    pub(super) fn merge_all(&mut self, incoming: Vec<(u64, Rank)>) {
        for (record, rank) in incoming {
            let current = self.find(record);
            if current.is_none_or(|current| matches!(merge(&current, &rank), Outcome::Second(_))) {
                self.write(record, rank);
            }
        }
    }
}

impl Replica for Store {
    type Error = Infallible;

    fn depth(&self) -> u32 {
        self.tree.depth()
    }

    fn summary(&self, level: u32, index: u64) -> Summary {
        self.tree.summary(level, usize::try_from(index).unwrap())
    }

    fn list(
        &self,
        start: Position,
        end: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Listed>, Infallible> {
        let first = self.rows.partition_point(|row| row.position < start.0);
        let rows = self.rows[first..].iter();
        let within = rows.take_while(|row| end.is_none_or(|end| row.position < end.0));
        Ok(within.take(limit).map(Row::listed).collect())
    }
}

/// A version that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) pushed: bool,
    pub(super) record: u64,
    pub(super) rank: Rank,
}

/// What a conversation did.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) requests: usize,
    pub(super) bytes: usize,
    pub(super) sent: Vec<Sent>,
    pub(super) suspects: [Vec<Node>; 2],
    pub(super) counts: Counts,
    pub(super) end: Next,
    /// The most records that one turn named.
    pub(super) named: usize,
}

/// Lets `mine` talk to `theirs` until the end; what is sent is merged at once.
pub(super) fn talk(clock: Stamp, mine: &mut Store, theirs: &mut Store) -> Talk {
    talk_while(clock, mine, theirs, |_, _| {})
}

/// The same while `happen` writes, before each answer and after it.
pub(super) fn talk_while(
    clock: Stamp,
    mine: &mut Store,
    theirs: &mut Store,
    mut happen: impl FnMut(&mut Store, &mut Store),
) -> Talk {
    let (mut conversation, mut request) = Conversation::start(clock, mine);
    let (counts, end) = (Counts::default(), Next::Agreed(clock));
    let (suspects, sent) = (Default::default(), Vec::new());
    let mut talk = Talk { requests: 0, bytes: 0, sent, suspects, counts, end, named: 0 };
    loop {
        happen(mine, theirs);
        let response = talk.ask(&request, theirs);
        happen(mine, theirs);
        let turn = conversation.turn(response, mine).unwrap();
        talk.named = talk.named.max(turn.push.len() + turn.fetch.positions().len());
        talk.suspects[0].extend(turn.suspects);
        let fetched = talk.fetch(&turn.fetch, theirs);
        let pushed = talk.send(true, &turn.push, mine);
        mine.merge_all(fetched);
        theirs.merge_all(pushed);
        match turn.next {
            Next::Ask(next) => request = next,
            end => return Talk { counts: conversation.counts(), end, ..talk },
        }
    }
}

impl Talk {
    fn ask(&mut self, request: &Request, theirs: &Store) -> Response {
        self.requests += 1;
        let request = Request::decode(&self.carry(request.encode())).unwrap();
        let answer = respond(&request, theirs).unwrap();
        self.suspects[1].extend(answer.suspects);
        Response::decode(&self.carry(answer.response.encode())).unwrap()
    }

    fn fetch(&mut self, fetch: &Fetch, theirs: &Store) -> Vec<(u64, Rank)> {
        if fetch.is_empty() {
            return Vec::new();
        }
        let fetch = Fetch::decode(&self.carry(fetch.encode())).unwrap();
        self.send(false, &resolve(&fetch, theirs).unwrap(), theirs)
    }

    fn send(&mut self, pushed: bool, records: &[Vec<u8>], from: &Store) -> Vec<(u64, Rank)> {
        self.bytes += if records.is_empty() { 0 } else { FRAME + VERSION * records.len() };
        let number = |record: &Vec<u8>| u64::from_be_bytes(record.as_slice().try_into().unwrap());
        let version = |record| (number(record), from.find(number(record)).unwrap());
        let versions: Vec<_> = records.iter().map(version).collect();
        self.sent.extend(versions.iter().map(|&(record, rank)| Sent { pushed, record, rank }));
        versions
    }

    fn carry(&mut self, message: Vec<u8>) -> Vec<u8> {
        self.bytes += FRAME + message.len();
        message
    }
}

/// What a conversation that goes wrong ends with: `spoil` changes each answer.
pub(super) fn spoiled(
    mine: &Store,
    theirs: &Store,
    mut spoil: impl FnMut(Response) -> Response,
) -> TurnError<Infallible> {
    let (mut conversation, mut request) = Conversation::start(Stamp::MAX, mine);
    loop {
        let response = spoil(respond(&request, theirs).unwrap().response);
        match conversation.turn(response, mine) {
            Ok(turn) => match turn.next {
                Next::Ask(next) => request = next,
                end => panic!("it ended well: {end:?}"),
            },
            Err(error) => return error,
        }
    }
}
