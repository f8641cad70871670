//! What comes from other nodes.

use kvs_core::account::{Name, Place, Record, Revocation, User, encode};
use kvs_core::{
    Body, Command, ContentType, Key, NodeId, Origin, RecordId, ScopeSet, Stamp, TokenId,
    UnixMillis, UserId, Value, Version, VersionId,
};
use kvs_node::writer::Write;
use serde_json::json;
use uuid::Uuid;

use super::Attempts;
use crate::harness::{Guarded, START};

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
