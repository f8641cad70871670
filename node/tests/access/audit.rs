//! What callers do and may not do, in the tamper-evident log.

use std::net::Ipv6Addr;

use kvs_core::audit::{Entry, Event, Outcome, Subject};
use kvs_core::{Right, TokenId, UserId};
use serde_json::{Value, json};

use crate::harness::Guarded;

async fn user(node: &Guarded, name: &str) -> Subject {
    Subject::User(node.user_id(name).await.parse::<UserId>().unwrap())
}

/// The events, subjects and outcomes from an entry on.
fn said(entries: &[Entry], from: usize) -> Vec<(Event, Subject, Outcome)> {
    let said = |entry: &Entry| (entry.event, entry.subject, entry.outcome);
    entries[from..].iter().map(said).collect()
}

#[tokio::test]
async fn every_denial_names_who_it_was_and_the_right_that_was_lacking() {
    let node = Guarded::start().await;
    let ann = node.user("ann", &["read", "write"]).await;
    let by_ann = user(&node, "ann").await;
    node.as_root("PUT /kv/home/x", "1").await.expect(201);
    node.set("home", json!({ "mode": "cdwr--------" })).await;
    for (line, body, status, right) in [
        ("GET /kv/home/x", "", 404, Right::Read),
        ("HEAD /kv/home/x", "", 404, Right::Read),
        ("GET /kv/home/x/_history", "", 404, Right::Read),
        ("GET /kv/home/x/_metadata", "", 404, Right::Read),
        ("PUT /kv/home/x", "2", 403, Right::Write),
        ("PATCH /kv/home/x", "{}", 404, Right::Read),
        ("DELETE /kv/home/x", "", 403, Right::Delete),
        ("PATCH /kv/home/x/_metadata", r#"{"mode":0}"#, 404, Right::Write),
        ("GET /api/users", "", 403, Right::ReadUsers),
        ("POST /cluster/drain", "", 403, Right::UpdateCluster),
        ("GET /api/audit", "", 403, Right::ReadAudit),
        ("GET /kv/_system/users/ann", "", 403, Right::Read),
    ] {
        let before = node.entries().await.len();
        node.call(&ann, line, body).await.expect(status);
        let said = said(&node.entries().await, before);
        let denied = [(Event::Denial(right), by_ann, Outcome::Refused)];
        assert_eq!(said, denied, "{line}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_batch_has_a_denial_for_each_item_that_is_denied() {
    let node = Guarded::start().await;
    let ann = node.user("ann", &["read", "write"]).await;
    let by_ann = user(&node, "ann").await;
    node.as_root("PUT /kv/home/x", "1").await.expect(201);
    node.set("home", json!({ "mode": "cdwr--------" })).await;
    let before = node.entries().await.len();
    let items = json!({ "items": [
        { "op": "get", "key": "home/x" },
        { "op": "get", "key": "home/never" },
        { "op": "put", "key": "home/x", "value": 1 },
        { "op": "delete", "key": "home/x" },
        { "op": "get", "key": "_system/users/ann" },
    ]});
    node.call(&ann, "POST /kv/_batch", items.to_string()).await.expect(200);
    let mut rights: Vec<Right> = Vec::new();
    for (event, subject, outcome) in said(&node.entries().await, before) {
        let Event::Denial(right) = event else { panic!("{event:?}") };
        assert_eq!((subject, outcome), (by_ann, Outcome::Refused));
        rights.push(right);
    }
    rights.sort_unstable();
    assert_eq!(rights, [Right::Read, Right::Write, Right::Write, Right::Delete]);
    node.stop().await;
}

#[tokio::test]
async fn acts_of_administrators_are_entries_with_their_end() {
    let node = Guarded::start().await;
    let root = user(&node, "root").await;
    let before = node.entries().await.len();
    node.as_root("POST /api/users", r#"{"name":"ann"}"#).await.expect(201);
    node.as_root("POST /api/users", r#"{"name":"ann"}"#).await.expect(409);
    node.as_root("GET /api/users", "").await.expect(200);
    node.by_socket("POST /cluster/mode", r#"{"mode":"read_only"}"#).await.expect(200);
    let said = said(&node.entries().await, before);
    assert!(matches!(said[0], (Event::Write(_), by, Outcome::Done) if by == root), "{said:?}");
    let rest = [
        (Event::Admin(Right::CreateUsers), root, Outcome::Done),
        (Event::Admin(Right::CreateUsers), root, Outcome::Failed),
        (Event::Admin(Right::UpdateCluster), Subject::Socket, Outcome::Done),
    ];
    assert_eq!(said[1..], rest);
    node.stop().await;
}

#[tokio::test]
async fn the_first_accounts_and_the_first_token_are_the_nodes_own() {
    let node = Guarded::start().await;
    let said = said(&node.entries().await, 0);
    assert_eq!(said[0].0, Event::Started);
    assert!(said.len() > 5, "{said:?}");
    let of_accounts = |(event, subject, _): &(Event, Subject, Outcome)| match event {
        Event::Write(_) => *subject == Subject::Node,
        // What comes with the cluster file is of no node.
        Event::AccountApplied(_) => matches!(subject, Subject::Peer(_)),
        _ => false,
    };
    assert!(said[1..].iter().all(of_accounts), "{said:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_token_with_an_administrators_scope_is_an_entry_for_each_minute_of_its_use() {
    let node = Guarded::start().await;
    let ann = node.user("ann", &["read", "write"]).await;
    let token: TokenId = node.id_of(&node.root).await.parse().unwrap();
    let root = user(&node, "root").await;
    for _ in 0..2 {
        for key in ["a", "b"] {
            node.as_root(&format!("PUT /kv/{key}"), "1").await;
            node.call(&ann, &format!("GET /kv/{key}"), "").await.expect(200);
        }
        node.advance(std::time::Duration::from_mins(1));
    }
    let uses = said(&node.entries().await, 0);
    let uses: Vec<_> =
        uses.iter().filter(|(event, ..)| matches!(event, Event::TokenUse(_))).collect();
    let used = (Event::TokenUse(token), root, Outcome::Done);
    assert_eq!(uses, [&used, &used]);
    node.stop().await;
}

#[tokio::test]
async fn callers_without_good_credentials_are_counted_by_address() {
    let node = Guarded::start().await;
    let before = node.entries().await.len();
    for _ in 0..20 {
        node.call("", "GET /kv/a", "").await.expect(401);
        node.call("garbage", "DELETE /kv/a", "").await.expect(401);
    }
    let address = Subject::Address("::ffff:10.0.0.7".parse::<Ipv6Addr>().unwrap().octets());
    let said = said(&node.entries().await, before);
    let mut counted = 0;
    for (event, subject, outcome) in said {
        let Event::LoginFailures(count) = event else { panic!("{event:?}") };
        assert_eq!((subject, outcome), (address, Outcome::Refused));
        counted += count;
    }
    assert_eq!(counted, 40);
    node.stop().await;
}

#[tokio::test]
async fn who_may_read_the_log_finds_what_was_done_to_a_key_and_its_metadata() {
    let node = Guarded::start().await;
    let auditor = node.user("auditor", &["admin:audit:read"]).await;
    let (ann, root) = (node.user("ann", &["read"]).await, node.user_id("root").await);
    node.as_root("PUT /kv/a", "1").await.expect(201);
    node.set("a", json!({ "mode": "cdwr--------" })).await;
    node.call(&ann, "GET /kv/a", "").await.expect(404);
    node.as_root("PUT /kv/other", "1").await.expect(201);
    node.as_root("DELETE /kv/a", "").await.expect(204);
    // The first time what was counted is written, the second time it is signed.
    node.entries().await;
    node.entries().await;
    let listed = node.call(&auditor, "GET /api/audit?key=a&proofs", "").await.expect(200).json();
    let told = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        (text("event"), text("subject"))
    };
    let told: Vec<_> = listed["entries"].as_array().unwrap().iter().map(told).collect();
    let (root, ann) = (format!("user:{root}"), format!("user:{}", node.user_id("ann").await));
    let wanted = [("write", &root), ("metadata", &root), ("denial", &ann), ("delete", &root)];
    let wanted = wanted.map(|(event, subject)| (event.to_owned(), subject.clone()));
    assert_eq!(told, wanted);
    node.by_socket("GET /api/audit/head", "").await.expect(200);
    node.call("", "GET /api/audit", "").await.refuses(401, "credentials-missing");
    node.stop().await;
}

#[tokio::test]
async fn a_proof_that_takes_an_archive_which_was_moved_away_is_refused_as_that() {
    let node = Guarded::with(|settings| settings.audit_segment = 256).await;
    for batch in 0..6 {
        let item = |at| json!({ "op": "put", "key": format!("{batch}/{at}"), "value": 1 });
        let items: Vec<Value> = (0..100).map(item).collect();
        node.as_root("POST /kv/_batch", json!({ "items": items }).to_string()).await.expect(200);
    }
    node.entries().await;
    node.by_socket("GET /api/audit/head?since=100", "").await.expect(200);
    let folder = node.dir.path().join("audit");
    for archive in std::fs::read_dir(&folder).unwrap() {
        std::fs::remove_file(archive.unwrap().path()).unwrap();
    }
    let refused = node.by_socket("GET /api/audit/head?since=100", "").await;
    refused.refuses(404, "archive-absent");
    node.by_socket("GET /api/audit/head?since=256", "").await.expect(200);
    node.stop().await;
}
