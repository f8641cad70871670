//! A stretch of the index, read within a limit, and the short names of what is in it.

use std::collections::HashSet;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use super::node::Span;
use super::{Listed, Replica};
use crate::digest::{Item, Position};

/// Consecutive rows of the index.
pub(super) struct Page {
    pub(super) entries: Vec<Listed>,
    /// The first position that was not read any more; nothing if the range was read to its end.
    pub(super) cut: Option<Position>,
}

impl Page {
    /// Reads at most `limit` rows of `span`, and all of a position or none.
    pub(super) fn read<R: Replica>(
        replica: &R,
        span: Span,
        limit: usize,
    ) -> Result<Self, R::Error> {
        let (start, end) = span.range();
        if limit == 0 {
            return Ok(Self { entries: Vec::new(), cut: Some(start) });
        }
        let mut entries = replica.list(start, end, limit + 1)?;
        let cut = entries.get(limit).map(|beyond| beyond.position);
        entries.retain(|entry| cut.is_none_or(|cut| entry.position < cut));
        Ok(Self { entries, cut })
    }
}

/// How much of an item names it: 3 of its 16 bytes, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Short,
    Full,
}

/// The names of listed items, in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Names {
    Short(Vec<[u8; 3]>),
    Full(Vec<[u8; 16]>),
}

impl Names {
    pub(super) fn of(width: Width, entries: &[Listed]) -> Self {
        match width {
            Width::Short => Self::Short(entries.iter().map(|entry| name(entry.item)).collect()),
            Width::Full => Self::Full(entries.iter().map(|entry| name(entry.item)).collect()),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Short(names) => names.len(),
            Self::Full(names) => names.len(),
        }
    }

    /// Which of these names `entries` lack, and which of `entries` these names lack.
    pub(super) fn compare(&self, entries: Vec<Listed>) -> (Missing, Vec<Listed>) {
        match self {
            Self::Short(names) => compare(names, entries),
            Self::Full(names) => compare(names, entries),
        }
    }
}

fn compare<const N: usize>(names: &[[u8; N]], entries: Vec<Listed>) -> (Missing, Vec<Listed>)
where
    [u8; N]: Hash + Eq,
{
    let ours: HashSet<[u8; N]> = entries.iter().map(|entry| name(entry.item)).collect();
    let theirs: HashSet<&[u8; N]> = names.iter().collect();
    let missing = Missing::of(names.iter().map(|name| !ours.contains(name)));
    let extra = entries.into_iter().filter(|entry| !theirs.contains(&name(entry.item))).collect();
    (missing, extra)
}

/// The first bytes of an item.
fn name<const N: usize>(item: Item) -> [u8; N] {
    let bytes = item.0.map(u64::to_be_bytes);
    std::array::from_fn(|at| bytes[at / 8][at % 8])
}

/// A bit for each listed item, the first in the lowest bit; zero bytes at the end are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Missing(Vec<u8>);

impl Missing {
    fn of(bits: impl Iterator<Item = bool>) -> Self {
        let mut bytes = Vec::new();
        for (at, _) in bits.enumerate().filter(|(_, set)| *set) {
            bytes.resize(at / 8 + 1, 0);
            bytes[at / 8] |= 1 << (at % 8);
        }
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, at: usize) -> bool {
        self.0.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)
    }
}
