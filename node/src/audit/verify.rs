//! Verifies a log without its node: the copy of a data directory, or one archive.

mod fault;
mod walk;

use std::path::Path;

use kvs_core::NodeId;
use kvs_core::audit::{Head, SignedHead, Summary};

pub use self::fault::Fault;
use self::walk::Walk;
use super::archive::{Archive, Archives, Header, Sealed};
use super::layout::{self, Edge};
use super::stored::{broken_head, last_head, seen};
use super::{PublicKey, is_signed};
use crate::local;
use crate::store::{Column, Read as _, RocksOptions, RocksStore};

/// What was found of a log that is as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose log.
    pub node: NodeId,
    /// The first entry that was looked at.
    pub first: u64,
    /// Sizes and root.
    pub summary: Summary,
    /// The key that its heads are signed with, if any is.
    pub key: Option<PublicKey>,
    /// How many of the heads that others kept are over entries that were looked at. Of the rest only
    /// the key was compared.
    pub held: usize,
}

/// A head of the log that somebody else kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Who did, for people.
    pub by: String,
    /// The head.
    pub head: SignedHead,
    /// The key that it is signed with.
    pub key: PublicKey,
}

/// How a log is to be verified.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Heads that others kept.
    pub kept: Vec<Kept>,
    /// Of a directory: archives are elsewhere: begin with what is in the store.
    pub without_archives: bool,
}

/// What a node that ran on `data_dir` kept of others' logs: of `node`'s.
///
/// # Errors
///
/// The store cannot be read.
pub fn kept_by(data_dir: &Path, node: NodeId) -> Result<Vec<Kept>, Fault> {
    let store = open(data_dir)?;
    let by = data_dir.display().to_string();
    let mut seen = seen(&store).map_err(|source| Fault::Store { after: 0, source })?;
    let Some(seen) = seen.remove(&node) else { return Ok(Vec::new()) };
    Ok(vec![Kept { by, head: seen.head, key: seen.key }])
}

/// Whose log is in a data directory, or in an archive.
///
/// # Errors
///
/// It cannot be read, or there is no log.
pub fn owner(path: &Path) -> Result<NodeId, Fault> {
    if path.is_file() { Ok(Archive::open(path)?.header().node) } else { owner_of(path) }
}

fn owner_of(data_dir: &Path) -> Result<NodeId, Fault> {
    let store = open(data_dir)?;
    let identity = local::identity(&store).map_err(|source| Fault::Store { after: 0, source })?;
    let nothing = || Fault::Nothing { path: data_dir.to_owned() };
    identity.map(|identity| identity.node).ok_or_else(nothing)
}

/// Verifies the log in a data directory, archives and store. Nothing is written there.
///
/// # Errors
///
/// The first that is wrong.
pub fn directory(data_dir: &Path, order: &Order) -> Result<Report, Fault> {
    let node = owner_of(data_dir)?;
    let store = open(data_dir)?;
    let ends = Ends::read(&store, data_dir)?;
    let mut archives = Vec::new();
    if !order.without_archives {
        archives = archives_before(&Archives::of(data_dir), ends.base.size())?;
    }
    let heads = check(node, ends.key, ends.sealed(&archives), order)?;
    let begin = if order.without_archives { ends.base.clone() } else { Edge::default() };
    let mut walk = Walk::begin(begin, &heads, Some(&store));
    for archive in archives {
        walk.archive(node, archive)?;
    }
    walk.store(&store, &ends.base)?;
    let (first, edge, summary) = walk.finish()?;
    if edge != ends.end {
        let (found, said) = (edge.size(), ends.end.size());
        return Err(Fault::Edge { what: "ends", found, said });
    }
    Ok(Report { node, first, summary, key: ends.key, held: order.over(first, summary.size) })
}

/// Verifies one archive.
///
/// # Errors
///
/// The first that is wrong.
pub fn archive(path: &Path, order: &Order) -> Result<Report, Fault> {
    let archive = Archive::open(path)?;
    let Header { node, first, count, .. } = *archive.header();
    let end = first.saturating_add(count);
    let (sealed, name) = (archive.sealed(), format!("archive {}", path.display()));
    let key = sealed.as_ref().map(|(_, key)| *key);
    // The archive's own head must be over what is in it; those of others may be of another time.
    let own: Vec<_> = sealed.into_iter().map(|sealed| (name.clone(), sealed)).collect();
    let mut heads = check(node, key, own.clone(), order)?;
    heads.retain(|head| head.size <= end || own.iter().any(|(_, (own, _))| own.head == *head));
    let mut walk = Walk::begin(archive.begin().clone(), &heads, None);
    walk.archive(node, archive)?;
    let (first, _, summary) = walk.finish()?;
    if summary.signed <= first {
        return Err(Fault::Unsigned { place: name });
    }
    Ok(Report { node, first, summary, key, held: order.over(first, summary.size) })
}

