//! Identities outside: issuers whose tokens are believed beside our own, and whom they vouch for.
//!
//! A token is judged by the one issuer whose exact name it bears, with keys that come from where the
//! configuration says, or from the issuer's own host. Nothing in a token leads anywhere: whatever its
//! header says about keys beyond `kid` is not looked at, and no request follows a redirect.

mod claims;
mod fetch;
mod judge;
mod keys;
mod known;
mod review;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kvs_config::Settings;
use kvs_core::UnixMillis;
use kvs_core::token::{TokenError, Unverified};
use thiserror::Error;

pub use self::fetch::FetchError;
use self::judge::Judge;
use crate::accounts::{Outside, Unbelieved};
use crate::time::WallClock;

/// How long what keys said of a token counts: after that, a key that its issuer has given up counts
/// no more.
const GOOD_FOR: Duration = Duration::from_mins(10);
/// How long what an API server said of a token counts.
const REVIEWED_FOR: Duration = Duration::from_mins(1);

/// Somebody for whom an issuer vouches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// Who.
    pub outside: Outside,
    /// When the issuer is to be asked again, or its keys.
    pub until: UnixMillis,
}

/// Why a token of an issuer outside is not believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Doubt {
    /// It is no good.
    #[error(transparent)]
    Refused(#[from] TokenError),
    /// It cannot be judged now.
    #[error("what {issuer} says of its tokens cannot be had now: {reason}")]
    Unreachable {
        /// Who made it.
        issuer: String,
        /// Why not.
        reason: String,
    },
}

impl From<Doubt> for Unbelieved {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::Refused(error) => Self::Refused(error),
            Doubt::Unreachable { issuer, .. } => Self::Unreachable { issuer },
        }
    }
}

/// The issuers that a node believes.
pub struct Identities {
    judges: Vec<Judge>,
    /// By how much their clocks may be off.
    drift: Duration,
}

impl Identities {
    /// The issuers of the settings. Nobody is asked anything before a token of theirs comes.
    pub fn new(settings: &Settings, clock: &Arc<dyn WallClock>) -> Self {
        let issuers = settings.oidc.iter().map(|issuer| Judge::of_issuer(issuer, clock));
        let kubernetes = Judge::of_kubernetes(&settings.kubernetes, clock);
        let judges = issuers.chain(kubernetes).collect();
        Self { judges, drift: settings.max_clock_drift.into() }
    }

    /// For whom this token of an issuer outside vouches.
    ///
    /// # Errors
    ///
    /// It is no good, its issuer is none that is believed, or it cannot be judged now.
    pub async fn believe(&self, token: &str, now: UnixMillis) -> Result<Vouched, Doubt> {
        let unverified = Unverified::parse(token)?;
        let issuer = unverified.issuer()?;
        let Some(judge) = self.judges.iter().find(|judge| judge.issuer == issuer) else {
            return Err(TokenError::Issuer(issuer).into());
        };
        judge.vouches(token, unverified, now, self.drift).await
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.judges.iter().map(|judge| &judge.issuer)).finish()
    }
}
