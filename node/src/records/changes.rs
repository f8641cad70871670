//! What changed below a prefix: in commit order from a position, or by time.

use kvs_core::{BodyKind, Head, Key, Kind, Prefix, RecordId, Stamp, UnixMillis};

use super::cursor::number;
use super::{Cursor, Page, View};
use crate::store::{self, Column, StoreError, rows};

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A value was written.
    Put,
    /// A value was deleted.
    Delete,
    /// A value's time passed.
    Expire,
    /// Metadata was set or removed.
    Metadata,
}

impl Operation {
    /// The operation as the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Expire => "expire",
            Self::Metadata => "metadata",
        }
    }
}

/// A change, as it still shows: of several changes of one record only the last does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<P> {
    /// What happened.
    pub operation: Operation,
    /// To which key.
    pub key: Key,
    /// The version that it left.
    pub head: Head,
    /// Where to go on after this change.
    pub position: P,
}

/// A position in commit order. Good for as long as the store remembers its incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The store's name for its commit order.
    pub incarnation: u64,
    /// The last commit that was seen.
    pub sequence: u64,
    /// Up to when expiries were told: all deaths before this stamp.
    pub expired: Stamp,
}

impl Cursor for Position {
    const TAG: u8 = b'c';

    fn parts(&self) -> Vec<Vec<u8>> {
        let numbers = [self.incarnation, self.sequence, self.expired.bits()];
        numbers.iter().map(|number| number.to_be_bytes().to_vec()).collect()
    }

    fn from_parts(parts: &[&[u8]]) -> Option<Self> {
        let [incarnation, sequence, expired] = parts else { return None };
        Some(Self {
            incarnation: number(incarnation)?,
            sequence: number(sequence)?,
            expired: Stamp::from_bits(number(expired)?),
        })
    }
}

/// A span of time, from its start up to but without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first millisecond.
    pub since: UnixMillis,
    /// The first millisecond after it.
    pub until: UnixMillis,
}

/// A position in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimePosition {
    /// The least row of `by_time` that may come next.
    writes: Vec<u8>,
    /// The least row of `dies` that may come next.
    deaths: Vec<u8>,
}

impl Cursor for TimePosition {
    const TAG: u8 = b't';

    fn parts(&self) -> Vec<Vec<u8>> {
        vec![self.writes.clone(), self.deaths.clone()]
    }

    fn from_parts(parts: &[&[u8]]) -> Option<Self> {
        let [writes, deaths] = parts else { return None };
        Some(Self { writes: writes.to_vec(), deaths: deaths.to_vec() })
    }
}

