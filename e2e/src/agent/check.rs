//! Whether every node has what was acknowledged.

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;

use super::ledger::{Entry, Ledger};
use crate::load::Checked;

/// Looks at once.
const AT_ONCE: usize = 32;
/// What is told of in words.
const EXAMPLES: usize = 20;

/// Looks for every acknowledged key at every node.
pub(super) async fn check(
    http: &reqwest::Client,
    ledger: &Ledger,
    at: &[String],
    token: Option<&str>,
) -> Checked {
    let written: Vec<&Entry> =
        ledger.0.iter().map(AsRef::as_ref).filter(|entry| *entry.allowed().start() > 0).collect();
    let pairs = at.iter().flat_map(|node| written.iter().map(move |entry| (node, *entry)));
    let looks: Vec<_> = pairs.map(|(node, entry)| look(http, node, entry, token)).collect();
    let mut looking = stream::iter(looks).buffer_unordered(AT_ONCE);
    let mut checked = Checked { keys: written.len() as u64, ..Checked::default() };
    while let Some(found) = looking.next().await {
        let Err(wrong) = found else { continue };
        checked.wrong += 1;
        if checked.examples.len() < EXAMPLES {
            checked.examples.push(wrong);
        }
    }
    checked
}

async fn look(
    http: &reqwest::Client,
    node: &str,
    entry: &Entry,
    token: Option<&str>,
) -> Result<(), String> {
    let url = format!("{node}/kv/{}", entry.name);
    let allowed = entry.allowed();
    let failed = |what: &dyn std::fmt::Display| format!("{url}: {what}, not within {allowed:?}");
    let mut request = http.get(&url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.map_err(|error| failed(&error))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| failed(&error))?;
    let value: Value =
        serde_json::from_str(&text).map_err(|_malformed| failed(&format!("{status} {text}")))?;
    match value["data"]["n"].as_u64() {
        Some(number) if allowed.contains(&number) => Ok(()),
        _ => Err(failed(&text)),
    }
}
