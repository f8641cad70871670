//! Every route with every kind of credentials: the rows come from the route table, and a route that
//! has no example here fails the test.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use kvs_core::token::{Claims, UnixSeconds};
use kvs_core::{Right, ScopeSet, TokenId, UserId};
use kvs_node::http::{Access, ROUTES, Route};
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Answered, Guarded, START, sign_with};

/// A call that is good, and what its answer is for somebody who may.
struct Example {
    path: String,
    body: String,
    right: u16,
}

fn example(route: &Route, token: &str) -> Example {
    let path = route.template().replace("{key}", "home/x").replace("{prefix}", "home");
    let path = path
        .replace("users/{name}", "users/bob")
        .replace("groups/{name}", "groups/team")
        .replace("{user}", "bob")
        .replace("{token}", token);
    let nothing = || ("", String::new());
    let ((query, body), right) = match route.operation {
        "read_value" | "read_metadata" | "list_revisions" | "list_children" | "read_tree"
        | "list_changes" | "livez" | "readyz" | "health" | "members" | "metrics" | "openapi"
        | "docs" | "docs_script" | "docs_style" | "docs_start" | "cluster_drain" | "list_users"
        | "read_user" | "list_groups" | "read_group" | "list_group_members" | "list_tokens"
        | "read_token" | "list_token_keys" | "whoami" | "list_backups" | "backup_status"
        | "list_audit_entries" | "audit_head" => (nothing(), 200),
        "delete_value"
        | "delete_user"
        | "delete_group"
        | "add_group_member"
        | "remove_group_member"
        | "revoke_token" => (nothing(), 204),
        // This node stands alone.
        "cluster_status" | "cluster_sync" | "cluster_leave" | "cluster_upgrade"
        | "delete_backup" => (nothing(), 404),
        "create_backup" => (nothing(), 202),
        "cluster_forget" => (("", r#"{"node":"x"}"#.to_owned()), 404),
        "write_value" => (("", "1".to_owned()), 200),
        "patch_value" => (("", "2".to_owned()), 200),
        "batch" => (("", r#"{"items":[{"op":"get","key":"home/x"}]}"#.to_owned()), 200),
        "restore_revision" => (("", json!({ "uuid": Uuid::nil() }).to_string()), 404),
        "patch_metadata" | "replace_metadata" => (("", r#"{"ttl":"1h"}"#.to_owned()), 200),
        "cluster_mode" => (("", r#"{"mode":"normal"}"#.to_owned()), 200),
        "create_user" | "create_group" => (("", r#"{"name":"new"}"#.to_owned()), 201),
        "update_user" | "update_group" => (("", r#"{"scopes":["read"]}"#.to_owned()), 200),
        "create_token" | "rotate_token_keys" => (("", "{}".to_owned()), 201),
        "explain" => (("?key=home/x&action=read", String::new()), 200),
        other => panic!("the route {other} has no example here: say how it is called rightly"),
    };
    Example { path: format!("{path}{query}"), body, right }
}

/// Headers that show bad credentials, and what they are refused as.
fn bad_credentials(node: &Guarded) -> Vec<(&'static str, String, &'static str)> {
    let good = Guarded::claims(&node.root);
    let secrets = node.secrets();
    let (kid, seed) = (secrets.signing_key().id(), secrets.signing_key().seed());
    let bearer = |token: String| format!("Bearer {token}");
    let sign = |claims: Claims| bearer(sign_with(seed, kid, &claims));
    let (_, rest) = node.root.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    let with_header = |alg: &str, signature: &[u8]| {
        let header = json!({ "alg": alg, "typ": "JWT", "kid": kid }).to_string();
        bearer(format!("{}.{payload}.{}", BASE64.encode(header), BASE64.encode(signature)))
    };
    let public = {
        use aws_lc_rs::signature::KeyPair as _;
        let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(seed).unwrap();
        pair.public_key().as_ref().to_vec()
    };
    let hs256 = {
        let header = json!({ "alg": "HS256", "typ": "JWT", "kid": kid }).to_string();
        let signed = format!("{}.{payload}", BASE64.encode(header));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &public);
        let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        bearer(format!("{signed}.{}", BASE64.encode(tag.as_ref())))
    };
    let expired = Claims { exp: UnixSeconds(START / 1000), ..good.clone() };
    let stranger = UserId::new(Uuid::from_u128(77));
    let mut flipped = node.root.clone().into_bytes();
    let at = flipped.len() - 10;
    flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
    vec![
        ("garbage", bearer("garbage".to_owned()), "token-malformed"),
        ("three parts of nothing", bearer("..".to_owned()), "token-malformed"),
        ("another scheme", "Basic cm9vdDpyb290".to_owned(), "credentials-malformed"),
        ("no scheme", node.root.clone(), "credentials-malformed"),
        ("expired", sign(expired), "token-expired"),
        ("for another cluster", sign(Claims { aud: "x".into(), ..good.clone() }), "token-audience"),
        ("of another issuer", sign(Claims { iss: "x".into(), ..good.clone() }), "token-issuer"),
        ("of an unknown key", bearer(sign_with(seed, "0123", &good)), "token-key"),
        ("of another's key", bearer(sign_with(&[5; 32], kid, &good)), "token-signature"),
        ("one letter changed", bearer(String::from_utf8(flipped).unwrap()), "token-signature"),
        ("unsigned", with_header("none", b""), "token-algorithm"),
        ("HS256 with the public key", hs256, "token-algorithm"),
        ("of nobody", sign(Claims { sub: stranger, ..good }), "token-user"),
    ]
}

/// Whether credentials are looked at on this route.
fn looks(route: &Route) -> bool {
    !matches!(route.access, Access::Public | Access::PublicIf(_))
}

#[track_caller]
fn expect(what: &str, route: &Route, answer: &Answered, status: u16, kind: &str) {
    let found = (answer.status.as_u16(), answer.kind());
    let wanted = (status, kind.to_owned());
    let kind_counts = !kind.is_empty();
    let same = found.0 == wanted.0 && (!kind_counts || found.1 == wanted.1);
    assert!(same, "{} with {what}: {found:?}, not {wanted:?}: {}", route.operation, answer.text());
}

/// What the routes are about, as it was before any of them was called.
async fn prepare(node: &Guarded) -> String {
    node.as_root("PUT /kv/home/x", "1").await;
    node.as_root("PUT /kv/home/x/_metadata", "{}").await.expect(200);
    for (list, name) in [("users", "bob"), ("groups", "team")] {
        node.as_root(&format!("POST /api/{list}"), json!({ "name": name }).to_string()).await;
        node.as_root(&format!("DELETE /api/{list}/new"), "").await;
    }
    node.as_root("PUT /api/groups/team/members/bob", "").await.expect(204);
    let made = node.as_root("POST /api/tokens", r#"{"user":"bob"}"#).await.expect(201);
    made.json()["id"].as_str().unwrap().to_owned()
}

/// A token of root's that permits only this.
fn limited(node: &Guarded, scopes: ScopeSet) -> String {
    let jti = TokenId::new(Uuid::new_v4());
    node.sign(&Claims { scopes, jti, ..Guarded::claims(&node.root) })
}

#[tokio::test]
async fn every_route_answers_every_kind_of_credentials_as_its_row_says() {
    let node = Guarded::start().await;
    let revoked = node.token("root", None).await;
    let id = node.id_of(&revoked).await;
    node.as_root(&format!("DELETE /api/tokens/{id}"), "").await.expect(204);
    let mut bad = bad_credentials(&node);
    bad.push(("revoked", format!("Bearer {revoked}"), "token-revoked"));
    // The log has a head to show.
    node.entries().await;
    for route in ROUTES {
        let token = prepare(&node).await;
        let Example { path, body, right } = example(route, &token);
        let line = format!("{} {path}", route.method);
        for (what, header, kind) in &bad {
            let headers = [("authorization", header.as_str())];
            let answer = node.send(&line, &headers, body.clone()).await;
            if looks(route) {
                expect(what, route, &answer, 401, kind);
            } else {
                expect(what, route, &answer, right, "");
            }
        }
        let good = format!("Bearer {}", node.root);
        let twice = [("authorization", good.as_str()), ("authorization", good.as_str())];
        let answer = node.send(&line, &twice, body.clone()).await;
        let (status, kind) =
            if looks(route) { (401, "credentials-malformed") } else { (right, "") };
        expect("credentials twice", route, &answer, status, kind);

        let none = node.call("", &line, body.clone()).await;
        match route.access {
            Access::Public | Access::PublicIf(_) | Access::PublicInPart => {
                expect("nothing", route, &none, right, "");
            }
            _ => expect("nothing", route, &none, 401, "credentials-missing"),
        }
        for needed in route.rights() {
            let all_else: ScopeSet =
                Right::all().filter(|held| held != needed).map(kvs_core::Scope::of).collect();
            let token = limited(&node, all_else);
            let answer = node.call(&token, &line, body.clone()).await;
            expect("every right but the one", route, &answer, 403, "scope-missing");
            if needed.is_limitable() {
                let elsewhere = Right::all().map(|held| {
                    if held.is_limitable() { format!("{held}:elsewhere") } else { held.to_string() }
                });
                let token = limited(&node, ScopeSet::parse(elsewhere).unwrap());
                let answer = node.call(&token, &line, body.clone()).await;
                let of_lists = ["list_children", "read_tree", "list_changes"];
                if of_lists.contains(&route.operation) {
                    expect("another prefix", route, &answer, 200, "");
                    assert!(!answer.text().contains("home/x"), "{}", answer.text());
                } else {
                    expect("another prefix", route, &answer, 403, "scope-missing");
                }
            }
        }
        let enough: Vec<String> = route.rights().iter().map(ToString::to_string).collect();
        if !enough.is_empty() && route.operation.starts_with("list_") {
            let token = limited(&node, ScopeSet::parse(enough).unwrap());
            let answer = node.call(&token, &line, body.clone()).await;
            expect("the right alone", route, &answer, right, "");
        }
        let answer = node.as_root(&line, body).await;
        expect("what is right", route, &answer, right, "");
    }
    node.stop().await;
}

/// Operations on a key, with the bits that each needs and what it is answered without one.
const BITS: [(&str, &[(char, u16)]); 9] = [
    ("read_value", &[('r', 404)]),
    ("write_value", &[('w', 403)]),
    ("patch_value", &[('r', 404), ('w', 403)]),
    ("delete_value", &[('d', 403)]),
    ("list_revisions", &[('r', 404)]),
    ("restore_revision", &[('r', 404)]),
    ("read_metadata", &[('r', 404)]),
    ("patch_metadata", &[('r', 404), ('w', 403)]),
    ("replace_metadata", &[('r', 404), ('w', 403)]),
];

/// Those of many keys, which leave out what may not be read.
const FILTERED: [&str; 3] = ["list_children", "read_tree", "list_changes"];

/// What writes a key that is not there.
const CREATING: [(&str, &str); 2] = [
    ("PUT /kv/home/new", "1"),
    ("POST /kv/_batch", r#"{"items":[{"op":"put","key":"home/new","value":1}]}"#),
];

#[tokio::test]
async fn the_bit_of_creating_off_denies_new_keys_and_nothing_else() {
    let node = Guarded::start().await;
    let alice = node.user("alice", &["read", "write", "delete"]).await;
    let owner = node.user_id("alice").await;
    for (mode, may) in [("-dwr--------", false), ("c--r--------", true)] {
        node.set("home", json!({ "owner": owner, "mode": mode })).await;
        for (line, body) in CREATING {
            let answer = node.call(&alice, line, body).await;
            let items = answer.json()["items"][0]["status"].as_u64();
            let status = items.unwrap_or_else(|| answer.status.as_u16().into());
            let wanted: &[u64] = if may { &[201] } else { &[403, 404] };
            assert!(wanted.contains(&status), "{mode} {line}: {}", answer.text());
            let there = node.as_root("GET /kv/home/new", "").await.status == 200;
            assert_eq!(there, may, "{mode} {line}");
            node.as_root("DELETE /kv/home/new", "").await;
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn each_mode_bit_that_is_off_denies_what_needs_it_and_nothing_else() {
    let node = Guarded::start().await;
    let alice = node.user("alice", &["read", "write", "delete"]).await;
    let owner = node.user_id("alice").await;
    for route in ROUTES.iter().filter(|route| matches!(route.access, Access::Keys(_))) {
        let found = BITS.iter().find(|(operation, _)| *operation == route.operation);
        let Some((_, needed)) = found else {
            assert!(FILTERED.contains(&route.operation), "{} has no row", route.operation);
            continue;
        };
        for (at, bit) in ['c', 'd', 'w', 'r'].into_iter().enumerate() {
            node.as_root("PUT /kv/home/x", "1").await;
            // The owner's bits, all but this one; everybody else's do not count.
            let mut mode = "cdwr--------".to_owned();
            mode.replace_range(at..=at, "-");
            node.set("home/x", json!({ "owner": owner, "mode": mode })).await;
            let Example { path, body, right } = example(route, "");
            // Replaced by nothing, the owner would be another: that takes more than a bit.
            let body = match route.operation {
                "replace_metadata" => json!({ "owner": owner, "mode": mode }).to_string(),
                _ => body,
            };
            let answer = node.call(&alice, &format!("{} {path}", route.method), body).await;
            let denied = needed.iter().find(|(needs, _)| *needs == bit);
            let status = denied.map_or(right, |(_, status)| *status);
            expect(&format!("{bit} off"), route, &answer, status, "");
            node.as_root("PUT /kv/home/x/_metadata", "{}").await.expect(200);
        }
    }
    node.stop().await;
}
