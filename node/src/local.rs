//! What a node knows about itself: the rows of the column `local`.

pub mod cluster;
pub mod copy;

use std::path::Path;

use kvs_core::digest::DigestKey;
use kvs_core::{Format, NodeId, Origin, Stamp, UnixMillis};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audit;
use crate::store::rows::{self, local};
use crate::store::{Batch, Column, Flush, OpenError, OwnedRow, Read, Store, StoreError, sweep};

/// Rows that stay when a store is emptied.
const KEPT: [&[u8]; 4] = [local::CLOCK, local::STARTS, local::MADE_FILE, local::MODE];

/// What the row of the mode may say.
const READ_ONLY: &[u8] = b"read_only";
const NORMAL: &[u8] = b"normal";

/// Columns that are about the node, whatever data it has.
const OF_THE_NODE: [Column; 2] = [Column::Local, Column::Audit];

/// How many earlier incarnations are remembered; cursors of older ones start over.
const REMEMBERED_INCARNATIONS: usize = 64;

/// A node's identity, made at its first start.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Which node this is.
    pub node: NodeId,
    /// When it first started.
    pub joined: UnixMillis,
    /// The secret of the digest tree.
    pub digest_key: DigestKey,
    /// The cluster it was born into or taken into, if it has been.
    pub cluster: Option<Uuid>,
}

/// What makes an empty store a member of a cluster.
#[derive(Clone, Debug)]
pub struct Birth {
    /// Who the node is from then on.
    pub identity: Identity,
    /// No stamp up to this is given out by it.
    pub clock: Stamp,
    /// Up to where its cluster has forgotten the dead.
    pub horizon: Stamp,
    /// In which format its cluster writes.
    pub format: Format,
}

impl Identity {
    /// What this node's versions carry.
    pub const fn origin(&self) -> Origin {
        Origin { node: self.node, joined: self.joined }
    }
}

/// The names under which positions in `log` are meaningful.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnations {
    /// The store's present name: new after every start that a clean stop did not precede.
    pub current: u64,
    /// Earlier names, newest first, each with the last position that survived of it.
    past: Vec<(u64, u64)>,
}

impl Incarnations {
    /// Where a reader goes on that had read up to `position` of `incarnation`; nothing if that is
    /// not known here.
    pub fn resume(&self, incarnation: u64, position: u64) -> Option<u64> {
        if incarnation == self.current {
            return Some(position);
        }
        let (_, survived) = self.past.iter().find(|(name, _)| *name == incarnation)?;
        Some(position.min(*survived))
    }

    fn begin(&mut self, name: u64, survived: u64) {
        self.past.insert(0, (self.current, survived));
        self.past.truncate(REMEMBERED_INCARNATIONS);
        self.current = name;
    }
}

/// What a start finds, or makes, in the column `local`.
#[derive(Clone, Debug)]
pub struct LocalState {
    /// Who this node is.
    pub identity: Identity,
    /// Names for positions in `log`.
    pub incarnations: Incarnations,
    /// No stamp beyond this was handed out before.
    pub clock_floor: Stamp,
    /// The sequence of the next commit.
    pub next_sequence: u64,
    /// Up to where the dead were collected.
    pub horizon: Stamp,
    /// Whether the last stop was a clean one.
    pub clean: bool,
    /// In which format versions are written.
    pub format: Format,
}

/// What a clean stop leaves.
#[derive(Serialize, Deserialize)]
struct Clean {
    next_sequence: u64,
    clock: u64,
}

#[derive(Serialize, Deserialize)]
struct IdentityRow {
    node: Uuid,
    joined: u64,
    digest_key: [u8; 32],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<Uuid>,
}

impl From<&Identity> for IdentityRow {
    fn from(identity: &Identity) -> Self {
        Self {
            node: identity.node.uuid(),
            joined: identity.joined.0,
            digest_key: *identity.digest_key.bytes(),
            cluster: identity.cluster,
        }
    }
}

impl From<IdentityRow> for Identity {
    fn from(row: IdentityRow) -> Self {
        Self {
            node: NodeId::new(row.node),
            joined: UnixMillis(row.joined),
            digest_key: DigestKey::new(row.digest_key),
            cluster: row.cluster,
        }
    }
}

/// Reads the local rows, makes them in a new store, and marks the store as running.
///
/// # Errors
///
/// The store is of a newer format, or its rows cannot be read or written.
pub fn open(store: &dyn Store, path: &Path, now: UnixMillis) -> Result<LocalState, OpenError> {
    open_up_to(store, path, now, Format::NEWEST)
}

