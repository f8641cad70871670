//! Attempts to get more than one was given: each by its name, each refused.

use std::time::Duration;

use kvs_core::account::{Name, Place, Record, Revocation, User, encode};
use kvs_core::audit::{Entry, Event, Outcome};
use kvs_core::{
    Body, Command, ContentType, Key, NodeId, Origin, RecordId, ScopeSet, Stamp, TokenId,
    UnixMillis, UserId, Value, Version, VersionId,
};
use kvs_node::writer::Write;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::harness::{Answered, Guarded, START};

/// Attempts that are no denials: what they ask for cannot be, or is not there for anybody.
const NO_DENIALS: [&str; 3] = [
    "a limited reader climbs up",
    "a limited reader hides a slash",
    "a revision of one key is restored to another",
];

/// The attempts of one test.
#[derive(Default)]
struct Attempts {
    names: Vec<&'static str>,
    /// Entries of the tamper-evident log that were looked at.
    looked: usize,
}

impl Attempts {
    /// Checks that an attempt was refused so, and that the log has it.
    async fn refused(
        &mut self,
        node: &Guarded,
        name: &'static str,
        answer: &Answered,
        status: u16,
        kind: &str,
    ) {
        let found = (answer.status.as_u16(), answer.kind());
        assert_eq!(found, (status, kind.to_owned()), "{name}: {}", answer.text());
        assert!(!self.names.contains(&name), "{name} was tried already");
        self.names.push(name);
        let entries = node.entries().await;
        // What came from elsewhere is applied, and then does nothing: that it came is in the log.
        let tells = |entry: &Entry| {
            entry.outcome != Outcome::Done || matches!(entry.event, Event::AccountApplied(_))
        };
        let told = entries[self.looked..].iter().any(tells);
        assert!(told || NO_DENIALS.contains(&name), "{name}: is in no entry");
        self.looked = entries.len();
        // Many denials of one second are summed.
        node.advance(Duration::from_secs(1));
    }

    fn at_least(&self, count: usize) {
        assert!(self.names.len() >= count, "only {} attempts", self.names.len());
    }
}

fn token_for(user: Option<&str>, scopes: &[&str]) -> String {
    json!({ "user": user, "scopes": scopes }).to_string()
}

