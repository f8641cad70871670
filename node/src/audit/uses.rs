//! Which tokens were used lately.

use std::collections::HashSet;

use kvs_core::{TokenId, UnixMillis, UserId};

/// In how many milliseconds a token's uses are one entry.
const MINUTE: u64 = 60_000;

/// The tokens that were used in one minute.
#[derive(Debug, Default)]
pub(super) struct Uses {
    minute: u64,
    /// With their users: what others vouch for has no id of its own.
    tokens: HashSet<(TokenId, UserId)>,
}

impl Uses {
    /// Whether this is the token's first use by this user in the minute of `now`.
    pub(super) fn is_first(&mut self, token: TokenId, user: UserId, now: UnixMillis) -> bool {
        let minute = now.0 / MINUTE;
        if minute != self.minute {
            self.minute = minute;
            self.tokens.clear();
        }
        self.tokens.insert((token, user))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_token_is_written_down_once_in_each_minute_in_which_it_is_used() {
        let mut uses = Uses::default();
        let [a, b] = [1, 2].map(|number| TokenId::new(Uuid::from_u128(number)));
        let [ann, ben] = [1, 2].map(|number| UserId::new(Uuid::from_u128(number)));
        assert!(uses.is_first(b, ann, UnixMillis(0)) && uses.is_first(b, ben, UnixMillis(0)));
        let mut is_first = |token, at| uses.is_first(token, ann, UnixMillis(at));
        assert!(is_first(a, MINUTE) && is_first(b, MINUTE));
        assert!(!is_first(a, 2 * MINUTE - 1) && !is_first(b, MINUTE));
        assert!(is_first(a, 2 * MINUTE) && !is_first(a, 2 * MINUTE));
        assert!(is_first(a, 9 * MINUTE) && is_first(b, 9 * MINUTE));
    }
}