/// The same for a node that knows no later format than `newest`.
///
/// # Errors
///
/// As [`open`].
pub fn open_up_to(
    store: &dyn Store,
    path: &Path,
    now: UnixMillis,
    newest: Format,
) -> Result<LocalState, OpenError> {
    empty_if_wanted(store, path, newest)?;
    read_or_make(store, now, newest)
        .map_err(|error| OpenError::Failed { path: path.to_owned(), reason: error.to_string() })
}

/// Empties a store that the last run wanted empty. It comes before all that is read of it, so that
/// nothing is believed of what was in it: the saved digest tree, for one.
///
/// # Errors
///
/// The store is of a newer format, or cannot be read or written.
pub fn empty_if_wanted(store: &dyn Store, path: &Path, newest: Format) -> Result<(), OpenError> {
    check_format(store, path, newest)?;
    empty_if_marked(store, path)
        .map_err(|error| OpenError::Failed { path: path.to_owned(), reason: error.to_string() })
}

fn check_format(store: &dyn Store, path: &Path, newest: Format) -> Result<(), OpenError> {
    let supported = u64::from(newest.number());
    let failed = |reason| OpenError::Failed { path: path.to_owned(), reason };
    let row = store.get(Column::Local, local::FORMAT).map_err(|error| failed(error.to_string()))?;
    match row.as_deref().map(number) {
        None => Ok(()),
        Some(Some(found)) if found <= supported => Ok(()),
        Some(Some(found)) => Err(OpenError::Newer { path: path.to_owned(), found, supported }),
        Some(None) => Err(failed("its format number is malformed".into())),
    }
}

/// Whether the node was told to refuse clients' writes.
///
/// # Errors
///
/// The row cannot be read.
pub fn read_only(store: &dyn Read) -> Result<bool, StoreError> {
    Ok(store.get(Column::Local, local::MODE)?.is_some_and(|mode| mode == READ_ONLY))
}

/// Up to where the dead were collected.
///
/// # Errors
///
/// The row cannot be read.
pub fn horizon(store: &dyn Read) -> Result<Option<Stamp>, StoreError> {
    Ok(read_number(store, local::HORIZON)?.map(Stamp::from_bits))
}

/// The row that says whether the node was told to refuse clients' writes.
pub fn read_only_row(read_only: bool) -> OwnedRow {
    let mode: &[u8] = if read_only { READ_ONLY } else { NORMAL };
    (local::MODE.to_vec(), mode.to_vec())
}

/// The row that says in which format versions are written.
pub fn format_row(format: Format) -> OwnedRow {
    (local::FORMAT.to_vec(), u64::from(format.number()).to_be_bytes().to_vec())
}

/// In which format a store's versions are written; a new one's in the newest, until it is taken into
/// a cluster that writes another.
fn read_format(store: &dyn Read, newest: Format) -> Result<Format, StoreError> {
    let number = read_number(store, local::FORMAT)?.and_then(|number| u8::try_from(number).ok());
    Ok(number.and_then(Format::of).unwrap_or(newest))
}

fn read_or_make(
    store: &dyn Store,
    now: UnixMillis,
    newest: Format,
) -> Result<LocalState, StoreError> {
    let mut batch = Batch::default();
    let clean: Option<Clean> = read_json(store, local::CLEAN)?;
    let survived = last_sequence(store)?;
    let floor = read_number(store, local::CLOCK)?.map_or(Stamp::MIN, Stamp::from_bits);
    let state = LocalState {
        identity: read_or_make_identity(store, now, &mut batch)?,
        incarnations: next_incarnations(store, clean.is_some(), survived)?,
        clock_floor: clean.as_ref().map_or(floor, |clean| Stamp::from_bits(clean.clock)),
        next_sequence: clean.as_ref().map_or(survived + 1, |clean| clean.next_sequence),
        horizon: read_number(store, local::HORIZON)?.map_or(Stamp::MIN, Stamp::from_bits),
        clean: clean.is_some(),
        format: read_format(store, newest)?,
    };
    let (name, format) = format_row(state.format);
    batch.put(Column::Local, &name, &format);
    put_json(&mut batch, local::INCARNATIONS, &state.incarnations)?;
    batch.delete(Column::Local, local::CLEAN);
    store.write(&batch, Flush::Synced)?;
    Ok(state)
}

