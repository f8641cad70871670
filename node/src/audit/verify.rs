//! Verifies a log without its node: the copy of a data directory, or one archive.

mod fault;
mod walk;

use std::path::Path;

use kvs_core::NodeId;
use kvs_core::audit::{Head, SignedHead, Summary};

pub use self::fault::Fault;
use self::walk::Walk;
use super::archive::{Archive, Archives, Sealed};
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

/// How a directory is to be verified.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Heads that others kept.
    pub kept: Vec<Kept>,
    /// Archives are elsewhere: begin with what is in the store.
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

/// Whose log is in a data directory.
///
/// # Errors
///
/// The store cannot be read, or there is no log.
pub fn owner(data_dir: &Path) -> Result<NodeId, Fault> {
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
    let node = owner(data_dir)?;
    let store = open(data_dir)?;
    let ends = Ends::read(&store, data_dir)?;
    let mut archives = Vec::new();
    if !order.without_archives {
        archives = archives_before(&Archives::of(data_dir), ends.base.size())?;
    }
    let heads = ends.heads(&archives, order)?;
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
    Ok(Report { node, first, summary, key: ends.key })
}

/// Verifies one archive.
///
/// # Errors
///
/// The first that is wrong.
pub fn archive(path: &Path) -> Result<Report, Fault> {
    let archive = Archive::open(path)?;
    let (node, sealed) = (archive.header().node, archive.sealed());
    if let Some(sealed) = &sealed {
        check_signature(&path.display().to_string(), sealed)?;
    }
    let heads: Vec<Head> = sealed.iter().map(|(head, _)| head.head).collect();
    let mut walk = Walk::begin(archive.begin().clone(), &heads, None);
    walk.archive(node, archive)?;
    let (first, _, summary) = walk.finish()?;
    Ok(Report { node, first, summary, key: sealed.map(|(_, key)| key) })
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

    /// Every head that is known of the log; each bears the node's signature.
    fn heads(&self, archives: &[Archive], order: &Order) -> Result<Vec<Head>, Fault> {
        let own =
            |key| self.heads.iter().map(move |head| ("the store".to_owned(), (head.clone(), key)));
        let own = self.key.into_iter().flat_map(own);
        let archived = archives.iter().filter_map(|archive| {
            Some((format!("archive {}", archive.path().display()), archive.sealed()?))
        });
        let kept = order.kept.iter().map(|kept| (kept.by.clone(), (kept.head.clone(), kept.key)));
        let all: Vec<_> = own.chain(archived).chain(kept).collect();
        for (place, sealed) in &all {
            check_signature(place, sealed)?;
            if self.key.is_some_and(|key| key != sealed.1) {
                return Err(Fault::Key { by: place.clone() });
            }
        }
        Ok(all.into_iter().map(|(_, (head, _))| head.head).collect())
    }
}

fn check_signature(place: &str, (head, key): &Sealed) -> Result<(), Fault> {
    if is_signed(key, head) {
        return Ok(());
    }
    Err(Fault::Signature { place: place.to_owned(), size: head.head.size })
}
