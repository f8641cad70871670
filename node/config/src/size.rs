//! Sizes in bytes as people write them: `512KiB`, `64MiB`, `1GiB`.

use crate::quantity::{Kind, quantity};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

static KIND: Kind = Kind {
    noun: "size",
    units: &[("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB), ("B", 1)],
    listed: "B, KiB, MiB, GiB or TiB",
    bare: "B",
    example: "64MiB",
    // More than any machine has, and small enough to be added up without overflow.
    max: 1024 * TIB,
};

/// A whole number of bytes, at most 1024 TiB.
///
/// Written as a whole number and one of the units `B`, `KiB`, `MiB`, `GiB` and `TiB`. `Display`
/// uses the greatest unit that divides it, and reading that text back gives the same size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

quantity!(Size, KIND, "a size such as 64MiB", "^[0-9]+(B|KiB|MiB|GiB|TiB)$");

impl Size {
    /// `count` bytes.
    pub const fn bytes(count: u32) -> Self {
        Self(count as u64)
    }

    /// `count` KiB.
    pub const fn kib(count: u32) -> Self {
        Self(count as u64 * KIB)
    }

    /// `count` MiB.
    pub const fn mib(count: u16) -> Self {
        Self(count as u64 * MIB)
    }

    /// `count` GiB.
    pub const fn gib(count: u16) -> Self {
        Self(count as u64 * GIB)
    }

    /// The size in bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }

    /// The size in bytes as a length in memory; what does not fit is as good as unlimited.
    pub fn as_len(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}