/// Has the next start empty the store. The node then is the same one, unless it was `given_up`: its
/// old id is one of a node that is gone.
///
/// # Errors
///
/// The mark cannot be written.
pub fn mark_for_emptying(store: &dyn Store, given_up: bool) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    batch.put(Column::Local, local::EMPTYING, &[u8::from(given_up)]);
    store.write(&batch, Flush::Synced)
}

/// The same for a node that was a cluster of its own and is to join another: what it made that
/// cluster's file for is gone as well.
///
/// # Errors
///
/// The mark cannot be written.
pub fn mark_for_joining(store: &dyn Store) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    batch.put(Column::Local, local::EMPTYING, &[1]);
    batch.delete(Column::Local, local::MADE_FILE);
    store.write(&batch, Flush::Synced)
}

/// Removes everything but the node's name for itself and its tamper-evident log, if an earlier run wanted that. A crash on the
/// way leaves the mark, so that it goes on.
fn empty_if_marked(store: &dyn Store, path: &Path) -> Result<(), StoreError> {
    let Some(mark) = store.get(Column::Local, local::EMPTYING)? else { return Ok(()) };
    let known: Option<IdentityRow> = read_json(store, local::IDENTITY)?;
    let kept = known.filter(|_| mark != [1]);
    if kept.is_none() {
        // The log is that of a node which is no more.
        audit::retire(store, path).map_err(|error| StoreError::Failed(error.to_string()))?;
    }
    for column in Column::ALL.into_iter().filter(|column| !OF_THE_NODE.contains(column)) {
        sweep(store, column, (&[], &[0xff; 40]), |batch| store.write(&batch, Flush::Later))?;
    }
    let mut batch = Batch::default();
    let mut rows = store.cursor(Column::Local, &[], &[0xff]);
    while let Some((name, _)) = rows.next()? {
        if !KEPT.contains(&name) && !name.starts_with(audit::layout::LOCAL) {
            batch.delete(Column::Local, name);
        }
    }
    if let Some(row) = kept {
        put_json(&mut batch, local::IDENTITY, &IdentityRow { cluster: None, ..row })?;
    }
    store.write(&batch, Flush::Synced)
}

/// Marks the store as cleanly stopped.
///
/// # Errors
///
/// The mark cannot be written; the next start then counts as one after a crash.
pub fn close(store: &dyn Store, next_sequence: u64, clock: Stamp) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    let clean = Clean { next_sequence, clock: clock.bits() };
    put_json(&mut batch, local::CLEAN, &clean)?;
    store.write(&batch, Flush::Synced)
}

/// Who the node of a store is, if one ever ran on it.
///
/// # Errors
///
/// The row cannot be read.
pub fn identity(store: &dyn Read) -> Result<Option<Identity>, StoreError> {
    Ok(read_json::<IdentityRow>(store, local::IDENTITY)?.map(Identity::from))
}

fn read_or_make_identity(
    store: &dyn Store,
    now: UnixMillis,
    batch: &mut Batch,
) -> Result<Identity, StoreError> {
    if let Some(known) = identity(store)? {
        return Ok(known);
    }
    let node = NodeId::new(Uuid::new_v4());
    let digest_key = DigestKey::new(rand::random());
    let identity = Identity { node, joined: now, digest_key, cluster: None };
    put_json(batch, local::IDENTITY, &IdentityRow::from(&identity))?;
    Ok(identity)
}

fn next_incarnations(
    store: &dyn Store,
    clean: bool,
    survived: u64,
) -> Result<Incarnations, StoreError> {
    match read_json::<Incarnations>(store, local::INCARNATIONS)? {
        None => Ok(Incarnations { current: rand::random(), past: Vec::new() }),
        Some(incarnations) if clean => Ok(incarnations),
        Some(mut incarnations) => {
            incarnations.begin(rand::random(), survived);
            Ok(incarnations)
        }
    }
}

/// The sequence of the last commit that still shows in `log`; 0 if none does.
///
/// # Errors
///
/// The row cannot be read.
pub fn last_sequence(store: &dyn Read) -> Result<u64, StoreError> {
    let last = store.last(Column::Log)?;
    Ok(last.and_then(|(row, _)| rows::log_sequence(&row)).unwrap_or(0))
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn read_number(store: &dyn Read, name: &[u8]) -> Result<Option<u64>, StoreError> {
    let Some(bytes) = store.get(Column::Local, name)? else { return Ok(None) };
    number(&bytes).map(Some).ok_or_else(|| malformed(name, "not a number"))
}

fn read_json<T: for<'a> Deserialize<'a>>(
    store: &dyn Read,
    name: &[u8],
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = store.get(Column::Local, name)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| malformed(name, &error.to_string()))
}

