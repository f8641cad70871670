//! What is to be done when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::identity::Identity;

/// What is due at a time.
#[derive(Debug)]
pub(super) enum Timer {
    /// Something of SWIM's.
    Swim(foca::Timer<Identity>),
    /// A seed is to be resolved.
    Seed(usize),
    /// Members are lacking whose details are to be pulled.
    Details,
    /// Members that are down, or that nobody speaks of, are to be looked for.
    Search,
}

/// Timers in the order in which they are due; of those due at once, the one set first.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    set: u64,
}

#[derive(Debug)]
struct Entry {
    due: Duration,
    order: u64,
    timer: Timer,
}

impl Timers {
    pub(super) fn set(&mut self, due: Duration, timer: Timer) {
        self.set += 1;
        self.heap.push(Reverse(Entry { due, order: self.set, timer }));
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse(entry)| entry.due)
    }

    pub(super) fn take_due(&mut self, now: Duration) -> Option<Timer> {
        if self.next_due()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.timer)
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}
