//! Whether every node has what was acknowledged, and all have the same.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use http::StatusCode;
use http::header::ETAG;
use serde_json::Value;

use super::ledger::{Entry, Ledger};
use crate::load::Checked;

/// Looks at once.
const AT_ONCE: usize = 32;
/// What is told of in words.
const EXAMPLES: usize = 20;

/// What a node has of a key; nothing where there is none.
type Has = Option<Version>;

/// A version of a key.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    id: String,
    value: Bytes,
}

/// A node, and what it has of every key of the ledger, in its order.
struct Read<'a> {
    node: &'a str,
    all: Vec<Result<Has, String>>,
}

/// Reads every key that was ever written at every node. Each node has what was acknowledged, or anything later; and
/// all have the same, also of what was not acknowledged.
pub(super) async fn check(
    http: &reqwest::Client,
    ledger: &Ledger,
    at: &[String],
    token: Option<&str>,
) -> Checked {
    let written: Vec<&Entry> =
        ledger.0.iter().map(AsRef::as_ref).filter(|entry| *entry.allowed().end() > 0).collect();
    let is_acknowledged = |entry: &&&Entry| *entry.allowed().start() > 0;
    let keys = written.iter().filter(is_acknowledged).count() as u64;
    let mut checked = Checked { keys, ..Checked::default() };
    let mut nodes: Vec<Read<'_>> = Vec::new();
    for node in at {
        let looks: Vec<_> = written.iter().map(|entry| look(http, node, entry, token)).collect();
        let all = stream::iter(looks).buffered(AT_ONCE).collect().await;
        nodes.push(Read { node, all });
    }
    for Read { all, .. } in &nodes {
        for wrong in all.iter().filter_map(|has| has.as_ref().err()) {
            tell(&mut checked, wrong.clone());
        }
    }
    let Some((first, others)) = nodes.split_first() else { return checked };
    let sum = digest(&written, first);
    for other in others.iter().filter(|other| digest(&written, other) != sum) {
        if let Some(wrong) = difference(&written, first, other) {
            tell(&mut checked, wrong);
        }
    }
    Checked { digest: sum, ..checked }
}

fn tell(checked: &mut Checked, wrong: String) {
    checked.wrong += 1;
    if checked.examples.len() < EXAMPLES {
        checked.examples.push(wrong);
    }
}

/// One checksum of all keys of a node with their versions and values.
fn digest(written: &[&Entry], Read { all, .. }: &Read<'_>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        // The length first: no two lists are the same bytes.
        hasher.update(&(bytes.len() as u64).to_be_bytes()).update(bytes);
    };
    for (entry, has) in written.iter().zip(all) {
        // What could not be read is told of by itself.
        let Ok(Some(Version { id, value })) = has else { continue };
        add(entry.name.as_bytes());
        add(id.as_bytes());
        add(value);
    }
    hasher.finalize().to_hex().to_string()
}

/// The first key of which two nodes have different values or versions, with both. There is none where a node
/// could not be asked.
fn difference(written: &[&Entry], one: &Read<'_>, other: &Read<'_>) -> Option<String> {
    let pairs = one.all.iter().zip(&other.all);
    written.iter().zip(pairs).find_map(|(entry, pair)| match pair {
        (Ok(here), Ok(there)) if here != there => Some(format!(
            "{}: {} has {}, {} has {}",
            entry.name,
            one.node,
            words(here),
            other.node,
            words(there)
        )),
        _ => None,
    })
}

fn words(has: &Has) -> String {
    match has {
        Some(Version { id, value }) => {
            format!("{} of version {id}", String::from_utf8_lossy(value))
        }
        None => "nothing".into(),
    }
}

async fn look(
    http: &reqwest::Client,
    node: &str,
    entry: &Entry,
    token: Option<&str>,
) -> Result<Has, String> {
    let url = format!("{node}/kv/{}?raw", entry.name);
    let allowed = entry.allowed();
    let failed = |what: &dyn std::fmt::Display| format!("{url}: {what}, not within {allowed:?}");
    let mut request = http.get(&url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.map_err(|error| failed(&error))?;
    let status = answer.status();
    let id = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    let value = answer.bytes().await.map_err(|error| failed(&error))?;
    let text = String::from_utf8_lossy(&value);
    // Only what was never acknowledged need not be there.
    if status == StatusCode::NOT_FOUND && allowed.contains(&0) {
        return Ok(None);
    }
    let Some(id) = id.filter(|_| status == StatusCode::OK) else {
        return Err(failed(&format_args!("{status} {text}")));
    };
    let read: Value =
        serde_json::from_slice(&value).map_err(|_malformed| failed(&format_args!("{text}")))?;
    match read["n"].as_u64() {
        Some(number) if allowed.contains(&number) => Ok(Some(Version { id, value })),
        _ => Err(failed(&text)),
    }
}
