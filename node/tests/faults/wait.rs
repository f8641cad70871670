//! Waiting for a condition, with a deadline and never for a mere while.

use std::thread;
use std::time::Duration;

use kvs_node::time::monotonic;

/// How long anything may take that a test waits for. Far beyond what it takes on a slow machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// How often a condition is looked at that nothing announces.
const PERIOD: Duration = Duration::from_millis(5);

/// Asks until there is an answer.
///
/// # Panics
///
/// There is none within [`DEADLINE`]; `what` was waited for.
pub(crate) fn until<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let began = monotonic();
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(began.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain: {what}");
        thread::park_timeout(PERIOD);
    }
}
