//! Rows that were read or written lately, whole.
//!
//! RocksDB's own cache holds blocks: to find a row in one it searches an index, a filter and the
//! block, which costs more than all of KVS's own work on a read; to find that there is none, it searches
//! every level. So absence is kept as well: whether a prefix has a value is asked with each key below it
//! that is governed by the prefix. Only what is current is here; snapshots do not ask.

use std::time::Duration;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, GuardResult};

use crate::store::{Batch, Cached, Change, Column, StoreError};

/// Larger rows are left to the block cache: one of them would push out hundreds.
const LARGEST: usize = 32 << 10;
/// What an entry costs beside its bytes.
const OVERHEAD: usize = 96;
/// Roughly how large a row is, for the first size of the tables.
const TYPICAL: usize = 512;

/// The rows and what is known to be none, bounded in bytes.
pub(super) struct HotRows(Cache<Vec<u8>, Option<Bytes>, ByBytes>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<Vec<u8>, Option<Bytes>> for ByBytes {
    fn weight(&self, key: &Vec<u8>, value: &Option<Bytes>) -> u64 {
        (key.len() + value.as_ref().map_or(0, Bytes::len) + OVERHEAD) as u64
    }
}

impl HotRows {
    /// Room for `bytes` of rows.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Cache::with_weighter(bytes / TYPICAL, bytes as u64, ByBytes))
    }

    /// A row from here, or by `read`, which is then kept.
    ///
    /// Whoever reads holds the row's place. A write takes the place away, so that what was read
    /// before it is not kept after it; others who come meanwhile read for themselves.
    pub(super) fn get(
        &self,
        key: &[u8],
        read: impl FnOnce() -> Result<Cached, StoreError>,
    ) -> Result<Cached, StoreError> {
        match self.0.get_value_or_guard(key, Some(Duration::ZERO)) {
            GuardResult::Value(value) => Ok(Cached::Known(value.map(|value| value.to_vec()))),
            GuardResult::Timeout => read(),
            GuardResult::Guard(place) => {
                let found = read()?;
                if let Cached::Known(value) = &found
                    && value.as_ref().is_none_or(|value| value.len() <= LARGEST)
                {
                    // A write that came between has taken the place away: then it is not kept.
                    let _ = place.insert(value.as_deref().map(Bytes::copy_from_slice));
                }
                Ok(found)
            }
        }
    }

    /// Takes over a batch that has been written, before anybody is told of it.
    pub(super) fn written(&self, batch: &Batch) {
        for change in batch.changes(Column::Data) {
            match change {
                Change::Put(key, value) if value.len() <= LARGEST => {
                    self.0.insert(key.to_vec(), Some(Bytes::copy_from_slice(value)));
                }
                Change::Put(key, _) | Change::Delete(key) => {
                    self.0.remove(key);
                }
            }
        }
    }

    /// Forgets everything, when what is on disk is not known.
    pub(super) fn clear(&self) {
        self.0.clear();
    }

    /// Bytes that are held.
    pub(super) fn bytes(&self) -> u64 {
        self.0.weight()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(value: &[u8]) -> Cached {
        Cached::Known(Some(value.to_vec()))
    }

    fn batch(key: &[u8], value: Option<&[u8]>) -> Batch {
        let mut batch = Batch::default();
        match value {
            Some(value) => batch.put(Column::Data, key, value),
            None => batch.delete(Column::Data, key),
        }
        batch
    }

    fn never() -> Result<Cached, StoreError> {
        panic!("it is here");
    }

    #[test]
    fn a_row_is_read_once_and_known_from_then_on() {
        let hot = HotRows::new(1 << 20);
        assert_eq!(hot.get(b"k", || Ok(known(b"1"))).unwrap(), known(b"1"));
        assert_eq!(hot.get(b"k", never).unwrap(), known(b"1"));
        hot.written(&batch(b"k", Some(b"2")));
        assert_eq!(hot.get(b"k", never).unwrap(), known(b"2"));
        hot.written(&batch(b"k", None));
        assert_eq!(hot.get(b"k", || Ok(Cached::Known(None))).unwrap(), Cached::Known(None));
    }

    #[test]
    fn what_is_not_there_is_looked_for_once_until_it_is_written() {
        let hot = HotRows::new(1 << 20);
        assert_eq!(hot.get(b"k", || Ok(Cached::OnDisk)).unwrap(), Cached::OnDisk);
        assert_eq!(hot.get(b"k", || Ok(Cached::Known(None))).unwrap(), Cached::Known(None));
        assert_eq!(hot.get(b"k", never).unwrap(), Cached::Known(None));
        hot.written(&batch(b"k", Some(b"1")));
        assert_eq!(hot.get(b"k", never).unwrap(), known(b"1"));
    }

    #[test]
    fn what_was_read_before_a_write_is_not_kept_after_it() {
        for written in [Some(b"new".as_slice()), None] {
            let hot = HotRows::new(1 << 20);
            let read = || {
                hot.written(&batch(b"k", written));
                Ok(known(b"old"))
            };
            assert_eq!(hot.get(b"k", read).unwrap(), known(b"old"));
            let now = hot.get(b"k", || Ok(Cached::Known(None))).unwrap();
            assert_eq!(now, Cached::Known(written.map(<[u8]>::to_vec)));
        }
    }

    #[test]
    fn a_row_that_was_missed_before_it_was_written_is_not_missed_after() {
        let large = vec![7; LARGEST + 1];
        for written in [Some(b"new".as_slice()), Some(&large), None] {
            let hot = HotRows::new(1 << 20);
            let read = || {
                hot.written(&batch(b"k", written));
                Ok(Cached::Known(None))
            };
            assert_eq!(hot.get(b"k", read).unwrap(), Cached::Known(None));
            let now = hot.get(b"k", || Ok(Cached::Known(written.map(<[u8]>::to_vec)))).unwrap();
            assert_eq!(now, Cached::Known(written.map(<[u8]>::to_vec)));
        }
    }

    #[test]
    fn a_large_row_is_not_kept_and_takes_its_smaller_forerunner_with_it() {
        let hot = HotRows::new(1 << 20);
        hot.written(&batch(b"k", Some(b"small")));
        hot.written(&batch(b"k", Some(&vec![0; LARGEST + 1])));
        assert_eq!(hot.get(b"k", || Ok(Cached::OnDisk)).unwrap(), Cached::OnDisk);
    }

    #[test]
    fn the_bound_holds() {
        let hot = HotRows::new(64 << 10);
        for number in 0u32..10_000 {
            hot.written(&batch(&number.to_be_bytes(), Some(&[7; 100])));
        }
        assert!(hot.bytes() <= 64 << 10, "{}", hot.bytes());
    }
}
