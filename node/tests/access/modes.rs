//! Modes as callers see them, held against a table that shares nothing with the decision.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::Guarded;

/// Users 0, 1 and 2; the first two are in the group.
const USERS: [&str; 3] = ["ann", "ben", "cyd"];

/// What root sets: owner, whether the group is the family, mode.
#[derive(Clone, Debug)]
struct Set {
    owner: Option<usize>,
    group: bool,
    mode: u16,
}

#[derive(Clone, Debug)]
struct Case {
    writer: usize,
    caller: usize,
    prefix: Option<Set>,
    own: Option<Set>,
}

fn any_set() -> impl Strategy<Value = Set> {
    (prop::option::of(0usize..3), any::<bool>(), 0u16..0x1000)
        .prop_map(|(owner, group, mode)| Set { owner, group, mode })
}

fn any_case() -> impl Strategy<Value = Case> {
    (0usize..3, 0usize..3, prop::option::of(any_set()), prop::option::of(any_set()))
        .prop_map(|(writer, caller, prefix, own)| Case { writer, caller, prefix, own })
}

/// Whether `letter` of `cdwr` is set for the caller.
fn bit(set: Option<&Set>, first_writer: Option<usize>, caller: usize, letter: char) -> bool {
    let (mode, owner, group) = match set {
        Some(set) => (set.mode, set.owner.or(first_writer), set.group),
        None if first_writer.is_none() => return true,
        None => (0xF31, first_writer, false),
    };
    let class = if owner == Some(caller) {
        8
    } else if group && caller < 2 {
        4
    } else {
        0
    };
    let place = 3 - "cdwr".find(letter).unwrap();
    mode >> (class + place) & 1 == 1
}

struct Site {
    node: Guarded,
    tokens: Vec<String>,
    ids: Vec<String>,
    family: String,
}

impl Site {
    async fn new() -> Self {
        let node = Guarded::start().await;
        let (mut tokens, mut ids) = (Vec::new(), Vec::new());
        let family = node.as_root("POST /api/groups", r#"{"name":"family"}"#).await.expect(201);
        let family = family.json()["id"].as_str().unwrap().to_owned();
        for (at, name) in USERS.into_iter().enumerate() {
            tokens.push(node.user(name, &["read", "write", "delete"]).await);
            ids.push(node.user_id(name).await);
            if at < 2 {
                let line = format!("PUT /api/groups/family/members/{name}");
                node.as_root(&line, "").await.expect(204);
            }
        }
        Self { node, tokens, ids, family }
    }

    fn metadata(&self, set: &Set) -> Value {
        let owner = set.owner.map(|owner| self.ids[owner].clone());
        json!({ "owner": owner, "group": set.group.then_some(&self.family), "mode": set.mode })
    }

    async fn check(&self, number: usize, case: &Case) -> Result<(), TestCaseError> {
        let (node, caller) = (&self.node, &self.tokens[case.caller]);
        let prefix = format!("p{number}");
        node.call(&self.tokens[case.writer], &format!("PUT /kv/{prefix}/k"), "1").await.expect(201);
        for (key, set) in [(prefix.clone(), &case.prefix), (format!("{prefix}/k"), &case.own)] {
            if let Some(set) = set {
                node.set(&key, self.metadata(set)).await;
            }
        }
        let governs = case.own.as_ref().or(case.prefix.as_ref());
        let may = |letter| bit(governs, Some(case.writer), case.caller, letter);
        // Root wrote the prefix's metadata first, and is none of the three.
        let may_create = bit(case.prefix.as_ref(), None, case.caller, 'c');
        let call = async |line: String, body: &'static str| {
            node.call(caller, &line, body).await.status.as_u16()
        };
        let read = call(format!("GET /kv/{prefix}/k"), "").await;
        prop_assert_eq!(read, if may('r') { 200 } else { 404 }, "read");
        for list in ["_ls", "_tree", "_changes"] {
            let text = node.call(caller, &format!("GET /kv/{prefix}/{list}"), "").await.expect(200);
            prop_assert_eq!(text.text().contains("/k\""), may('r'), "{}: {}", list, text.text());
        }
        let history = call(format!("GET /kv/{prefix}/k/_history"), "").await;
        prop_assert_eq!(history, if may('r') { 200 } else { 404 }, "history");
        let batch = json!({ "items": [{ "op": "get", "key": format!("{prefix}/k") }] });
        let batch =
            node.call(caller, "POST /kv/_batch", batch.to_string()).await.expect(200).json();
        prop_assert_eq!(&batch["items"][0]["status"], if may('r') { 200 } else { 404 }, "batch");
        let create = call(format!("PUT /kv/{prefix}/new"), "1").await;
        prop_assert_eq!(create, if may_create { 201 } else { 403 }, "create");
        let write = call(format!("PUT /kv/{prefix}/k"), "2").await;
        prop_assert_eq!(write, if may('w') { 200 } else { 403 }, "write");
        let shorten = call(format!("PUT /kv/{prefix}/k?ttl=1h"), "2").await;
        prop_assert_eq!(shorten, if may('w') && may('d') { 200 } else { 403 }, "shorten");
        let delete = call(format!("DELETE /kv/{prefix}/k"), "").await;
        let refused = if may('r') { 403 } else { 404 };
        prop_assert_eq!(delete, if may('d') { 204 } else { refused }, "delete");
        Ok(())
    }
}

