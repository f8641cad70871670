//! How long a new token lives.

use std::time::Duration;

use thiserror::Error;

use super::UnixSeconds;
use crate::stamp::UnixMillis;

/// The shortest life of a token: claims count seconds.
pub const MIN_LIFETIME: Duration = Duration::from_secs(1);

/// The configured lifetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// `token_ttl`: where nothing was asked for.
    pub usual: Duration,
    /// `token_max_ttl`: the most that may be asked for.
    pub most: Duration,
}

/// A lifetime that no token may have. No token was made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TtlError {
    /// Under [`MIN_LIFETIME`].
    #[error("a token cannot live for {} ms; 1s is the least", .0.as_millis())]
    TooShort(Duration),
    /// Over `token_max_ttl`.
    #[error(
        "a token cannot live for {} s; token_max_ttl allows {} s", .asked.as_secs(), .most.as_secs()
    )]
    TooLong {
        /// What was asked for.
        asked: Duration,
        /// `token_max_ttl`.
        most: Duration,
    },
}

impl Lifetimes {
    /// How long a token lives for which `asked` was asked. `token_ttl` above `token_max_ttl` is cut
    /// to it.
    ///
    /// # Errors
    ///
    /// What was asked for is too short or too long.
    pub fn choose(&self, asked: Option<Duration>) -> Result<Duration, TtlError> {
        match asked {
            None => Ok(self.usual.min(self.most).max(MIN_LIFETIME)),
            Some(asked) if asked < MIN_LIFETIME => Err(TtlError::TooShort(asked)),
            Some(asked) if asked > self.most => Err(TtlError::TooLong { asked, most: self.most }),
            Some(asked) => Ok(asked),
        }
    }

    /// `iat` and `exp` of a token that is made at `now` and lives for `lifetime`, whole seconds.
    pub fn period(now: UnixMillis, lifetime: Duration) -> (UnixSeconds, UnixSeconds) {
        let made = UnixSeconds::of(now);
        (made, UnixSeconds(made.0.saturating_add(lifetime.as_secs())))
    }
}
