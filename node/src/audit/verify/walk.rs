//! A walk along a log, archives first.

use kvs_core::NodeId;
use kvs_core::audit::{Hash, Head, Summary, Verifier};

use super::Fault;
use crate::audit::appender::leaf_of;
use crate::audit::archive::Archive;
use crate::audit::layout::{self, Edge, TILE_LEVEL};
use crate::store::{Column, Read as _, RocksStore};

/// A walk along all entries.
pub(super) struct Walk<'a> {
    first: u64,
    verifier: Verifier,
    edge: Edge,
    /// Where subtrees have rows, if they are to be compared.
    nodes: Option<&'a RocksStore>,
}

impl<'a> Walk<'a> {
    pub(super) fn begin(edge: Edge, heads: &[Head], nodes: Option<&'a RocksStore>) -> Self {
        let verifier = Verifier::resume(edge.frontier.clone(), edge.previous, heads);
        Self { first: edge.size(), verifier, edge, nodes }
    }

    pub(super) fn archive(&mut self, node: NodeId, archive: Archive) -> Result<(), Fault> {
        if archive.header().node != node || *archive.begin() != self.edge {
            return Err(Fault::Foreign { path: archive.path().to_owned() });
        }
        let place = format!("archive {}", archive.path().display());
        archive.rows(|sequence, row| self.push(&place, sequence, row))
    }

    pub(super) fn store(&mut self, store: &RocksStore, base: &Edge) -> Result<(), Fault> {
        let (found, said) = (self.edge.size(), base.size());
        if self.edge != *base {
            return Err(Fault::Edge { what: "begins", found, said });
        }
        let mut rows = store.cursor(Column::Audit, &layout::entry(said), &[layout::NODE]);
        loop {
            let after = self.edge.size();
            let row = rows.next().map_err(|source| Fault::Store { after, source })?;
            let Some((key, row)) = row else { return Ok(()) };
            let sequence = key.try_into().map(u64::from_be_bytes);
            let sequence = sequence.map_err(|_length| Fault::Stray { after })?;
            self.push("the store", sequence, row)?;
        }
    }

    fn push(&mut self, place: &str, sequence: u64, row: &[u8]) -> Result<(), Fault> {
        let entry = |source| Fault::Entry { place: place.to_owned(), source };
        self.verifier.push(sequence, row).map_err(entry)?;
        self.edge.previous = leaf_of(row);
        let full = self.edge.frontier.append(self.edge.previous);
        for node in full.into_iter().filter(|node| node.level >= TILE_LEVEL) {
            self.compare(node.level, node.index, node.hash)?;
        }
        Ok(())
    }

    fn compare(&self, level: u32, index: u64, hash: Hash) -> Result<(), Fault> {
        let Some(store) = self.nodes else { return Ok(()) };
        let after = self.edge.size();
        let row = store.get(Column::Audit, &layout::node(level, index));
        let row = row.map_err(|source| Fault::Store { after, source })?;
        if row.as_deref() == Some(&hash[..]) {
            return Ok(());
        }
        Err(Fault::Node { first: index << level, count: 1 << level })
    }

    pub(super) fn finish(self) -> Result<(u64, Edge, Summary), Fault> {
        let summary = self.verifier.finish();
        let entry = |source| Fault::Entry { place: "its end".to_owned(), source };
        Ok((self.first, self.edge, summary.map_err(entry)?))
    }
}
