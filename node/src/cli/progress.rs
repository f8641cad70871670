//! Progress on the terminal; where there is none, nothing is shown.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::backup::Progress;

/// How often the display moves by itself.
const TICK: Duration = Duration::from_millis(120);

const COUNT: &str = "{spinner} {human_pos} keys, {elapsed}, {per_sec}";
const BYTES: &str = "{wide_bar} {percent}% of {total_bytes}, {msg} keys, {eta} left";

/// Counts keys of which nobody knows how many there are.
pub(super) fn count() -> ProgressBar {
    show(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()), COUNT)
}

/// Counts bytes out of so many.
pub(super) fn bytes(total: u64) -> ProgressBar {
    show(ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()), BYTES)
}

const TRANSFER: &str = "{wide_bar} {bytes} of {total_bytes}, {eta} left";

/// Bytes out of so many; 0 while that is not known.
pub(super) fn transfer(total: u64) -> ProgressBar {
    show(ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()), TRANSFER)
}

/// Does what waits, and shows meanwhile how far it is.
pub(super) fn during<T: Send>(progress: &Progress, what: impl FnOnce() -> T + Send) -> T {
    let bar = transfer(0);
    let done = std::thread::scope(|scope| {
        let working = scope.spawn(what);
        while !working.is_finished() {
            let (done, total) = progress.get();
            bar.set_length(total);
            bar.set_position(done);
            std::thread::park_timeout(TICK);
        }
        working.join()
    });
    bar.finish_and_clear();
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn show(bar: ProgressBar, template: &str) -> ProgressBar {
    // A template that does not parse would only cost the looks.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}