#[tokio::test]
async fn nobody_gives_themself_or_others_what_they_lack() {
    let node = Guarded::start().await;
    let mut tried = Attempts::default();
    let own = ["admin:tokens:*", "admin:users:*", "admin:groups:*", "read", "write:home"];
    let clerk = node.user("clerk", &own).await;
    node.user("bob", &["read"]).await;
    node.user("boss", &["read", "delete"]).await;
    node.as_root("POST /api/groups", r#"{"name":"clerks","scopes":["read"]}"#).await.expect(201);
    let call = async |line: &str, body: String| node.call(&clerk, line, body).await;
    for (name, body, status, kind) in [
        ("a token maker mints root's scopes", token_for(None, &["*"]), 403, "scope-not-held"),
        (
            "a token maker mints one scope more",
            token_for(None, &["read", "delete"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints the area above its own",
            token_for(None, &["admin:*"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints an unlimited right of a limited one",
            token_for(None, &["write"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints a prefix that only begins alike",
            token_for(None, &["write:homework"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints a token of root",
            token_for(Some("root"), &["read"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints a token of somebody with more",
            token_for(Some("boss"), &["read"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker poses as an equal to have their keys",
            token_for(Some("bob"), &["read"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints beyond the longest life",
            json!({"ttl":"31d"}).to_string(),
            422,
            "content-wrong",
        ),
        ("a token maker mints for nobody", token_for(Some("ghost"), &[]), 404, "account-unknown"),
    ] {
        tried.refused(&node, name, &call("POST /api/tokens", body).await, status, kind).await;
    }
    let body = |text: &str| text.to_owned();
    for (name, line, text) in [
        (
            "a user maker makes one with every scope",
            "POST /api/users",
            r#"{"name":"x","scopes":["*"]}"#,
        ),
        (
            "a user maker makes one with a scope it lacks",
            "POST /api/users",
            r#"{"name":"x","scopes":["delete"]}"#,
        ),
        (
            "a user editor gives themself a scope",
            "PATCH /api/users/clerk",
            r#"{"scopes":["delete","admin:users:*"]}"#,
        ),
        (
            "a user editor gives a friend a scope",
            "PATCH /api/users/bob",
            r#"{"scopes":["delete"]}"#,
        ),
        (
            "a user editor takes scopes from somebody with more",
            "PATCH /api/users/boss",
            r#"{"scopes":[]}"#,
        ),
        ("a user editor disables root", "PATCH /api/users/root", r#"{"disabled":true}"#),
        ("a user editor deletes root", "DELETE /api/users/root", ""),
        ("a user editor deletes somebody with more", "DELETE /api/users/boss", ""),
        (
            "a group maker makes one with every scope",
            "POST /api/groups",
            r#"{"name":"x","scopes":["*"]}"#,
        ),
        (
            "a group editor widens their group",
            "PATCH /api/groups/clerks",
            r#"{"scopes":["delete"]}"#,
        ),
        ("a group editor narrows the group of root", "PATCH /api/groups/admin", r#"{"scopes":[]}"#),
        ("a group editor deletes the group of root", "DELETE /api/groups/admin", ""),
        (
            "a group editor adds themself to the group of root",
            "PUT /api/groups/admin/members/clerk",
            "",
        ),
        (
            "a group editor adds a friend to the group of root",
            "PUT /api/groups/admin/members/bob",
            "",
        ),
        ("a group editor takes root out of its group", "DELETE /api/groups/admin/members/root", ""),
    ] {
        tried.refused(&node, name, &call(line, body(text)).await, 403, "scope-not-held").await;
    }
    let roots = node.id_of(&node.root).await;
    let revoking = call(&format!("DELETE /api/tokens/{roots}"), String::new()).await;
    tried.refused(&node, "a token revoker revokes root's", &revoking, 403, "scope-not-held").await;
    let again = call("POST /api/users", body(r#"{"name":"root"}"#)).await;
    tried.refused(&node, "a user maker makes a second root", &again, 409, "account-exists").await;
    let key = call("POST /api/keys", body("{}")).await;
    tried.refused(&node, "a token maker makes a signing key", &key, 403, "scope-missing").await;
    let nearly = node.user("nearly", &["admin:*", "read", "write", "delete"]).await;
    let key = node.call(&nearly, "POST /api/keys", r#"{"revoke_old":true}"#).await;
    tried
        .refused(
            &node,
            "somebody with nearly every scope replaces the keys",
            &key,
            403,
            "scope-not-held",
        )
        .await;
    let weak = node.token("root", Some(&["admin:tokens:create", "read"])).await;
    let made = node.call(&weak, "POST /api/tokens", token_for(None, &["write"])).await;
    tried
        .refused(&node, "a limited token of root mints what it lacks", &made, 403, "scope-not-held")
        .await;
    let made = node.call(&weak, "POST /api/tokens", "{}").await.expect(201).json();
    assert_eq!(made["scopes"], json!(["read", "admin:tokens:create"]), "no more than its own");
    tried.at_least(30);
    node.stop().await;
}

#[tokio::test]
async fn nobody_gets_round_owners_modes_and_lives_of_keys() {
    let node = Guarded::start().await;
    let mut tried = Attempts::default();
    let ann = node.user("ann", &["read", "write"]).await;
    let ben = node.user("ben", &["read", "write", "delete"]).await;
    let ben_id = node.user_id("ben").await;
    let group = node.as_root("POST /api/groups", r#"{"name":"others"}"#).await.expect(201).json();
    node.call(&ann, "PUT /kv/ann/notes", "1").await.expect(201);
    node.call(&ann, "PATCH /kv/ann/notes/_metadata", r#"{"mode":"cdwr--------"}"#)
        .await
        .expect(200);
    let by =
        async |token: &str, line: &str, body: Json| node.call(token, line, body.to_string()).await;
    let meta = "PATCH /kv/ann/notes/_metadata";
    tried
        .refused(
            &node,
            "somebody reads a private key",
            &by(&ben, "GET /kv/ann/notes", Json::Null).await,
            404,
            "key-absent",
        )
        .await;
    tried
        .refused(
            &node,
            "somebody writes a private key",
            &by(&ben, "PUT /kv/ann/notes", json!(2)).await,
            403,
            "mode-denies",
        )
        .await;
    tried
        .refused(
            &node,
            "somebody deletes a private key",
            &by(&ben, "DELETE /kv/ann/notes", Json::Null).await,
            404,
            "key-absent",
        )
        .await;
    tried
        .refused(
            &node,
            "somebody opens a private key's mode",
            &by(&ben, meta, json!({"mode":"cdwrcdwrcdwr"})).await,
            404,
            "key-absent",
        )
        .await;
    tried
        .refused(
            &node,
            "somebody makes a private key their own",
            &by(&ben, meta, json!({"owner":ben_id})).await,
            404,
            "key-absent",
        )
        .await;
    tried
        .refused(
            &node,
            "an owner gives their key away",
            &by(&ann, meta, json!({"owner":ben_id})).await,
            403,
            "scope-missing",
        )
        .await;
    tried
        .refused(
            &node,
            "an owner clears the owner",
            &by(&ann, "PUT /kv/ann/notes/_metadata", json!({"owner":ben_id})).await,
            403,
            "scope-missing",
        )
        .await;
    tried
        .refused(
            &node,
            "an owner gives their key to a group of others",
            &by(&ann, meta, json!({"group":group["id"]})).await,
            403,
            "mode-denies",
        )
        .await;
    tried
        .refused(
            &node,
            "somebody governs the prefix above others' keys",
            &by(&ben, "PATCH /kv/ann/_metadata", json!({"mode":"cdwrcdwrcdwr"})).await,
            403,
            "mode-denies",
        )
        .await;
    tried
        .refused(
            &node,
            "an owner without the right deletes by a life of a second",
            &by(&ann, "PUT /kv/ann/notes?ttl=1s", json!(2)).await,
            403,
            "scope-missing",
        )
        .await;
    let items = json!({"items":[{"op":"put","key":"ann/notes","value":1,"ttl":"1s"},{"op":"delete","key":"ann/notes"}]});
    let batch = by(&ann, "POST /kv/_batch", items).await.expect(200).json();
    assert_eq!(
        (&batch["items"][0]["status"], &batch["items"][1]["status"]),
        (&json!(403), &json!(403))
    );
    let headers = |value: &'static str| {
        [("authorization", format!("Bearer {ben}")), ("if-none-match", value.to_owned())]
    };
    let probing = headers("*");
    let probing: Vec<(&str, &str)> =
        probing.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let probe = node.send("PUT /kv/ann/notes", &probing, "1").await;
    tried
        .refused(
            &node,
            "somebody asks by a condition whether a private key is there",
            &probe,
            403,
            "mode-denies",
        )
        .await;

    // A key that was deleted and is another's by now shows nothing of the first one's.
    node.as_root("PUT /kv/box/_metadata", json!({"mode":"cdwr----cdw-"}).to_string())
        .await
        .expect(200);
    node.call(&ann, "PUT /kv/box/diary", r#""secret""#).await.expect(201);
    let secret = node.call(&ann, "GET /kv/box/diary", "").await.expect(200).json();
    node.call(&ben, "DELETE /kv/box/diary", "").await.expect(204);
    node.call(&ben, "PUT /kv/box/diary", "2").await.expect(201);
    node.call(&ben, "GET /kv/box/diary", "").await.expect(200);
    let revision = format!("GET /kv/box/diary?revision={}", secret["uuid"].as_str().unwrap());
    tried
        .refused(
            &node,
            "a new owner reads a revision of the old one's",
            &by(&ben, &revision, Json::Null).await,
            404,
            "revision-absent",
        )
        .await;
    let restore = by(&ben, "POST /kv/box/diary/_restore", json!({"uuid":secret["uuid"]})).await;
    tried
        .refused(
            &node,
            "a new owner restores a revision of the old one's",
            &restore,
            404,
            "revision-absent",
        )
        .await;
    let history = node.call(&ben, "GET /kv/box/diary/_history", "").await.expect(200).text();
    assert!(!history.contains(secret["uuid"].as_str().unwrap()), "{history}");
    let other = by(&ben, "POST /kv/box/mine/_restore", json!({"uuid":secret["uuid"]})).await;
    tried
        .refused(
            &node,
            "a revision of one key is restored to another",
            &other,
            404,
            "revision-absent",
        )
        .await;

    let home = node.user("home", &["read:home", "write:home", "admin:resources:update:home"]).await;
    for (name, line) in [
        ("a limited reader reads what only begins alike", "GET /kv/homework"),
        ("a limited reader reads the key above", "GET /kv/house"),
        ("a limited writer writes elsewhere", "PUT /kv/house/x"),
        ("a limited keeper of owners changes one elsewhere", "PATCH /kv/ann/notes/_metadata"),
    ] {
        tried
            .refused(
                &node,
                name,
                &by(&home, line, json!({"owner":ben_id})).await,
                403,
                "scope-missing",
            )
            .await;
    }
    tried
        .refused(
            &node,
            "a limited reader climbs up",
            &by(&home, "GET /kv/home/../ann/notes", Json::Null).await,
            400,
            "key-malformed",
        )
        .await;
    tried
        .refused(
            &node,
            "a limited reader hides a slash",
            &by(&home, "GET /kv/home%2F..%2Fann", Json::Null).await,
            400,
            "key-malformed",
        )
        .await;
    tried.at_least(20);
    node.stop().await;
}

#[tokio::test]
async fn nobody_comes_in_by_another_door() {
    let node = Guarded::with(|settings| settings.allow_anonymous_write = true).await;
    let mut tried = Attempts::default();
    let ann = node.user("ann", &["read", "write", "delete"]).await;
    node.as_root("PUT /kv/a", "1").await.expect(201);
    let write = node.call("", "PUT /kv/a", "1").await;
    tried
        .refused(
            &node,
            "an anonymous writer writes what is root's",
            &write,
            401,
            "credentials-missing",
        )
        .await;
    node.set("a", json!({ "mode": "cdwrcdwrcdwr" })).await;
    node.call("", "PUT /kv/a", "1").await.expect(200);
    let shorten = node.call("", "PUT /kv/a?ttl=1s", "1").await;
    tried
        .refused(
            &node,
            "a life of a second as an anonymous delete",
            &shorten,
            401,
            "credentials-missing",
        )
        .await;
    let meta = node.call("", "PATCH /kv/new/_metadata", r#"{"mode":0}"#).await;
    tried
        .refused(&node, "an anonymous writer sets a mode", &meta, 401, "credentials-missing")
        .await;
    let query = node.call("", &format!("GET /kv/a?access_token={}", node.root), "").await;
    tried.refused(&node, "a token in the address", &query, 401, "credentials-missing").await;
    let forwarded = [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1")];
    let mode = node.send("POST /cluster/mode", &forwarded, r#"{"mode":"read_only"}"#).await;
    tried
        .refused(&node, "a stranger says to be on this machine", &mode, 401, "credentials-missing")
        .await;
    let leave = node.call(&ann, "POST /cluster/leave", "").await;
    tried.refused(&node, "a user has the node leave", &leave, 403, "scope-missing").await;
    for (name, line) in [
        ("a user reads the accounts as keys", "GET /kv/_system/users/root"),
        ("a user writes an account as a key", "PUT /kv/_system/users/ann"),
        ("a user deletes a revocation as a key", "DELETE /kv/_system/revoked/tokens"),
        ("a user lists the accounts as keys", "GET /kv/_system/_tree"),
        ("a user spells the accounts otherwise", "GET /kv/%5Fsystem/users/root"),
        ("a user restores an account", "POST /kv/_system/users/ann/_restore"),
        ("a user gives an account a mode", "PATCH /kv/_system/users/ann/_metadata"),
    ] {
        tried.refused(&node, name, &node.call(&ann, line, "{}").await, 403, "system-key").await;
    }
    let explain = node.call(&ann, "GET /api/explain?key=a&action=read&user=root", "").await;
    tried.refused(&node, "a user asks what root may", &explain, 403, "scope-missing").await;

    // A stored page that a browser shows cannot act as ours: it is sandboxed, and no origin may call.
    let html =
        [("authorization", format!("Bearer {ann}")), ("content-type", "text/html".to_owned())];
    let html: Vec<(&str, &str)> =
        html.iter().map(|(name, value)| (*name, value.as_str())).collect();
    node.send("PUT /kv/page", &html, "<script>fetch('/api/users')</script>").await.expect(201);
    let page = node.call(&ann, "GET /kv/page?raw", "").await.expect(200);
    for (header, value) in [
        ("content-security-policy", "sandbox"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", "attachment"),
    ] {
        assert_eq!(page.headers[header], value);
    }
    assert!(page.headers.get("access-control-allow-origin").is_none());
    tried.at_least(13);
    node.stop().await;
}

/// A version that another node accepted at `millis`.
fn elsewhere(key: &Key, millis: u64, body: Body) -> Write {
    let version = Version {
        stamp: Stamp::at(UnixMillis(millis)),
        origin: Origin { node: NodeId::new(Uuid::from_u128(9)), joined: UnixMillis(1) },
        uuid: VersionId::new(Uuid::new_v4()),
        created_at: UnixMillis(millis),
        owner: None,
        expires_at: None,
        body,
    };
    Write { record: RecordId::value(key.clone()), command: Command::Merge(version) }
}

fn json_body(bytes: Vec<u8>) -> Body {
    Body::Value(Value::plain(ContentType::JSON, bytes.into()))
}

#[tokio::test]
async fn nothing_from_the_far_side_of_a_partition_takes_a_revocation_back() {
    let node = Guarded::start().await;
    let mut tried = Attempts::default();
    let ann = node.user("ann", &["read"]).await;
    let ben = node.user("ben", &["read"]).await;
    let (ann_token, ann_id) = (node.id_of(&ann).await, node.user_id("ann").await);
    let expires = Guarded::claims(&ann).exp;
    node.as_root(&format!("DELETE /api/tokens/{ann_token}"), "").await.expect(204);
    let id: TokenId = ann_token.parse().unwrap();
    let drift = std::time::Duration::from_mins(1);
    let place = Place::Revocation(Revocation::token(id, expires, drift));
    // Somebody with the cluster's secret and a later clock deletes the record of the revocation.
    let undo = elsewhere(&place.key().unwrap(), START + 5_000, Body::Tombstone);
    node.running.node.write(vec![undo]).await.unwrap()[0].unwrap();
    let answer = node.call(&ann, "GET /api/whoami", "").await;
    tried
        .refused(&node, "a revocation is deleted elsewhere, later", &answer, 401, "token-revoked")
        .await;

    node.as_root("DELETE /api/users/ann", "").await.expect(204);
    let user = User {
        id: ann_id.parse::<UserId>().unwrap(),
        name: "ann".parse::<Name>().unwrap(),
        scopes: ScopeSet::everything(),
        disabled: false,
        created_at: UnixMillis(START),
    };
    let (key, bytes) = encode(&Record::User(user)).unwrap();
    let back = elsewhere(&key, START + 9_000, json_body(bytes));
    node.running.node.write(vec![back]).await.unwrap()[0].unwrap();
    let listed = node.as_root("GET /api/users/ann", "").await;
    tried
        .refused(
            &node,
            "a deleted user is edited elsewhere, later",
            &listed,
            404,
            "account-unknown",
        )
        .await;
    let minted = node.as_root("POST /api/tokens", r#"{"user":"ann"}"#).await;
    tried
        .refused(&node, "a token for a user who was brought back", &minted, 404, "account-unknown")
        .await;

    // The next user of the name has neither the tokens nor the keys of the one before.
    node.set("ben-only", json!({ "mode": "cdwr--------", "owner": node.user_id("ben").await }))
        .await;
    node.as_root("PUT /kv/ben-only/x", "1").await.expect(201);
    node.as_root("DELETE /api/users/ben", "").await.expect(204);
    let second = node.user("ben", &["read"]).await;
    let answer = node.call(&ben, "GET /api/whoami", "").await;
    tried
        .refused(&node, "a token of a user whose name is used again", &answer, 401, "token-user")
        .await;
    let answer = node.call(&second, "GET /kv/ben-only/x", "").await;
    tried
        .refused(
            &node,
            "a user of a name that was used before reads its keys",
            &answer,
            404,
            "key-absent",
        )
        .await;
    let node = node.restarted().await;
    let answer = node.call(&ann, "GET /api/whoami", "").await;
    tried
        .refused(
            &node,
            "a revocation that was deleted elsewhere, after a restart",
            &answer,
            401,
            "token-revoked",
        )
        .await;
    tried.at_least(6);
    node.stop().await;
}

#[tokio::test]
async fn a_life_that_nobody_asked_for_is_no_way_to_delete() {
    let node = Guarded::start().await;
    let mut tried = Attempts::default();
    let writer = node.user("writer", &["read", "write"]).await;
    let call = async |line: &str, body: &str| node.call(&writer, line, body.to_owned()).await;
    call("PUT /kv/mine/a", "1").await.expect(201);
    call("PATCH /kv/mine/_metadata", r#"{"ttl":"1s"}"#).await.expect(200);
    let put = call("PUT /kv/mine/a", "2").await;
    tried
        .refused(&node, "a writer lets the prefix's life end a key", &put, 403, "scope-missing")
        .await;
    let batch = r#"{"items":[{"op":"put","key":"mine/a","value":2}]}"#;
    let batch = call("POST /kv/_batch", batch).await.expect(200);
    assert_eq!(batch.json()["items"][0]["status"], 403, "{}", batch.text());
    assert_eq!(call("GET /kv/mine/a", "").await.expect(200).json()["data"], 1);
    call("PUT /kv/mine/b", "new ones live as long as they are told").await;

    let node = Guarded::with(|settings| {
        settings.allow_anonymous_write = true;
        settings.default_ttl = Some(kvs_config::Duration::seconds(1));
    })
    .await;
    let mut tried = Attempts::default();
    node.as_root("PUT /kv/open?ttl=30d", "1").await.expect(201);
    node.as_root("PATCH /kv/open/_metadata", r#"{"mode":"cdwrcdwrcdwr"}"#).await.expect(200);
    let put = node.call("", "PUT /kv/open", "2").await;
    let name = "somebody without a name lets the default life end a key";
    tried.refused(&node, name, &put, 401, "credentials-missing").await;
    node.as_root("GET /kv/open", "").await.expect(200);
}
