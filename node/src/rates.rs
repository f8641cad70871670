//! How much each caller may ask of this node, and how often an address may fail to log in.
//!
//! The table of callers is bounded. What is forgotten first is whoever was heard of once, and whoever
//! is forgotten has all of their units again: so somebody with more addresses than the table has rows
//! gains nothing by it that the addresses alone would not give.
//!
//! Not the crate `governor`: it neither lets a batch of more items than there are units through, ever,
//! nor tells how somebody stands without taking from them, and its limits are fixed once it is made.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use kvs_config::Settings;
use kvs_core::UserId;
use kvs_core::quota::{Exceeded, Quota, Standing};
use quick_cache::sync::Cache;

use crate::time::WallClock;

/// Rows of the table: a caller who reads and writes has two. They take some 100 bytes each.
const ROWS: usize = 65_536;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Requests that change nothing.
    Read,
    /// Requests that may change something.
    Write,
    /// Credentials that were no good.
    Login,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Login];

    /// The kind as figures spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Login => "login",
        }
    }
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A user, whichever of their tokens they show.
    User(UserId),
    /// Whoever calls from an address or network.
    Address(IpAddr),
}

/// What callers may ask for, and what they have asked for.
pub struct Rates {
    enabled: bool,
    quotas: RwLock<Quotas>,
    /// When each caller has everything again, in nanoseconds of the clock.
    table: Cache<(Subject, Kind), Arc<AtomicU64>>,
    clock: Arc<dyn WallClock>,
    /// How often somebody was refused, by kind.
    refused: [AtomicU64; Kind::ALL.len()],
}

#[derive(Clone, Copy, Debug)]
struct Quotas {
    requests: Quota,
    logins: Quota,
}

impl Quotas {
    fn of(settings: &Settings) -> Self {
        let window = settings.rate_limit_window.into();
        Self {
            requests: Quota::new(settings.rate_limit, window),
            logins: Quota::new(settings.failed_login_limit, window),
        }
    }
}

impl Rates {
    /// What the settings allow; nobody has asked for anything yet.
    pub fn new(settings: &Settings, clock: Arc<dyn WallClock>) -> Self {
        let enabled = settings.rate_limiting_enabled;
        Self {
            enabled,
            quotas: RwLock::new(Quotas::of(settings)),
            table: Cache::new(if enabled { ROWS } else { 1 }),
            clock,
            refused: Default::default(),
        }
    }

    /// Takes over other limits. What was taken stays taken.
    pub fn set(&self, settings: &Settings) {
        *self.quotas.write().unwrap_or_else(PoisonError::into_inner) = Quotas::of(settings);
    }

    /// Takes `units` from a caller; tells how they stand then, if there are limits.
    ///
    /// # Errors
    ///
    /// They have not as many left. Nothing was taken.
    pub fn take(
        &self,
        subject: Subject,
        kind: Kind,
        units: u32,
    ) -> Result<Option<Standing>, Exceeded> {
        if !self.enabled {
            return Ok(None);
        }
        let (quota, now) = (self.quota(kind), self.now());
        let row = self.row(subject, kind);
        let mut full_at = row.load(Ordering::Relaxed);
        loop {
            let (next, standing) = quota.take(full_at, now, units)?;
            match row.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(Some(standing)),
                Err(other) => full_at = other,
            }
        }
    }

    /// Whether a caller could take `units` now. Nothing is taken.
    ///
    /// # Errors
    ///
    /// They have not as many left.
    pub fn ask(&self, subject: Subject, kind: Kind, units: u32) -> Result<(), Exceeded> {
        if !self.enabled {
            return Ok(());
        }
        let full_at = self.table.get(&(subject, kind)).map_or(0, |row| row.load(Ordering::Relaxed));
        self.quota(kind).take(full_at, self.now(), units).map(drop)
    }

    /// In which time how many units come back.
    pub fn quota(&self, kind: Kind) -> Quota {
        let quotas = *self.quotas.read().unwrap_or_else(PoisonError::into_inner);
        match kind {
            Kind::Read | Kind::Write => quotas.requests,
            Kind::Login => quotas.logins,
        }
    }

    /// Counts that somebody was refused for having asked too much.
    pub fn note_refused(&self, kind: Kind) {
        self.refused[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often somebody was.
    pub fn refused(&self) -> impl Iterator<Item = (Kind, u64)> {
        let counts = self.refused.iter().map(|count| count.load(Ordering::Relaxed));
        Kind::ALL.into_iter().zip(counts)
    }

    /// How many rows the table has.
    pub fn rows(&self) -> usize {
        self.table.len()
    }

    fn row(&self, subject: Subject, kind: Kind) -> Arc<AtomicU64> {
        let made = self.table.get_or_insert_with(&(subject, kind), || Ok(Arc::default()));
        made.unwrap_or_else(|never: std::convert::Infallible| match never {})
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Rates {
    /// Shows nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").field("enabled", &self.enabled).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
