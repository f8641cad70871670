//! The digest tree as the node holds it: a cache over the column `hidx`.
//!
//! Saved at a clean stop with the store's sequence and believed only if that is still the store's.
//! Otherwise rebuilt in the background while the node serves: adding and removing commute, so the
//! writer's changes and the rebuilder's rows may go into one tree in any order.

mod saved;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kvs_core::digest::{DigestKey, Entry, Leaf, Position, Summary, Tree};

use crate::store::{Column, Read, StoreError, rows};
use crate::writer::Outcome;

const FILE: &str = "digest.tree";
/// Rows that are added under one lock, so that the writer never waits long for the rebuilder.
const REBUILD_STEP: usize = 1_024;

/// The digest tree and whether it is whole.
#[derive(Debug)]
pub struct Digest {
    tree: Mutex<Tree>,
    ready: AtomicBool,
}

impl Digest {
    /// The tree saved at the last clean stop, if it is that of a store at `sequence`; else an empty
    /// one that [`Self::rebuild`] must fill.
    pub fn open(data_dir: &Path, depth: u32, sequence: u64) -> Self {
        let saved = load(&data_dir.join(FILE), depth, sequence);
        let ready = AtomicBool::new(saved.is_some() || sequence == 0);
        Self { tree: Mutex::new(saved.unwrap_or_else(|| Tree::new(depth))), ready }
    }

    /// The tree of an empty store.
    pub fn empty(depth: u32) -> Self {
        Self { tree: Mutex::new(Tree::new(depth)), ready: AtomicBool::new(true) }
    }

    /// How many levels lie below the root.
    pub fn depth(&self) -> u32 {
        self.lock().depth()
    }

    /// Sum and count of the `index`-th node of `level`.
    pub fn summary(&self, level: u32, index: u64) -> Summary {
        self.lock().summary(level, usize::try_from(index).unwrap_or(usize::MAX))
    }

    /// Has the `index`-th leaf say `says`; whether it did not before.
    pub fn correct(&self, index: u64, says: Summary) -> bool {
        let mut tree = self.lock();
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let wrong = tree.summary(tree.depth(), index) != says;
        if wrong {
            tree.correct(index, says);
        }
        wrong
    }

    /// Whether the tree covers the whole store.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Sum and count of everything, once the tree is whole.
    pub fn root(&self) -> Option<Summary> {
        self.is_ready().then(|| self.lock().root())
    }

    /// Takes over what a group did.
    pub fn update(&self, outcome: &Outcome) {
        if outcome.removed.is_empty() && outcome.added.is_empty() {
            return;
        }
        let mut tree = self.lock();
        outcome.removed.iter().for_each(|leaf| tree.remove(*leaf));
        outcome.added.iter().for_each(|leaf| tree.add(*leaf));
    }

    /// Adds every row of `hidx` in `snapshot`, which must be from before the first [`Self::update`].
    ///
    /// # Errors
    ///
    /// A row cannot be read.
    pub fn rebuild(&self, snapshot: &dyn Read, key: &DigestKey) -> Result<(), StoreError> {
        let mut cursor = snapshot.cursor(Column::Hidx, &[], &[0xff; 9]);
        let mut leaves = Vec::with_capacity(REBUILD_STEP);
        while let Some((row, value)) = cursor.next()? {
            leaves.push(leaf(key, row, value)?);
            if leaves.len() == REBUILD_STEP {
                self.add(&mut leaves);
            }
        }
        self.add(&mut leaves);
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// Saves the tree beside a store that stopped cleanly at `sequence`.
    ///
    /// # Errors
    ///
    /// The file cannot be written; the next start then rebuilds the tree.
    pub fn save(&self, data_dir: &Path, sequence: u64) -> io::Result<()> {
        if !self.is_ready() {
            return Ok(());
        }
        let bytes = saved::encode(&self.lock(), sequence);
        let temporary = data_dir.join(format!("{FILE}.new"));
        let mut file = File::create(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(temporary, data_dir.join(FILE))?;
        // The name is to last as well: after a stop the machine may be switched off.
        File::open(data_dir)?.sync_all()
    }

    fn add(&self, leaves: &mut Vec<Leaf>) {
        let mut tree = self.lock();
        leaves.drain(..).for_each(|leaf| tree.add(leaf));
    }

    fn lock(&self) -> MutexGuard<'_, Tree> {
        // A panic elsewhere ends the node; until then the sums are whole.
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a saved tree, which is true for one start only.
pub fn remove_saved(data_dir: &Path) {
    if let Err(error) = fs::remove_file(data_dir.join(FILE))
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "the saved digest tree cannot be removed");
    }
}

fn leaf(key: &DigestKey, row: &[u8], value: &[u8]) -> Result<Leaf, StoreError> {
    let malformed = || StoreError::Damaged(format!("row {} of hidx", row.escape_ascii()));
    let (position, record) = row.split_first_chunk().ok_or_else(malformed)?;
    let entry = Entry::from_bytes(value).ok_or_else(malformed)?;
    let position = Position(u64::from_be_bytes(*position));
    Ok(Leaf { position, item: key.item(record, &entry) })
}

/// The saved tree; nothing if there is none, or it is another store's or another moment's.
fn load(path: &Path, depth: u32, sequence: u64) -> Option<Tree> {
    saved::decode(&fs::read(path).ok()?, depth, sequence)
}

/// Sum and count of an index as it lies in a store.
///
/// # Errors
///
/// A row cannot be read.
pub fn of_index(read: &dyn Read, key: &DigestKey, depth: u32) -> Result<Summary, StoreError> {
    let digest = Digest { tree: Mutex::new(Tree::new(depth)), ready: AtomicBool::new(false) };
    digest.rebuild(read, key)?;
    let root = digest.lock().root();
    Ok(root)
}

/// Reads the whole index again, for tests and for checks: the tree that ought to be.
///
/// # Errors
///
/// A row cannot be read.
pub fn derive(read: &dyn Read, key: &DigestKey, depth: u32) -> Result<Summary, StoreError> {
    let root = of_index(read, key, depth)?;
    let mut data = read.cursor(Column::Data, &[], &[0xff]);
    let mut count = 0u32;
    while let Some((row, value)) = data.next()? {
        let named = |error| rows::damaged(Column::Data, row, error);
        let (_, head) = kvs_core::codec::decode_row_head(value).map_err(named)?;
        let position = key.position(row);
        let hidx = read.get(Column::Hidx, &rows::hidx(position, row))?;
        if hidx.as_deref() != Some(&Entry::from(&head).to_bytes()) {
            return Err(StoreError::Damaged(format!("hidx of row {}", row.escape_ascii())));
        }
        count += 1;
    }
    if root.count == count {
        Ok(root)
    } else {
        Err(StoreError::Damaged(format!("hidx has {} rows, data {count}", root.count)))
    }
}
