//! Waiting for what is to become true, with a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::failure::Failure;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(200);

/// Waits until `look` has something; says how long that took. A look that fails is made again.
///
/// # Errors
///
/// Not within this time, with what the last look said.
pub(crate) async fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>, Failure>,
) -> Result<(T, Duration), Failure> {
    let began = Instant::now();
    let mut last = String::new();
    loop {
        match look().await {
            Ok(Some(found)) => return Ok((found, began.elapsed())),
            Ok(None) => {}
            Err(failure) => last = format!(" (the last look failed: {failure})"),
        }
        if began.elapsed() > within {
            return Err(Failure::new(format!("not within {within:?}: {what}{last}")));
        }
        sleep(EVERY).await;
    }
}