fn put_json(batch: &mut Batch, name: &[u8], value: &impl Serialize) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(value).map_err(|error| malformed(name, &error.to_string()))?;
    batch.put(Column::Local, name, &bytes);
    Ok(())
}

fn json_row(name: Vec<u8>, value: &impl Serialize) -> OwnedRow {
    // Structs of numbers, strings and lists always serialize.
    (name, serde_json::to_vec(value).unwrap_or_default())
}

fn malformed(name: &[u8], why: &str) -> StoreError {
    StoreError::Damaged(format!("row {} of local: {why}", name.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    fn start(store: &MemoryStore) -> LocalState {
        open(store, Path::new("memory"), UnixMillis(7)).unwrap()
    }

    #[test]
    fn the_identity_is_made_once() {
        let store = MemoryStore::default();
        let first = start(&store).identity;
        let again = start(&store).identity;
        assert_eq!((first.node, first.joined), (again.node, again.joined));
        assert_eq!(first.digest_key.bytes(), again.digest_key.bytes());
    }

    #[test]
    fn a_crash_begins_a_new_incarnation_and_a_clean_stop_does_not() {
        let store = MemoryStore::default();
        let first = start(&store).incarnations;
        close(&store, 5, Stamp::from_bits(9)).unwrap();
        let second = start(&store);
        assert_eq!(first, second.incarnations);
        assert_eq!((second.next_sequence, second.clock_floor), (5, Stamp::from_bits(9)));

        let mut batch = Batch::default();
        batch.put(Column::Log, &rows::log(6), b"");
        store.write(&batch, Flush::Later).unwrap();
        let third = start(&store);
        assert_ne!(third.incarnations.current, first.current);
        assert_eq!(third.incarnations.resume(first.current, 4), Some(4));
        assert_eq!(third.incarnations.resume(first.current, 99), Some(6));
        assert_eq!(third.incarnations.resume(first.current ^ 1, 4), None);
        assert_eq!(third.next_sequence, 7);
    }

    #[test]
    fn a_newer_format_is_refused_with_both_numbers() {
        let store = MemoryStore::default();
        let mut batch = Batch::default();
        batch.put(Column::Local, local::FORMAT, &2u64.to_be_bytes());
        store.write(&batch, Flush::Later).unwrap();
        let open = |newest| open_up_to(&store, Path::new("memory"), UnixMillis(7), newest);
        let error = open(Format::One).unwrap_err().to_string();
        assert!(error.contains("format 2") && error.contains("up to 1"), "{error}");
        assert_eq!(open(Format::Two).unwrap().format, Format::Two);
    }

    #[test]
    fn a_store_goes_on_in_the_format_that_it_was_begun_in() {
        let store = MemoryStore::default();
        let format = |newest| {
            let open = open_up_to(&store, Path::new("memory"), UnixMillis(7), newest);
            open.unwrap().format
        };
        assert_eq!([Format::One, Format::Two].map(format), [Format::One; 2]);
    }

    #[test]
    fn a_store_that_is_marked_is_emptied_at_the_next_start_and_keeps_its_name() {
        let store = MemoryStore::default();
        let first = start(&store).identity;
        let mut batch = Batch::default();
        for column in [Column::Data, Column::Log, Column::Hidx, Column::Dies] {
            batch.put(column, b"row", b"");
        }
        batch.put(Column::Local, b"cursor/x", b"");
        store.write(&batch, Flush::Later).unwrap();
        mark_for_emptying(&store, false).unwrap();
        let same = start(&store).identity;
        assert_eq!((same.node, same.joined, same.cluster), (first.node, first.joined, None));
        for column in Column::ALL.into_iter().filter(|column| !OF_THE_NODE.contains(column)) {
            assert!(store.last(column).unwrap().is_none(), "{}", column.name());
        }
        assert_eq!(store.get(Column::Local, b"cursor/x").unwrap(), None);

        mark_for_emptying(&store, true).unwrap();
        assert_ne!(
            start(&store).identity.node,
            first.node,
            "a node that was given up is another one"
        );
    }
}
