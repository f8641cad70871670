//! The newest versions that this node accepted, kept in memory for the nodes that follow it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Accepted, Outcome};

/// Bytes of versions that are kept; a follower further behind is served from `log`.
const KEPT_BYTES: u64 = 8 << 20;

/// The end of this node's own log, in commit order and without gaps.
#[derive(Debug)]
pub struct Tail {
    recent: Mutex<Recent>,
}

#[derive(Debug)]
struct Recent {
    /// Each with the bytes of all versions before it, since the node started.
    versions: VecDeque<(u64, Accepted)>,
    /// Bytes of all versions since the node started.
    bytes: u64,
    /// Every own version after this position and up to `end` is in `versions`.
    start: u64,
    /// The last position committed.
    end: u64,
}

impl Tail {
    /// The tail of a log whose last position is `end`, with nothing of it in memory yet.
    pub const fn after(end: u64) -> Self {
        let recent = Recent { versions: VecDeque::new(), bytes: 0, start: end, end };
        Self { recent: Mutex::new(recent) }
    }

    /// Takes over what a group committed.
    pub fn extend(&self, outcome: &mut Outcome, last: u64) {
        let mut recent = self.lock();
        for accepted in outcome.accepted.drain(..) {
            let before = recent.bytes;
            recent.bytes += size(&accepted) as u64;
            recent.versions.push_back((before, accepted));
        }
        recent.end = last;
        while recent.kept() > KEPT_BYTES
            && let Some((_, oldest)) = recent.versions.pop_front()
        {
            recent.start = oldest.sequence;
        }
    }

    /// The versions after `position`, up to about `bytes` of them, and the position that they
    /// reach; nothing if the tail does not reach back so far.
    pub fn read(&self, position: u64, bytes: usize) -> Option<(Vec<Accepted>, u64)> {
        let recent = self.lock();
        if position < recent.start {
            return None;
        }
        let from = recent.after(position);
        let mut versions = Vec::new();
        let mut taken = 0;
        for (_, accepted) in recent.versions.range(from..) {
            if taken >= bytes {
                let reached = versions.last().map_or(position, |last: &Accepted| last.sequence);
                return Some((versions, reached));
            }
            taken += size(accepted);
            versions.push(accepted.clone());
        }
        Some((versions, recent.end.max(position)))
    }

    /// Bytes of the versions after `position`, as far as they are kept: at least so many wait.
    pub fn bytes_after(&self, position: u64) -> u64 {
        let recent = self.lock();
        let first = recent.versions.get(recent.after(position));
        first.map_or(0, |(before, _)| recent.bytes - before)
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        // A panic elsewhere ends the node; until then the list is whole.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    /// Where the first version after `position` lies.
    fn after(&self, position: u64) -> usize {
        self.versions.partition_point(|(_, accepted)| accepted.sequence <= position)
    }

    fn kept(&self) -> u64 {
        self.versions.front().map_or(0, |(before, _)| self.bytes - before)
    }
}

fn size(accepted: &Accepted) -> usize {
    accepted.record.len() + accepted.version.len() + size_of::<Accepted>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(sequences: &[u64], size: usize) -> Outcome {
        let version = bytes::Bytes::from(vec![0; size]);
        let accepted = |sequence: &u64| Accepted {
            sequence: *sequence,
            record: bytes::Bytes::new(),
            version: version.clone(),
        };
        Outcome { accepted: sequences.iter().map(accepted).collect(), ..Outcome::default() }
    }

    fn read(tail: &Tail, position: u64, bytes: usize) -> Option<(Vec<u64>, u64)> {
        let (versions, reached) = tail.read(position, bytes)?;
        Some((versions.iter().map(|accepted| accepted.sequence).collect(), reached))
    }

    #[test]
    fn a_follower_reads_on_from_its_position() {
        let tail = Tail::after(10);
        tail.extend(&mut outcome(&[11, 13], 1), 14);
        assert_eq!(read(&tail, 10, 1 << 20), Some((vec![11, 13], 14)));
        assert_eq!(read(&tail, 11, 1 << 20), Some((vec![13], 14)));
        assert_eq!(read(&tail, 14, 1 << 20), Some((vec![], 14)));
        assert_eq!(read(&tail, 10, 1), Some((vec![11], 11)));
        assert_eq!(read(&tail, 9, 1 << 20), None);
    }

    #[test]
    fn what_is_too_much_is_left_to_the_log() {
        let tail = Tail::after(0);
        let half = usize::try_from(KEPT_BYTES / 2).unwrap();
        tail.extend(&mut outcome(&[1, 2, 3], half), 3);
        assert_eq!(read(&tail, 0, usize::MAX), None);
        assert_eq!(read(&tail, 2, usize::MAX), Some((vec![3], 3)));
    }

    #[test]
    fn what_waits_is_counted_in_bytes_as_far_as_it_is_kept() {
        let tail = Tail::after(10);
        assert_eq!(tail.bytes_after(3), 0);
        tail.extend(&mut outcome(&[11, 13, 14], 100), 15);
        let one = 100 + size_of::<Accepted>() as u64;
        let waiting = [0, 10, 11, 12, 13, 14, 15].map(|position| tail.bytes_after(position));
        assert_eq!(waiting, [3 * one, 3 * one, 2 * one, 2 * one, one, 0, 0]);
        tail.extend(&mut outcome(&[16], usize::try_from(KEPT_BYTES).unwrap()), 16);
        assert_eq!(tail.bytes_after(0), 0, "too much is left to the log");
    }
}
