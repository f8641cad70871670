//! Waiting for a condition, with a deadline and never for a mere while.

use std::time::Duration;

use kvs_node::time::monotonic;

/// How long anything may take that a test waits for. Far beyond what it takes on a slow machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// How often a condition is looked at that nothing announces.
const PERIOD: Duration = Duration::from_millis(10);

/// Asks until there is an answer, and says how long that took.
///
/// # Panics
///
/// There is none within [`DEADLINE`]; `what` was waited for.
pub(crate) async fn until<T>(what: &str, answer: impl AsyncFnMut() -> Option<T>) -> (T, Duration) {
    until_within(DEADLINE, what, answer).await
}

/// The same with another deadline.
///
/// # Panics
///
/// There is none within `deadline`.
pub(crate) async fn until_within<T>(
    deadline: Duration,
    what: &str,
    mut answer: impl AsyncFnMut() -> Option<T>,
) -> (T, Duration) {
    let began = monotonic();
    loop {
        if let Some(answer) = answer().await {
            return (answer, began.elapsed());
        }
        assert!(began.elapsed() < deadline, "waited {deadline:?} in vain: {what}");
        tokio::time::sleep(PERIOD).await;
    }
}
