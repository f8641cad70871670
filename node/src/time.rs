//! The one door through which time enters.

use std::fmt;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kvs_core::UnixMillis;

/// Where a node reads the wall clock.
pub trait WallClock: fmt::Debug + Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> UnixMillis;

    /// Time that no setting of clocks moves, from a moment that stays the same while the process runs.
    fn elapsed(&self) -> Duration {
        static BEGAN: LazyLock<Instant> = LazyLock::new(monotonic);
        let began = *BEGAN;
        monotonic().saturating_duration_since(began)
    }
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn now(&self) -> UnixMillis {
        // Before 1970 counts as 1970: stamps rise whatever the wall clock says.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The machine's clock, wrong by as many milliseconds as a file says, which is read each time: for
/// trying what a node does whose clock is wrong, and is put right again. Without the file it is right.
#[derive(Clone, Debug)]
pub struct WrongClock(pub PathBuf);

impl WallClock for WrongClock {
    fn now(&self) -> UnixMillis {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        let offset: i64 = text.trim().parse().unwrap_or(0);
        UnixMillis(SystemClock.now().0.saturating_add_signed(offset))
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now`.
    pub const fn at(now: u64) -> Self {
        Self(AtomicU64::new(now))
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl WallClock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.now().0)
    }
}

/// A reading of the monotonic clock, for measuring how long something takes.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn monotonic() -> Instant {
    Instant::now()
}