impl Order {
    /// How many of the heads are over entries from `first` on, up to `size` at most.
    fn over(&self, first: u64, size: u64) -> usize {
        let sizes = self.kept.iter().map(|kept| kept.head.head.size);
        sizes.filter(|at| *at > first && *at <= size).count()
    }
}

/// Every head that is known of a node's log, those in it and those that others kept: each is of the
/// node and bears the signature of the one key that it has.
fn check(
    node: NodeId,
    key: Option<PublicKey>,
    own: Vec<(String, Sealed)>,
    order: &Order,
) -> Result<Vec<Head>, Fault> {
    let kept = order.kept.iter().map(|kept| (kept.by.clone(), (kept.head.clone(), kept.key)));
    let (mut known, mut heads) = (key, Vec::new());
    for (place, sealed) in own.into_iter().chain(kept) {
        check_signature(&place, &sealed)?;
        let (SignedHead { head, .. }, key) = sealed;
        if head.node != node {
            return Err(Fault::Owner { place, found: head.node, node });
        }
        if *known.get_or_insert(key) != key {
            return Err(Fault::Key { by: place });
        }
        heads.push(head);
    }
    Ok(heads)
}

fn open(data_dir: &Path) -> Result<RocksStore, Fault> {
    if !RocksStore::is_in(data_dir) {
        return Err(Fault::Nothing { path: data_dir.to_owned() });
    }
    let options = RocksOptions { block_cache: 8 << 20, write_buffer: 8 << 20, disk_reserve: 0 };
    Ok(RocksStore::open_read_only(data_dir, &options)?)
}

/// The archives with entries before `base`, in order.
fn archives_before(archives: &Archives, base: u64) -> Result<Vec<Archive>, Fault> {
    let (mut found, mut next) = (Vec::new(), 0);
    for path in archives.files()? {
        let archive = Archive::open(&path)?;
        // One that a crash left before its rows went: they are still in the store.
        if next >= base {
            break;
        }
        if archive.header().first != next {
            break;
        }
        next = next.saturating_add(archive.header().count);
        found.push(archive);
    }
    if next < base {
        let folder = archives.folder().to_owned();
        return Err(Fault::NoArchive { from: next, until: base, folder });
    }
    Ok(found)
}

/// What the rows of `local` say of a log.
struct Ends {
    base: Edge,
    end: Edge,
    /// The last one, and the one that the log is known not to go on from.
    heads: Vec<SignedHead>,
    key: Option<PublicKey>,
}

impl Ends {
    fn read(store: &RocksStore, data_dir: &Path) -> Result<Self, Fault> {
        let failed = |source| Fault::Store { after: 0, source };
        let end = Edge::read(store, layout::END).map_err(failed)?;
        let key = store.get(Column::Local, layout::PUBLIC).map_err(failed)?;
        if end.size() == 0 && key.is_none() {
            return Err(Fault::Nothing { path: data_dir.to_owned() });
        }
        Ok(Self {
            base: Edge::read(store, layout::BASE).map_err(failed)?,
            end,
            heads: last_head(store)
                .map_err(failed)?
                .into_iter()
                .chain(broken_head(store).map_err(failed)?)
                .collect(),
            key: key.and_then(|key| key.try_into().ok()),
        })
    }

    /// The heads in the store and in the archives, each with where it is and its key.
    fn sealed(&self, archives: &[Archive]) -> Vec<(String, Sealed)> {
        let own =
            |key| self.heads.iter().map(move |head| ("the store".to_owned(), (head.clone(), key)));
        let own = self.key.into_iter().flat_map(own);
        let archived = archives.iter().filter_map(|archive| {
            Some((format!("archive {}", archive.path().display()), archive.sealed()?))
        });
        own.chain(archived).collect()
    }
}

fn check_signature(place: &str, (head, key): &Sealed) -> Result<(), Fault> {
    if is_signed(key, head) {
        return Ok(());
    }
    Err(Fault::Signature { place: place.to_owned(), size: head.head.size })
}
