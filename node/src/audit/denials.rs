//! How many denials of one caller are entries of their own.

use std::collections::HashMap;

use kvs_core::UnixMillis;
use kvs_core::audit::Subject;

/// Entries of one caller in one second. People who look for what they may do make fewer; a program
/// that asks without end makes 200 bytes of each.
const MOST: u32 = 20;

/// Who was denied how much in one second.
#[derive(Debug, Default)]
pub(super) struct Denials {
    second: u64,
    counts: HashMap<Subject, u32>,
}

impl Denials {
    /// Whether one more of this caller is an entry of its own.
    pub(super) fn has_room(&mut self, subject: Subject, now: UnixMillis) -> bool {
        let second = now.0 / 1_000;
        if second != self.second {
            self.second = second;
            self.counts.clear();
        }
        let count = self.counts.entry(subject).or_default();
        *count = count.saturating_add(1);
        *count <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_second_and_caller_are_entries_of_their_own() {
        let mut denials = Denials::default();
        for second in [1, 2, 9] {
            for subject in [Subject::Socket, Subject::Node] {
                for count in 0..=MOST {
                    let at = UnixMillis(second * 1_000 + u64::from(count));
                    assert_eq!(denials.has_room(subject, at), count < MOST, "{second} {count}");
                }
            }
        }
    }
}
