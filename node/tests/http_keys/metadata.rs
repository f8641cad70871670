use serde_json::{Value, json};

use crate::harness::{Answered, START, TestNode};

const OWNER: &str = "00000000-0000-0000-0000-000000000001";
const GROUP: &str = "00000000-0000-0000-0000-000000000002";

async fn patch(node: &TestNode, key: &str, body: Value) -> Answered {
    node.call(&format!("PATCH /kv/{key}/_metadata"), &[], body.to_string()).await
}

#[tokio::test]
async fn a_key_without_metadata_of_its_own_shows_the_defaults() {
    let node = TestNode::start();
    let uuid = node.put("/kv/a/b?ttl=1h", "1").await.uuid();
    let read = node.get("/kv/a/b/_metadata").await.expect(200);
    assert_eq!(
        read.json(),
        json!({
            "owner": null, "group": null, "mode": {"text": "cdwr--wr---r", "bits": 0xF31},
            "ttl": null, "created": START, "updated": START, "expires": START + 3_600_000,
            "uuid": uuid, "governed_by": null,
        })
    );
    assert_eq!(read.header("etag"), "");
}

#[tokio::test]
async fn a_prefix_without_value_governs_what_is_below() {
    let node = TestNode::start();
    let set =
        patch(&node, "a", json!({"owner": OWNER, "group": GROUP, "mode": 0xFFF, "ttl": "90m"}));
    let set = set.await.expect(200);
    assert_ne!(set.header("etag"), "");
    assert_eq!(set.json()["governed_by"], "a");
    assert_eq!(set.json()["uuid"], json!(null));
    for key in ["a", "a/b/c"] {
        let read = node.get(&format!("/kv/{key}/_metadata")).await.expect(200).json();
        assert_eq!(read["owner"], OWNER);
        assert_eq!(read["group"], GROUP);
        assert_eq!(read["mode"], json!({"text": "cdwrcdwrcdwr", "bits": 0xFFF}));
        assert_eq!(read["ttl"], "90m");
        assert_eq!(read["governed_by"], "a");
    }
    node.get("/kv/ab/_metadata").await.refuses(404, "key-absent", "never written");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_a_put_all() {
    let node = TestNode::start();
    patch(&node, "a", json!({"owner": OWNER, "mode": "cdwr--------"})).await.expect(200);
    let patched = patch(&node, "a", json!({"owner": null, "ttl": "1h"})).await.json();
    assert_eq!(patched["owner"], json!(null));
    assert_eq!(patched["mode"]["text"], "cdwr--------");
    assert_eq!(patched["ttl"], "1h");
    let put = node.put("/kv/a/_metadata", json!({"group": GROUP}).to_string()).await.json();
    assert_eq!((&put["group"], &put["ttl"]), (&json!(GROUP), &json!(null)));
    assert_eq!(put["mode"]["text"], "cdwr--wr---r");
}

#[tokio::test]
async fn metadata_of_which_nothing_is_left_is_gone() {
    let node = TestNode::start();
    patch(&node, "a", json!({"ttl": "1h"})).await.expect(200);
    let cleared = patch(&node, "a", json!({"ttl": null})).await.expect(200);
    assert_eq!(cleared.json()["governed_by"], json!(null));
    assert_eq!(cleared.header("etag"), "");
    node.get("/kv/a/_metadata").await.refuses(404, "key-absent", "never written");
    node.put("/kv/a/_metadata", "{}").await.expect(200);
    patch(&node, "a", json!({})).await.expect(200);
}

#[tokio::test]
async fn values_and_metadata_do_not_undo_each_other() {
    let node = TestNode::start();
    node.put("/kv/a", "1").await;
    patch(&node, "a", json!({"mode": 1})).await.expect(200);
    node.put("/kv/a", "2").await.expect(200);
    assert_eq!(node.get("/kv/a/_metadata").await.json()["mode"]["bits"], 1);
    assert_eq!(node.get("/kv/a").await.json()["data"], 2);
}

#[tokio::test]
async fn changes_honour_conditions_on_the_metadata_s_own_version() {
    let node = TestNode::start();
    let value = node.put("/kv/a", "1").await;
    let change = async |name, tag: &str| {
        node.call("PATCH /kv/a/_metadata", &[(name, tag)], "{\"mode\":1}").await
    };
    change("if-match", "*").await.refuses(412, "condition-failed", "absent");
    let first = change("if-none-match", "*").await.expect(200);
    change("if-match", value.header("etag")).await.refuses(412, "condition-failed", "current");
    let second = change("if-match", first.header("etag")).await.expect(200);
    change("if-match", first.header("etag")).await.refuses(412, "condition-failed", "current");
    assert_eq!(node.get("/kv/a/_metadata").await.header("etag"), second.header("etag"));
}

#[tokio::test]
async fn wrong_fields_are_refused_by_name() {
    let node = TestNode::start();
    for (body, detail) in [
        (json!({"owner": "x"}), "owner: UUID parsing failed"),
        (json!({"group": 5}), "group: invalid type"),
        (json!({"mode": 4096}), "4096"),
        (json!({"mode": 70_000}), "mode: a mode is text like"),
        (json!({"mode": "rwx"}), "mode: mode \"rwx\" is malformed"),
        (json!({"mode": null}), "a mode is text like"),
        (json!({"ttl": "999ms"}), "ttl: 999ms is too short: the least is 1s"),
        (json!({"ttl": "soon"}), "ttl: soon is not a duration"),
        (json!({"colour": 1}), "unknown field `colour`"),
        (json!([]), "invalid type: sequence, expected an object"),
    ] {
        for method in ["PATCH", "PUT"] {
            let line = format!("{method} /kv/a/_metadata");
            let refused = node.call(&line, &[], body.to_string()).await;
            refused.refuses(422, "content-wrong", detail);
        }
    }
    patch(&node, "a", json!({"mode": 4095, "ttl": "1s"})).await.expect(200);
    node.put("/kv/a/_metadata", "{").await.refuses(400, "json-malformed", "EOF");
    let text = [("content-type", "text/plain")];
    let refused = node.call("PUT /kv/a/_metadata", &text, "{}").await;
    refused.refuses(415, "content-type-not-taken", "text/plain");
    node.get("/kv/_metadata").await.refuses(400, "key-malformed", "the key is empty");
}
