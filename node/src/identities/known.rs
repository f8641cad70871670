//! The keys of an issuer as they were last seen: looked at again from time to time, when a token names
//! one that is not among them, and never more often than is good for the issuer.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::fetch::{FetchError, Fetcher, address};
use super::keys::{KeySet, Published};
use crate::time::WallClock;

/// After which time keys are looked at again.
const FRESH: Duration = Duration::from_mins(10);
/// How long keys count that cannot be looked at again.
const STALE: Duration = Duration::from_hours(24);
/// Between two looks for a key that is not there: whoever makes keys up makes no more requests.
const PAUSE: Duration = Duration::from_secs(30);
/// Between two looks of which the first one failed.
const PAUSE_FAILED: Duration = Duration::from_secs(5);

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Where the configuration says.
    At(String),
    /// Where the issuer's description says.
    Described(String),
}

/// What an issuer says of itself.
#[derive(Debug, Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

/// The keys of an issuer.
pub(super) struct Keys {
    place: Place,
    fetcher: Fetcher,
    clock: Arc<dyn WallClock>,
    seen: RwLock<Seen>,
    /// One look at a time.
    looking: Mutex<()>,
}

#[derive(Clone, Default)]
struct Seen {
    keys: Arc<KeySet>,
    /// When they were seen, if they were.
    at: Option<Duration>,
    /// When it was last tried to see them, and whether that failed.
    tried: Option<(Duration, bool)>,
}

impl Seen {
    /// Whether it is too early for another look.
    fn rests(&self, now: Duration) -> bool {
        self.tried.is_some_and(|(at, failed)| {
            now.saturating_sub(at) < if failed { PAUSE_FAILED } else { PAUSE }
        })
    }

    fn age(&self, now: Duration) -> Option<Duration> {
        self.at.map(|at| now.saturating_sub(at))
    }
}

impl Keys {
    pub(super) fn new(place: Place, fetcher: Fetcher, clock: Arc<dyn WallClock>) -> Self {
        Self { place, fetcher, clock, seen: RwLock::default(), looking: Mutex::default() }
    }

    /// The keys, with the one that a token names if the issuer has it.
    pub(super) async fn with(&self, kid: Option<&str>) -> Result<Arc<KeySet>, FetchError> {
        let seen = self.seen();
        let has = |seen: &Seen| seen.keys.find(kid).is_some();
        match seen.age(self.clock.elapsed()) {
            Some(age) if age < FRESH && has(&seen) => return Ok(seen.keys),
            // Whoever comes while somebody looks goes by what was seen before.
            Some(age) if age < STALE && has(&seen) => {
                if let Ok(_look) = self.looking.try_lock() {
                    self.look_unless_too_early().await;
                }
                return Ok(self.seen().keys);
            }
            _ => {}
        }
        let _look = self.looking.lock().await;
        let seen = self.seen();
        if has(&seen) && seen.age(self.clock.elapsed()).is_some_and(|age| age < FRESH) {
            return Ok(seen.keys);
        }
        if seen.rests(self.clock.elapsed()) {
            return self.as_seen(seen);
        }
        self.look().await?;
        Ok(self.seen().keys)
    }

    /// What was seen before, if that still counts.
    fn as_seen(&self, seen: Seen) -> Result<Arc<KeySet>, FetchError> {
        match seen.age(self.clock.elapsed()) {
            Some(age) if age < STALE => Ok(seen.keys),
            _ => Err(FetchError::Failed {
                url: self.place.text().to_owned(),
                reason: "it did not a moment ago, and is not asked again yet".to_owned(),
            }),
        }
    }

    async fn look_unless_too_early(&self) {
        if !self.seen().rests(self.clock.elapsed()) {
            // What was seen before counts on, and why no more was seen is in the log.
            let _looked = self.look().await;
        }
    }

    async fn look(&self) -> Result<(), FetchError> {
        let found = self.fetch().await.inspect_err(|error| {
            tracing::warn!(%error, "the keys of an issuer cannot be had");
        });
        let now = self.clock.elapsed();
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        seen.tried = Some((now, found.is_err()));
        *seen = Seen { keys: Arc::new(found?), at: Some(now), tried: seen.tried };
        Ok(())
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let at = match &self.place {
            Place::At(uri) => address(uri)?,
            Place::Described(issuer) => self.described(issuer).await?,
        };
        Ok(self.fetcher.get::<Published>(&at, "a set of keys").await?.into())
    }

    /// Where an issuer says that its keys are: nowhere but on its own host and port.
    async fn described(&self, issuer: &str) -> Result<Url, FetchError> {
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        let url = address(&format!("{base}/.well-known/openid-configuration"))?;
        let what = "the description of an issuer";
        let Description { issuer: found, jwks_uri } = self.fetcher.get(&url, what).await?;
        if found != issuer {
            return Err(FetchError::Another { url: url.to_string(), found });
        }
        let keys = address(&jwks_uri)?;
        if keys.origin() != url.origin() {
            return Err(FetchError::Elsewhere { url: url.to_string(), found: jwks_uri });
        }
        Ok(keys)
    }

    fn seen(&self) -> Seen {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Place {
    fn text(&self) -> &str {
        match self {
            Self::At(text) | Self::Described(text) => text,
        }
    }
}
