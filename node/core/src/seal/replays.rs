//! Which datagrams were taken already.

use std::collections::BTreeMap;

use crate::membership::BootId;

/// Senders remembered. Each start of each node is one; 10,000 take less than a megabyte.
const SENDERS: usize = 10_000;

/// How far behind the newest of a sender a datagram may come and still be told from a repetition.
const WINDOW: u32 = u128::BITS;

/// The newest numbers of every sender.
///
/// When there are too many senders, the one is dropped that was silent for longest: most likely a
/// process that ended long ago, whose claims no longer hold.
#[derive(Debug, Default)]
pub(super) struct Replays {
    senders: BTreeMap<BootId, Window>,
    taken: u64,
}

#[derive(Debug, Default)]
struct Window {
    newest: u64,
    /// Bit n: number `newest - n` was taken.
    seen: u128,
    last_taken: u64,
}

impl Window {
    fn is_new(&mut self, counter: u64) -> bool {
        if counter > self.newest {
            let ahead = u32::try_from(counter - self.newest).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.newest = counter;
            return true;
        }
        let behind = self.newest - counter;
        if behind >= u64::from(WINDOW) {
            return false;
        }
        let bit = 1 << behind;
        let is_new = self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

impl Replays {
    /// Takes a number of a sender; says whether it was not taken before. Numbers begin at 1.
    pub(super) fn is_new(&mut self, sender: BootId, counter: u64) -> bool {
        if counter == 0 {
            return false;
        }
        self.taken += 1;
        if !self.senders.contains_key(&sender) {
            self.make_room();
        }
        let window = self.senders.entry(sender).or_default();
        window.last_taken = self.taken;
        window.is_new(counter)
    }

    fn make_room(&mut self) {
        if self.senders.len() < SENDERS {
            return;
        }
        let silent = self.senders.iter().min_by_key(|(_, window)| window.last_taken);
        if let Some(silent) = silent.map(|(sender, _)| *sender) {
            self.senders.remove(&silent);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SENDER: BootId = BootId(1);

    proptest! {
        #[test]
        fn no_number_is_taken_twice(counters in prop::collection::vec(1u64..400, 0..400)) {
            let (mut replays, mut taken) = (Replays::default(), BTreeSet::new());
            for counter in counters {
                let newest = taken.last().copied().unwrap_or(0);
                let is_new = replays.is_new(SENDER, counter);
                let in_window = counter + u64::from(WINDOW) > newest;
                prop_assert_eq!(is_new, in_window && !taken.contains(&counter));
                if is_new {
                    taken.insert(counter);
                }
            }
        }
    }

    #[test]
    fn the_window_is_exactly_as_long_as_it_says() {
        let mut replays = Replays::default();
        assert!(replays.is_new(SENDER, 1_000));
        assert!(replays.is_new(SENDER, 1_001 - u64::from(WINDOW)));
        assert!(!replays.is_new(SENDER, 1_000 - u64::from(WINDOW)));
        assert!(replays.is_new(SENDER, u64::MAX));
        assert!(!replays.is_new(SENDER, u64::MAX));
        assert!(!replays.is_new(SENDER, 0));
    }

    #[test]
    fn the_table_is_bounded_and_drops_who_was_silent_for_longest() {
        let mut replays = Replays::default();
        for sender in 0..SENDERS as u64 {
            assert!(replays.is_new(BootId(sender), 1));
        }
        assert!(replays.is_new(BootId(0), 2));
        assert!(replays.is_new(BootId(u64::MAX), 1));
        assert_eq!(replays.senders.len(), SENDERS);
        assert!(!replays.is_new(BootId(0), 2));
        assert!(replays.is_new(BootId(1), 1), "dropped, so it begins anew");
    }
}