impl View<'_> {
    /// Changes below `prefix` after `from`, in commit order, then the expiries that came to pass
    /// since. `next` is always there: it is where to go on once more happens; `more` says whether
    /// something may be found there now.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn changes_after(
        &self,
        prefix: &Prefix,
        from: Position,
        limit: usize,
    ) -> Result<(Page<Change<Position>, Position>, bool), StoreError> {
        let mut at = from;
        let mut items = Vec::new();
        let start = rows::log(at.sequence.saturating_add(1));
        let mut log = self.read.cursor(Column::Log, &start, &[0xff; 9]);
        let mut budget = self.scan_keys;
        while let Some((row, record)) = log.next()? {
            at.sequence = rows::log_sequence(row).unwrap_or(at.sequence);
            items.extend(self.change(prefix, record, at, None)?);
            budget -= 1;
            if items.len() >= limit || budget == 0 {
                return Ok((Page { items, next: Some(at) }, true));
            }
        }
        let more = self.expiries_after(prefix, &mut at, limit, budget, &mut items)?;
        Ok((Page { items, next: Some(at) }, more))
    }

    /// When, by what is known now, the first expiry comes that is to be told after `position`, of
    /// any record.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn next_expiry(&self, position: Position) -> Result<Option<UnixMillis>, StoreError> {
        let start = position.expired.bits().to_be_bytes();
        let mut deaths = self.read.cursor(Column::Dies, &start, &[0xff; 9]);
        let Some((row, _)) = deaths.next()? else { return Ok(None) };
        let (death, _) = rows::read_timed(Column::Dies, row)?;
        Ok(Some(death.millis()))
    }

    /// Adds the expiries from `at` to now; says whether a bound cut them short.
    fn expiries_after(
        &self,
        prefix: &Prefix,
        at: &mut Position,
        limit: usize,
        budget: usize,
        items: &mut Vec<Change<Position>>,
    ) -> Result<bool, StoreError> {
        let now = Stamp::at(UnixMillis(self.now.0 + 1));
        let (start, end) = (at.expired.bits().to_be_bytes(), now.bits().to_be_bytes());
        let mut deaths = self.read.cursor(Column::Dies, &start, &end);
        let mut seen = 0;
        while let Some((row, _)) = deaths.next()? {
            let (death, record) = rows::read_timed(Column::Dies, row)?;
            // Deaths of one stamp are told together: a position lies between stamps.
            let full = items.len() >= limit || seen >= budget;
            if full && death > at.expired {
                at.expired = death;
                return Ok(true);
            }
            at.expired = death;
            seen += 1;
            let position = Position { expired: death.next(), ..*at };
            items.extend(self.change(prefix, &record.encode(), position, Some(death))?);
        }
        at.expired = at.expired.max(now);
        Ok(false)
    }

    /// The change that a record's newest version shows, if it lies below `prefix` and the caller
    /// may know of it. With `death` it is the expiry at that stamp, if that is what killed it.
    fn change<P>(
        &self,
        prefix: &Prefix,
        row: &[u8],
        position: P,
        death: Option<Stamp>,
    ) -> Result<Option<Change<P>>, StoreError> {
        let record = super::record_of(row)?;
        if !within(prefix, &record.key) {
            return Ok(None);
        }
        let Some(value) = self.read.get(Column::Data, row)? else { return Ok(None) };
        let named = |error| rows::damaged(Column::Data, row, error);
        let (_, head) = kvs_core::codec::decode_row_head(&value).map_err(named)?;
        if !self.may_see(&record, &head)? {
            return Ok(None);
        }
        let expiry = head.body != BodyKind::Tombstone && head.dies() == death;
        let operation = match (record.kind, head.body, death) {
            (Kind::Value, _, Some(_)) if expiry => Operation::Expire,
            (_, _, Some(_)) => return Ok(None),
            (Kind::Meta, _, None) => Operation::Metadata,
            (Kind::Value, BodyKind::Tombstone, None) => Operation::Delete,
            (Kind::Value, _, None) => Operation::Put,
        };
        Ok(Some(Change { operation, key: record.key, head, position }))
    }

    /// Whether the caller may know of a record whose newest version is `head`.
    fn may_see(&self, record: &RecordId, head: &Head) -> Result<bool, StoreError> {
        match record.kind {
            Kind::Value => self.may_read(&record.key, Some(head)),
            Kind::Meta if self.caller.is_unlimited() => self.may_read(&record.key, None),
            Kind::Meta => {
                let value = self.row(&RecordId::value(record.key.clone()))?;
                let value = value.map(|(_, version)| version.head());
                self.may_read(&record.key, value.as_ref())
            }
        }
    }

    /// What changed below `prefix` within a span of time, in the order of time, expiries included.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn changes_between(
        &self,
        prefix: &Prefix,
        range: TimeRange,
        after: Option<&TimePosition>,
        limit: usize,
    ) -> Result<Page<Change<TimePosition>, TimePosition>, StoreError> {
        let start = Stamp::at(range.since).bits().to_be_bytes().to_vec();
        let end = Stamp::at(range.until).bits().to_be_bytes();
        // What is to expire later has not changed yet.
        let dead = Stamp::at(range.until.min(UnixMillis(self.now.0 + 1))).bits().to_be_bytes();
        let mut at =
            after.cloned().unwrap_or(TimePosition { writes: start.clone(), deaths: start });
        let mut writes = Ahead::new(self.read.cursor(Column::ByTime, &at.writes, &end))?;
        let mut deaths = Ahead::new(self.read.cursor(Column::Dies, &at.deaths, &dead))?;
        let mut items = Vec::new();
        for _ in 0..self.scan_keys {
            let death = match (&writes.row, &deaths.row) {
                (None, None) => return Ok(Page { items, next: None }),
                (Some(write), Some(death)) => death < write,
                (write, _) => write.is_none(),
            };
            let (column, row) = if death {
                (Column::Dies, deaths.take(&mut at.deaths)?)
            } else {
                (Column::ByTime, writes.take(&mut at.writes)?)
            };
            let (stamp, record) = rows::read_timed(column, &row)?;
            let killed = death.then_some(stamp);
            items.extend(self.change(prefix, &record.encode(), at.clone(), killed)?);
            if items.len() >= limit {
                break;
            }
        }
        let done = writes.row.is_none() && deaths.row.is_none();
        Ok(Page { items, next: (!done).then_some(at) })
    }
}

fn within(prefix: &Prefix, key: &Key) -> bool {
    prefix.covers(key) || matches!(prefix, Prefix::Under(above) if above == key)
}

/// A cursor with the row that comes next already read.
struct Ahead<'a> {
    cursor: Box<dyn store::Cursor + 'a>,
    row: Option<Vec<u8>>,
}

impl<'a> Ahead<'a> {
    fn new(mut cursor: Box<dyn store::Cursor + 'a>) -> Result<Self, StoreError> {
        let row = cursor.next()?.map(|(row, _)| row.to_vec());
        Ok(Self { cursor, row })
    }

    /// Takes the row, reads the next, and moves `position` past what was taken.
    fn take(&mut self, position: &mut Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let next = self.cursor.next()?.map(|(row, _)| row.to_vec());
        let row = std::mem::replace(&mut self.row, next).unwrap_or_default();
        position.clone_from(&row);
        position.push(0);
        Ok(row)
    }
}
