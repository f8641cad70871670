//! Which tokens were used lately.

use std::collections::HashSet;

use kvs_core::{TokenId, UnixMillis};

/// In how many milliseconds a token's uses are one entry.
const MINUTE: u64 = 60_000;

/// The tokens that were used in one minute.
#[derive(Debug, Default)]
pub(super) struct Uses {
    minute: u64,
    tokens: HashSet<TokenId>,
}

impl Uses {
    /// Whether this is the token's first use in the minute of `now`.
    pub(super) fn is_first(&mut self, token: TokenId, now: UnixMillis) -> bool {
        let minute = now.0 / MINUTE;
        if minute != self.minute {
            self.minute = minute;
            self.tokens.clear();
        }
        self.tokens.insert(token)
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
        let mut is_first = |token, at| uses.is_first(token, UnixMillis(at));
        assert!(is_first(a, MINUTE) && is_first(b, MINUTE));
        assert!(!is_first(a, 2 * MINUTE - 1) && !is_first(b, MINUTE));
        assert!(is_first(a, 2 * MINUTE) && !is_first(a, 2 * MINUTE));
        assert!(is_first(a, 9 * MINUTE) && is_first(b, 9 * MINUTE));
    }
}
