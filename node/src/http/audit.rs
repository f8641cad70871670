//! The tamper-evident log of this node.

use std::net::Ipv6Addr;

use axum::body::Body;
use http::Response;
use kvs_client::{AuditEntry, AuditHead, AuditPage, AuditPeer, JSON_CONTENT_TYPE};
use kvs_core::audit::{Entry, Event, Hash, KeyHash, KeyHasher, Outcome, SignedHead, Subject};
use kvs_core::{Key, NodeId, RecordId, UnixMillis};
use serde::Serialize;
use utoipa::openapi::path::OperationBuilder;

use super::openapi::describe::{Describe, count, switch, text};
use super::page::answer;
use super::query::Query;
use super::{Answer, Call, Problem};
use crate::audit::{Log, PublicKey, Seen, Unproven, hex};
use crate::local;
use crate::node::Node;
use crate::store::{Read, StoreError};

/// Entries on a page that does not say how many, and the most it may ask for.
const DEFAULT_LIMIT: usize = 100;
const GREATEST_LIMIT: usize = 1000;

/// Largest number that every reader of JSON takes.
const GREATEST_NUMBER: usize = (1 << 53) - 1;

const SWITCH: &str = "tamper_logging_enabled";

/// Which entries are asked for.
struct Wanted {
    from: u64,
    limit: usize,
    key: Option<Key>,
    proofs: bool,
}

impl Wanted {
    fn take(query: &mut Query) -> Result<Self, Problem> {
        let wanted = Self {
            from: take_number(query, "from")?.unwrap_or(0),
            limit: query.take_count("limit", GREATEST_LIMIT)?.unwrap_or(DEFAULT_LIMIT),
            key: query.take("key").map(|key| Key::client(&key)).transpose()?,
            proofs: query.take_switch("proofs")?,
        };
        query.finish(&["from", "limit", "key", "proofs"])?;
        Ok(wanted)
    }
}

/// `GET /api/audit`: entries, oldest first.
pub(super) async fn list(mut call: Call) -> Answer {
    let wanted = Wanted::take(&mut call.query)?;
    let (head, key) = signed(&call.node)?;
    let (node, size) = (call.node.clone(), head.head.size);
    let found = call.node.view(&call.caller, move |view| {
        let log = Log::open(view.read, &node.settings().data_dir)?;
        entries(view.read, &log, &wanted, (size, view.scan_keys))
    });
    let (entries, next) = found.await?;
    Ok(json(&AuditPage { head: view_head(&head, &key), entries, next }))
}

/// `GET /api/audit/head`: what is signed, and what is known of other nodes' logs.
pub(super) async fn head(mut call: Call) -> Answer {
    let since = take_number(&mut call.query, "since")?;
    call.query.finish(&["since"])?;
    let (head, key) = signed(&call.node)?;
    let size = head.head.size;
    if since.is_some_and(|since| since > size) {
        let reason = format!("the log has {size} entries under its head; ask for no more");
        return Err(Problem::query("since", reason));
    }
    let node = call.node.clone();
    let proof = call.node.view(&call.caller, move |view| {
        let log = Log::open(view.read, &node.settings().data_dir)?;
        match since.map(|since| log.consistency(since, size)).transpose() {
            Ok(proof) => Ok(Ok(proof.flatten())),
            Err(Unproven::NoArchive(entry)) => Ok(Err(Problem::NoArchive(entry))),
            Err(Unproven::Store(error)) => Err(error),
        }
    });
    let proof = proof.await??.map(|proof| hashes(&proof));
    let (peers, silent) = (call.node.audit().peers(), call.node.audit().silent());
    let view = |(node, seen): (&NodeId, &Seen)| view_peer(*node, seen, silent.get(node).copied());
    let peers = peers.iter().map(view).collect();
    Ok(json(&AuditHead { proof, peers, ..view_head(&head, &key) }))
}

fn signed(node: &Node) -> Result<(SignedHead, PublicKey), Problem> {
    if !node.audit().is_on() {
        return Err(Problem::SwitchedOff { switch: SWITCH });
    }
    node.audit().head().ok_or(Problem::NotReady("the log has no signed head yet"))
}

/// Entries from where it was asked, as many as wanted and as may be looked at.
fn entries(
    read: &dyn Read,
    log: &Log<'_>,
    wanted: &Wanted,
    (size, scan): (u64, usize),
) -> Result<(Vec<AuditEntry>, Option<u64>), StoreError> {
    let about = wanted.key.as_ref().map(|key| hashes_of(read, key)).transpose()?;
    let mut entries = Vec::new();
    let end = size.min(wanted.from.saturating_add(scan as u64));
    for sequence in wanted.from..end {
        if entries.len() == wanted.limit {
            return Ok((entries, Some(sequence)));
        }
        let Some(row) = log.row(sequence)? else { continue };
        let entry = log.entry(sequence)?;
        let is_wanted = |entry: &Entry| {
            let is_about = |hash| about.as_ref().is_some_and(|about| about.contains(&hash));
            about.is_none() || entry.key.is_some_and(is_about)
        };
        let Some(entry) = entry.filter(is_wanted) else { continue };
        let proof = wanted.proofs.then(|| log.inclusion(sequence, size)).transpose()?.flatten();
        entries.push(view_entry(&entry, &row, proof.as_deref()));
    }
    Ok((entries, (end < size).then_some(end)))
}

