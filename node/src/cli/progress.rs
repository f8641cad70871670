//! Progress on the terminal; where there is none, nothing is shown.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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

fn show(bar: ProgressBar, template: &str) -> ProgressBar {
    // A template that does not parse would only cost the looks.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}
