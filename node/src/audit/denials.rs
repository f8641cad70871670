//! How many denials are entries of their own.

use std::collections::HashMap;

use kvs_core::UnixMillis;
use kvs_core::audit::Subject;

/// Entries of one caller in one minute. People who look for what they may do make fewer; a program
/// that asks without end makes some 15 MB of them in a day.
const MOST_OF_ONE: u32 = 60;
/// Entries of all callers in one second, however many accounts somebody has.
const MOST: u32 = 32;

/// Who was denied how much lately.
#[derive(Debug, Default)]
pub(super) struct Denials {
    minute: u64,
    of_one: HashMap<Subject, u32>,
    second: u64,
    of_all: u32,
}

impl Denials {
    /// Whether one more of this caller is an entry of its own.
    pub(super) fn has_room(&mut self, subject: Subject, now: UnixMillis) -> bool {
        self.turn(now.0 / 1_000);
        let own = self.of_one.entry(subject).or_default();
        if *own >= MOST_OF_ONE || self.of_all >= MOST {
            return false;
        }
        *own += 1;
        self.of_all += 1;
        true
    }

    fn turn(&mut self, second: u64) {
        if second != self.second {
            self.second = second;
            self.of_all = 0;
        }
        if second / 60 != self.minute {
            self.minute = second / 60;
            self.of_one.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use kvs_core::UserId;
    use uuid::Uuid;

    use super::*;

    const SECOND: u64 = 1_000;

    fn user(number: u32) -> Subject {
        Subject::User(UserId::new(Uuid::from_u128(number.into())))
    }

    #[test]
    fn so_many_of_one_caller_in_a_minute_are_entries_of_their_own() {
        let mut denials = Denials::default();
        for minute in [1, 2, 9] {
            for count in 0..=MOST_OF_ONE {
                for subject in [Subject::Socket, Subject::Node] {
                    // Few in each second, and all in the minute.
                    let at = UnixMillis((minute * 60 + u64::from(count / 2)) * SECOND);
                    let room = denials.has_room(subject, at);
                    assert_eq!(room, count < MOST_OF_ONE, "{minute} {count}");
                }
            }
        }
    }

    #[test]
    fn so_many_of_all_callers_in_a_second_are_entries_of_their_own() {
        let mut denials = Denials::default();
        for second in [1, 2, 70] {
            let at = UnixMillis(second * SECOND + 999);
            for number in 0..=MOST {
                assert_eq!(denials.has_room(user(number), at), number < MOST, "{number}");
            }
        }
    }
}