#[test]
fn what_callers_may_do_is_what_the_table_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let site = runtime.block_on(Site::new());
    let number = std::sync::atomic::AtomicUsize::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(150));
    let ran = runner.run(&any_case(), |case| {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        runtime.block_on(site.check(number, &case))
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    runtime.block_on(site.node.stop());
}

#[tokio::test]
async fn an_owner_and_a_group_are_those_of_the_nearest_metadata() {
    let node = Guarded::start().await;
    let ann = node.user("ann", &["read", "write"]).await;
    node.set("a", json!({ "mode": "cdwr--------" })).await;
    node.as_root("PUT /kv/a/b/c", "1").await.expect(201);
    node.call(&ann, "GET /kv/a/b/c", "").await.refuses(404, "key-absent");
    node.set("a/b", json!({ "mode": "cdwr-------r" })).await;
    node.call(&ann, "GET /kv/a/b/c", "").await.expect(200);
    let listed = node.call(&ann, "GET /kv/a/_ls", "").await.expect(200).json();
    assert_eq!(listed["items"][0]["name"], "b");
    node.set("a/b/c", json!({ "mode": "------------" })).await;
    node.call(&ann, "GET /kv/a/b/c", "").await.refuses(404, "key-absent");
    let listed = node.call(&ann, "GET /kv/a/_ls", "").await.expect(200).json();
    assert_eq!(listed["items"], json!([]), "a prefix of nothing that may be read is not there");
    node.stop().await;
}

#[tokio::test]
async fn modes_hold_after_a_restart() {
    let node = Guarded::start().await;
    let ann = node.user("ann", &["read"]).await;
    node.as_root("PUT /kv/a/b", "1").await.expect(201);
    node.set("a", json!({ "mode": "cdwr--------" })).await;
    let node = node.restarted().await;
    node.call(&ann, "GET /kv/a/b", "").await.refuses(404, "key-absent");
    node.as_root("GET /kv/a/b", "").await.expect(200);
    node.stop().await;
}

#[tokio::test]
async fn what_may_not_be_read_looks_as_if_never_written_in_every_answer() {
    let node = Guarded::start().await;
    let ann = node.user("ann", &["read", "write", "delete"]).await;
    node.set("secret", json!({ "mode": "cdwr--------" })).await;
    node.as_root("PUT /kv/secret/x", "1").await.expect(201);
    node.as_root("PUT /kv/secret/gone", "1").await.expect(201);
    node.as_root("DELETE /kv/secret/gone", "").await.expect(204);
    for key in ["secret/x", "secret/gone", "secret/never"] {
        for line in [
            "GET /kv/KEY",
            "HEAD /kv/KEY",
            "GET /kv/KEY/_history",
            "GET /kv/KEY/_metadata",
            "PATCH /kv/KEY",
            "DELETE /kv/KEY",
            "GET /kv/KEY?raw",
        ] {
            let answer = node.call(&ann, &line.replace("KEY", key), "{}").await;
            assert_eq!(answer.status.as_u16(), 404, "{line} {key}: {}", answer.text());
            let text = answer.text();
            assert!(text.is_empty() || text.contains("never written"), "{line} {key}: {text}");
        }
        let put = node.call(&ann, &format!("PUT /kv/{key}"), "1").await;
        put.refuses(403, "mode-denies");
        assert!(put.text().contains("does not let others create"), "{key}: {}", put.text());
    }
    node.stop().await;
}
