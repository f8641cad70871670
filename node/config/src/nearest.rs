//! The setting that a misspelt name probably meant.

use crate::settings::FIELDS;

/// The closest path, unless even that one is far off.
///
/// A name without its group is compared with the last part of each path, so that
/// `value_size` finds `limits.value_size`.
pub(crate) fn nearest(written: &str) -> Option<&'static str> {
    let ranked = FIELDS.iter().map(|field| (distance(written, field.path), field.path));
    let (distance, path) = ranked.min_by_key(|(distance, _)| *distance)?;
    (distance <= tolerance(written)).then_some(path)
}

/// A third of the letters may be wrong, and two in any short name.
fn tolerance(written: &str) -> usize {
    (written.chars().count() / 3).max(2)
}

fn distance(written: &str, path: &str) -> usize {
    let last = path.rsplit('.').next().unwrap_or(path);
    let whole = strsim::damerau_levenshtein(written, path);
    whole.min(strsim::damerau_levenshtein(written, last))
}
