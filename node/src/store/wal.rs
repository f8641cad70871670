//! Checks the write-ahead log before RocksDB replays it.
//!
//! RocksDB does not name a log that is damaged. And it takes a record that claims to reach beyond the
//! end of its log for one that a crash tore off, and forgets it: one flipped bit of a length would
//! take every acknowledged write behind it along. Here such a record counts as torn only if nothing
//! whole follows it.
//!
//! A log is blocks of 32 KiB; a record lies within one block: checksum (4 bytes), length (2), type
//! (1), content. See <https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format>.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;
/// Where the type lies in a header: the checksum covers everything from there.
const TYPE: usize = 6;

/// A log with a byte that is not as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) log: PathBuf,
    /// Where the record begins that is not whole.
    pub(super) at: u64,
}

/// The first damage in the logs of a database, if there is any.
///
/// # Errors
///
/// They cannot be read.
pub(super) fn find_damage(directory: &Path) -> io::Result<Option<Damage>> {
    for log in logs(directory)? {
        if let Some(at) = damage_of(&log)? {
            return Ok(Some(Damage { log, at }));
        }
    }
    Ok(None)
}

fn logs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut logs = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            logs.push(path);
        }
    }
    logs.sort();
    Ok(logs)
}

fn damage_of(log: &Path) -> io::Result<Option<u64>> {
    let mut file = File::open(log)?;
    let mut rest = file.metadata()?.len();
    let (mut block, mut start, mut blank_from) = (vec![0; BLOCK], 0, None);
    while rest > 0 {
        let length = usize::try_from(rest).map_or(BLOCK, |rest| rest.min(BLOCK));
        let block = &mut block[..length];
        file.read_exact(block)?;
        rest -= length as u64;
        if blank_from.is_some() && !is_blank(block) {
            return Ok(blank_from);
        }
        match check_block(block, rest == 0) {
            Checked::Whole => {}
            Checked::BlankFrom(at) => blank_from = blank_from.or(Some(start + at as u64)),
            Checked::DamagedAt(at) => return Ok(Some(start + at as u64)),
        }
        start += length as u64;
    }
    Ok(None)
}

enum Checked {
    Whole,
    /// Only zeros follow: nothing may come after them.
    BlankFrom(usize),
    DamagedAt(usize),
}

fn check_block(block: &[u8], is_last: bool) -> Checked {
    let mut at = 0;
    while block.len() - at >= HEADER {
        match record(&block[at..]) {
            Record::Whole(length) => at += length,
            Record::Bad if is_blank(&block[at..]) => return Checked::BlankFrom(at),
            Record::Bad => return Checked::DamagedAt(at),
            Record::TooLong(length) => {
                let torn = is_last && at + length <= BLOCK && is_torn(&block[at..]);
                return if torn { Checked::Whole } else { Checked::DamagedAt(at) };
            }
        }
    }
    Checked::Whole
}

enum Record {
    /// It has this length, its header included.
    Whole(usize),
    /// The length it claims is more than there is.
    TooLong(usize),
    Bad,
}

/// Reads the record at the start of `bytes`, which has room for a header.
fn record(bytes: &[u8]) -> Record {
    let length = HEADER + usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
    match bytes.get(TYPE..length) {
        None => Record::TooLong(length),
        // Zeros are no record, though the checksum of nothing might say so.
        Some(content) if content[0] != 0 && matches(bytes, content) => Record::Whole(length),
        Some(_) => Record::Bad,
    }
}

/// Whether the end of the last log is a record that a crash tore off: neither whole but for its
/// length, nor followed by one that is whole.
fn is_torn(rest: &[u8]) -> bool {
    let starts = 1..rest.len().saturating_sub(HEADER);
    let mut followers = starts.map(|at| &rest[at..]).filter(|follower| follower[TYPE] != 0);
    !matches(rest, &rest[TYPE..])
        && !followers.any(|follower| matches!(record(follower), Record::Whole(_)))
}

/// Whether the checksum at the start of `header` is that of `content`.
fn matches(header: &[u8], content: &[u8]) -> bool {
    let stored = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    // RocksDB stores checksums masked, since it checksums data that holds checksums.
    stored == crc32c::crc32c(content).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests;