/// What stands for a key in the log: for its value, and for its metadata.
fn hashes_of(read: &dyn Read, key: &Key) -> Result<Vec<KeyHash>, StoreError> {
    let Some(identity) = local::identity(read)? else { return Ok(Vec::new()) };
    let records = [RecordId::value(key.clone()), RecordId::meta(key.clone())];
    let hasher = KeyHasher::new(identity.digest_key.bytes());
    Ok(records.iter().map(|record| hasher.hash(record)).collect())
}

fn take_number(query: &mut Query, name: &str) -> Result<Option<u64>, Problem> {
    let Some(text) = query.take(name) else { return Ok(None) };
    match text.parse() {
        Ok(number) if number <= GREATEST_NUMBER as u64 => Ok(Some(number)),
        _ => {
            Err(Problem::query(name, format!("must be a whole number from 0 to {GREATEST_NUMBER}")))
        }
    }
}

fn view_head(SignedHead { head, signature }: &SignedHead, key: &PublicKey) -> AuditHead {
    AuditHead {
        cluster: head.cluster,
        node: head.node.uuid(),
        size: head.size,
        root: hex(&head.root),
        time: head.time.0,
        signature: hex(signature),
        key: hex(key),
        proof: None,
        peers: Vec::new(),
    }
}

fn view_peer(node: NodeId, seen: &Seen, silent: Option<UnixMillis>) -> AuditPeer {
    let head = &seen.head.head;
    let rewritten = seen.alarm.as_ref().map(|alarm| alarm.why.to_string());
    let silent_since = silent.map(|since| since.0);
    AuditPeer { node: node.uuid(), size: head.size, time: head.time.0, rewritten, silent_since }
}

fn view_entry(entry: &Entry, row: &[u8], proof: Option<&[Hash]>) -> AuditEntry {
    let (hash, bytes) = row.split_at_checked(32).unwrap_or_default();
    let mut view = AuditEntry {
        sequence: entry.sequence,
        time: entry.time.0,
        event: String::new(),
        uuid: None,
        right: None,
        count: None,
        subject: subject(entry.subject),
        key: entry.key.map(|key| hex(&key.0)),
        outcome: outcome(entry.outcome).to_owned(),
        hash: hex(hash),
        bytes: hex(bytes),
        proof: proof.map(hashes),
    };
    name_event(&mut view, entry.event);
    view
}

fn name_event(view: &mut AuditEntry, event: Event) {
    let name = match event {
        Event::Write(uuid) => about(view, uuid.uuid(), "write"),
        Event::Delete(uuid) => about(view, uuid.uuid(), "delete"),
        Event::Metadata(uuid) => about(view, uuid.uuid(), "metadata"),
        Event::AccountApplied(uuid) => about(view, uuid.uuid(), "account-applied"),
        Event::TokenUse(token) => about(view, token.uuid(), "token-use"),
        Event::PeerRewrote(node) => about(view, node.uuid(), "peer-rewrote"),
        Event::Denial(right) => {
            view.right = Some(right.to_string());
            "denial"
        }
        Event::Admin(right) => {
            view.right = Some(right.to_string());
            "admin"
        }
        Event::LoginFailures(count) => {
            view.count = Some(count);
            "login-failures"
        }
        Event::Started => "started",
    };
    name.clone_into(&mut view.event);
}

fn about(view: &mut AuditEntry, uuid: uuid::Uuid, name: &'static str) -> &'static str {
    view.uuid = Some(uuid);
    name
}

fn subject(subject: Subject) -> String {
    match subject {
        Subject::Anonymous => "anonymous".to_owned(),
        Subject::Socket => "socket".to_owned(),
        Subject::Node => "node".to_owned(),
        Subject::User(user) => format!("user:{user}"),
        Subject::Peer(node) => format!("peer:{node}"),
        Subject::Address(address) => format!("address:{}", Ipv6Addr::from(address).to_canonical()),
    }
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
    }
}

fn hashes(proof: &[Hash]) -> Vec<String> {
    proof.iter().map(|hash| hex(hash)).collect()
}

fn json(body: &impl Serialize) -> Response<Body> {
    // Plain structs: nothing in them can fail to be written.
    answer(JSON_CONTENT_TYPE, serde_json::to_vec(body).unwrap_or_default())
}

/// What the API description says of the entries.
pub(super) fn describe_list(operation: OperationBuilder) -> OperationBuilder {
    operation
        .query("from", count(0, GREATEST_NUMBER), "The first entry.")
        .query("limit", count(1, GREATEST_LIMIT), "Most entries of a page; 100 if left out.")
        .query("key", text(), "Only entries about this key.")
        .query("proofs", switch(), "Each with the proof that it is under the head.")
        .answers::<AuditPage>(200, "Entries, oldest first.")
        .refuses(&[404, 503])
}

/// What the API description says of the head.
pub(super) fn describe_head(operation: OperationBuilder) -> OperationBuilder {
    operation
        .query("since", count(0, GREATEST_NUMBER), "Prove that the log goes on from this size.")
        .answers::<AuditHead>(200, "The signed head.")
        .refuses(&[404, 503])
}
