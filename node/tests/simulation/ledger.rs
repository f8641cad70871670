//! What was acknowledged, and whether it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kvs_core::codec;
use kvs_core::{Head, Rank, RecordId, Stamp, VersionId};
use kvs_node::local::{self, cluster};
use kvs_node::store::{Column, Read};

use crate::disk::Disk;

/// Every version that a client was told of.
#[derive(Default)]
pub(crate) struct Ledger {
    acknowledged: BTreeMap<Vec<u8>, Vec<Head>>,
    /// Versions that a node put aside when it had to start over.
    rescued: BTreeSet<VersionId>,
}

impl Ledger {
    /// Notes what a node has just acknowledged.
    pub(crate) fn note(&mut self, record: &RecordId, store: &dyn Read) {
        let row = record.encode();
        let head = head(store, &row).unwrap();
        self.acknowledged.entry(row).or_default().push(head);
    }

    /// Notes what a node puts aside: what is stamped after `held`. A half that had given the others up
    /// may have deleted and forgotten since then: its deletes go with it.
    pub(crate) fn rescue(&mut self, store: &dyn Read, held: Stamp, horizon: Stamp) {
        let mut data = store.cursor(Column::Data, &[], &[0xff]);
        while let Some((_, value)) = data.next().unwrap() {
            let (_, head) = codec::decode_row_head(value).unwrap();
            if head.stamp > held {
                self.rescued.insert(head.uuid);
            }
        }
        for (row, heads) in &self.acknowledged {
            let forgotten = |one: &&Head| one.dies().is_some_and(|death| death < horizon);
            let gone = heads.iter().filter(|one| one.stamp > held).filter(forgotten);
            if head(store, row).is_none() {
                self.rescued.extend(gone.map(|one| one.uuid));
            }
        }
    }

    /// What was only on a disk that is gone is nobody's fault.
    pub(crate) fn write_off(&mut self, lost: &Disk, others: &[Arc<Disk>]) {
        let mut data = lost.cursor(Column::Data, &[], &[0xff]);
        while let Some((row, value)) = data.next().unwrap() {
            let (_, head) = codec::decode_row_head(value).unwrap();
            if !others.iter().any(|disk| has(disk, row, head.stamp)) {
                self.rescued.insert(head.uuid);
            }
        }
        let forgotten = up_to_where_it_forgot(lost);
        let elsewhere = others.iter().map(|disk| up_to_where_it_forgot(disk)).max();
        for (row, heads) in self.acknowledged.iter().filter(|(row, _)| head(lost, row).is_none()) {
            let only_here = |one: &&Head| {
                one.dies().is_some_and(|death| death < forgotten && Some(death) >= elsewhere)
                    && !others.iter().any(|disk| has(disk, row, one.stamp))
            };
            self.rescued.extend(heads.iter().filter(only_here).map(|one| one.uuid));
        }
    }

    /// Every record that was ever written.
    pub(crate) fn records(&self) -> Vec<Vec<u8>> {
        self.acknowledged.keys().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.acknowledged.values().map(Vec::len).sum()
    }

    /// Says what is wrong with a store once all nodes agree.
    pub(crate) fn faults(&self, store: &dyn Read, horizon: Stamp) -> Vec<String> {
        let rows = self.acknowledged.iter();
        rows.filter_map(|(row, heads)| self.fault(row, heads, head(store, row).as_ref(), horizon))
            .collect()
    }

    fn fault(
        &self,
        row: &[u8],
        heads: &[Head],
        found: Option<&Head>,
        horizon: Stamp,
    ) -> Option<String> {
        let winner = heads.iter().max_by(|left, right| order(&left.rank(), &right.rank()))?;
        let row = row.escape_ascii();
        match found {
            Some(found) if found == winner => None,
            // A version that was put aside may have been the winner; then any other may show.
            _ if self.rescued.contains(&winner.uuid) => None,
            None if winner.dies().is_some_and(|death| death < horizon) => None,
            None => Some(format!("{row}: acknowledged {winner:?} is gone (horizon {horizon:?})")),
            Some(found) => Some(format!("{row}: acknowledged {winner:?}, found {found:?}")),
        }
    }
}

/// Whether this version of a record, or a later one, is on a disk for good.
fn has(disk: &Disk, row: &[u8], stamp: Stamp) -> bool {
    let value = disk.synced(Column::Data, row);
    value.is_some_and(|value| codec::decode_row_head(&value).unwrap().1.stamp >= stamp)
}

/// Up to where the node of a disk holds everything but what died: nothing, while it is being filled.
fn up_to_where_it_forgot(disk: &Disk) -> Stamp {
    let state = cluster::read(disk).unwrap();
    let born = local::identity(disk).unwrap().is_some_and(|identity| identity.cluster.is_some());
    if born && state.bootstrap.is_none() { state.agreement.horizon } else { Stamp::MIN }
}

pub(crate) fn head(store: &dyn Read, row: &[u8]) -> Option<Head> {
    let value = store.get(Column::Data, row).unwrap()?;
    Some(codec::decode_row_head(&value).unwrap().1)
}

/// The order in which versions win: stamp, then the older origin, then uuid.
fn order(left: &Rank, right: &Rank) -> std::cmp::Ordering {
    let older = right.origin_joined.cmp(&left.origin_joined);
    left.stamp.cmp(&right.stamp).then(older).then(left.uuid.cmp(&right.uuid))
}
