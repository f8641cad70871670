//! How many lines the log gets.

use std::time::Duration;

use tokio::time::Instant;

/// Within this time at most [`LINES`] refusals are logged: whoever knocks must not fill the disk.
const WINDOW: Duration = Duration::from_secs(10);
/// See [`WINDOW`].
const LINES: u64 = 10;

/// How many lines were logged lately.
#[derive(Debug, Default)]
pub(super) struct Window {
    began: Option<Instant>,
    lines: u64,
    left_out: u64,
}

impl Window {
    /// Whether to log now; then, how many lines were left out since the last one.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.duration_since(began) >= WINDOW) {
            self.began = Some(now);
            self.lines = 0;
        }
        if self.lines >= LINES {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_logged_at_a_bounded_rate_and_says_what_was_left_out() {
        let (mut window, now) = (Window::default(), Instant::now());
        let logged = (0..1_000).filter_map(|_| window.admit(now)).count();
        assert_eq!(logged as u64, LINES);
        assert_eq!(window.admit(now + WINDOW), Some(1_000 - LINES));
        assert_eq!(window.admit(now + WINDOW), Some(0));
    }
}
