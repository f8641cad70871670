//! The routes of the tamper-evident log.

use kvs_core::audit::tree::{Hash, leaf_hash, verify_consistency, verify_inclusion};
use kvs_node::audit::{bytes_of, from_hex};
use serde_json::Value;

use crate::harness::TestNode;

fn start() -> TestNode {
    TestNode::with(|settings| settings.tamper_logging_enabled = true)
}

/// The signed head, once it covers so many entries.
async fn head_of(node: &TestNode, size: u64) -> Value {
    let waiting = async {
        loop {
            let answer = node.get("/api/audit/head").await;
            if answer.status == 200 {
                let head = answer.json();
                if head["size"].as_u64() >= Some(size) {
                    return head;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), waiting).await.unwrap()
}

fn hash(value: &Value) -> Hash {
    from_hex(value.as_str().unwrap()).unwrap()
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(hash).collect()
}

#[tokio::test]
async fn each_entry_comes_with_the_proof_that_it_is_under_the_signed_head() {
    let node = start();
    for at in 0..5 {
        node.put(&format!("/kv/k/{at}"), "1").await.expect(201);
    }
    node.delete("/kv/k/3").await.expect(204);
    head_of(&node, 7).await;
    let page = node.get("/api/audit?proofs").await.expect(200).json();
    let (head, entries) = (&page["head"], page["entries"].as_array().unwrap());
    let size = head["size"].as_u64().unwrap();
    assert_eq!(entries.len() as u64, size);
    for entry in entries {
        let bytes = bytes_of(entry["bytes"].as_str().unwrap()).unwrap();
        let leaf = hash(&entry["hash"]);
        assert_eq!(leaf_hash(&bytes), leaf);
        let sequence = entry["sequence"].as_u64().unwrap();
        let proof = hashes(&entry["proof"]);
        verify_inclusion(&leaf, sequence, size, &hash(&head["root"]), &proof).unwrap();
    }
    let events: Vec<&str> = entries.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["started", "write", "write", "write", "write", "write", "delete"]);
    assert_eq!(entries[1]["subject"], "anonymous");
    assert!(!page.to_string().contains("k/3"), "a key is in it");
}

#[tokio::test]
async fn the_log_is_proven_to_go_on_from_an_earlier_head() {
    let node = start();
    node.put("/kv/a", "1").await.expect(201);
    let old = head_of(&node, 2).await;
    node.put("/kv/a", "2").await.expect(200);
    head_of(&node, 3).await;
    let path = format!("/api/audit/head?since={}", old["size"]);
    let new = node.get(&path).await.expect(200).json();
    let (from, to) = (old["size"].as_u64().unwrap(), new["size"].as_u64().unwrap());
    let proof = hashes(&new["proof"]);
    verify_consistency(from, &hash(&old["root"]), to, &hash(&new["root"]), &proof).unwrap();
    assert_eq!(old["key"], new["key"]);
    let more = format!("/api/audit/head?since={}", to + 1);
    node.get(&more).await.refuses(400, "query-malformed", "since");
}

#[tokio::test]
async fn entries_are_listed_page_by_page_and_by_key() {
    let node = start();
    for _ in 0..4 {
        node.put("/kv/a", "1").await;
        node.put("/kv/b", "1").await;
    }
    head_of(&node, 9).await;
    let page = node.get("/api/audit?limit=5").await.expect(200).json();
    assert_eq!((page["entries"].as_array().unwrap().len(), &page["next"]), (5, &5.into()));
    let page = node.get("/api/audit?from=5&limit=1000").await.expect(200).json();
    assert_eq!((page["entries"].as_array().unwrap().len(), &page["next"]), (4, &Value::Null));
    let page = node.get("/api/audit?key=a").await.expect(200).json();
    let places = page["entries"].as_array().unwrap().iter().map(|entry| entry["sequence"].as_u64());
    assert_eq!(places.collect::<Vec<_>>(), [Some(1), Some(3), Some(5), Some(7)]);
    let page = node.get("/api/audit?key=c").await.expect(200).json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 0);
    let page = node.get("/api/audit?from=9007199254740991").await.expect(200).json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 0);
    for (query, name) in [
        ("from=9007199254740992", "from"),
        ("from=-1", "from"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("proofs=maybe", "proofs"),
        ("other=1", "other"),
    ] {
        let refused = node.get(&format!("/api/audit?{query}")).await;
        refused.refuses(400, "query-malformed", name);
    }
    node.get("/api/audit?key=_x").await.refuses(400, "key-malformed", "_");
}

#[tokio::test]
async fn the_log_is_shown_only_on_the_machine_of_the_node_and_counted() {
    let node = start();
    head_of(&node, 1).await;
    let metrics = node.get("/metrics").await.expect(200).text();
    for line in ["kvs_audit_entries 1", "kvs_audit_dropped_total 0", "kvs_audit_tampered 0"] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let elsewhere = node.seen_from("10.0.0.7");
    for path in ["/api/audit", "/api/audit/head"] {
        elsewhere.get(path).await.refuses(403, "not-here", "only from the machine");
    }
    head_of(&node, 2).await;
    let page = node.get("/api/audit?from=1").await.expect(200).json();
    let tried = &page["entries"][0];
    assert_eq!(
        (&tried["event"], &tried["subject"]),
        (&"login-failures".into(), &"address:10.0.0.7".into())
    );
    let off = TestNode::start();
    off.get("/api/audit").await.refuses(404, "switched-off", "tamper_logging_enabled is off");
    assert!(!off.get("/metrics").await.text().contains("kvs_audit"));
}
