//! ServiceAccounts of a Kubernetes cluster: judged by the API server's keys, or by the server.

use std::fs;
use std::time::Duration;

use kvs_config::{Kubernetes, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Answered, Guarded, START};
use crate::issuer::{Signer, Site};

const NOW: u64 = START / 1_000;
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const CART: &str = "system:serviceaccount:shop:cart";
const KEYS: &str = "/openid/v1/jwks";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// A node in a pod: the API server that it knows, and the token that it shows it.
struct Pod {
    node: Guarded,
    server: Site,
    key: Signer,
    _files: TempDir,
}

impl Pod {
    async fn start(token_review: bool) -> Self {
        let (server, key, files) =
            (Site::start().await, Signer::rsa("k"), tempfile::tempdir().unwrap());
        server.says(KEYS, &json!({ "keys": [key.jwk()] }));
        let token_file = files.path().join("token");
        fs::write(&token_file, "the pod's own\n").unwrap();
        let api_server = server.url.clone();
        let believe = |settings: &mut Settings| {
            settings.kubernetes = Kubernetes {
                audience: Some("kvs".to_owned()),
                api_server,
                token_file,
                token_review,
                ..Kubernetes::default()
            };
        };
        let node = Guarded::with(believe).await;
        node.user(CART, &["write:shop"]).await;
        Self { node, server, key, _files: files }
    }

    fn token(&self, more: &Value) -> String {
        let mut claims = json!({
            "iss": ISSUER, "aud": ["kvs"], "sub": CART, "iat": NOW, "nbf": NOW, "exp": NOW + 3_600,
            "kubernetes.io": { "namespace": "shop" },
        });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.key.token(&claims)
    }

    async fn put(&self, token: &str, key: &str) -> Answered {
        self.node.call(token, &format!("PUT /kv/{key}"), "1").await
    }

    /// What the server says when it is asked about a token.
    fn judges(&self, authenticated: bool, audiences: &[&str]) {
        let user = json!({ "username": CART, "uid": "1", "groups": ["system:serviceaccounts"] });
        let status =
            json!({ "authenticated": authenticated, "user": user, "audiences": audiences });
        self.server.says(REVIEWS, &json!({ "kind": "TokenReview", "status": status }));
    }
}

#[tokio::test]
async fn a_pod_writes_below_its_prefix_and_nowhere_else() {
    let pod = Pod::start(false).await;
    let token = pod.token(&json!({}));
    pod.put(&token, "shop/x").await.expect(201);
    pod.put(&token, "home/x").await.refuses(403, "scope-missing");
    let asked = pod.server.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].path, KEYS);
    assert_eq!(asked[0].authorization, "Bearer the pod's own");
    pod.node.stop().await;
}

#[tokio::test]
async fn groups_of_service_accounts_are_groups_here_if_there_are_such() {
    let pod = Pod::start(false).await;
    for (group, scope) in
        [("system:serviceaccounts", "read"), ("system:serviceaccounts:shop", "delete:shop")]
    {
        let group = json!({ "name": group, "scopes": [scope] }).to_string();
        pod.node.as_root("POST /api/groups", group).await.expect(201);
    }
    let whoami = pod.node.call(&pod.token(&json!({})), "GET /api/whoami", "").await.expect(200);
    let scopes = whoami.json()["scopes"].clone();
    assert_eq!(scopes.as_array().unwrap().len(), 3, "{scopes}");
    pod.node.stop().await;
}

#[tokio::test]
async fn tokens_of_others_and_for_others_are_refused() {
    let pod = Pod::start(false).await;
    for (more, kind) in [
        (json!({ "aud": ["https://kubernetes.default.svc"] }), "token-audience"),
        (json!({ "iss": "https://kubernetes.default.svc" }), "token-issuer"),
        (json!({ "exp": NOW }), "token-expired"),
        (json!({ "sub": "system:serviceaccount:shop:other" }), "identity-unmapped"),
        (json!({ "sub": "root" }), "token-malformed"),
        (json!({ "sub": "system:node:a" }), "token-malformed"),
    ] {
        let answer = pod.put(&pod.token(&more), "shop/x").await;
        assert_eq!((answer.status.as_u16(), answer.kind().as_str()), (401, kind), "{more}");
    }
    pod.node.stop().await;
}

#[tokio::test]
async fn the_server_is_asked_about_a_token_once_a_minute() {
    let pod = Pod::start(true).await;
    pod.judges(true, &["kvs"]);
    let token = pod.token(&json!({}));
    for _ in 0..3 {
        pod.put(&token, "shop/x").await;
    }
    assert_eq!(pod.server.times(REVIEWS), 1);
    let asked = &pod.server.asked()[0];
    assert_eq!(asked.authorization, "Bearer the pod's own");
    let question: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(question["spec"], json!({ "token": token, "audiences": ["kvs"] }));

    pod.judges(false, &[]);
    pod.node.advance(Duration::from_millis(59_999));
    pod.put(&token, "shop/x").await.expect(200);
    pod.node.advance(Duration::from_millis(1));
    pod.put(&token, "shop/x").await.refuses(401, "token-disowned");
    pod.node.stop().await;
}

#[tokio::test]
async fn only_a_clear_yes_of_the_server_counts() {
    let pod = Pod::start(true).await;
    let token = pod.token(&json!({}));
    pod.judges(true, &[]);
    pod.put(&token, "shop/x").await.refuses(401, "token-audience");
    pod.judges(true, &["https://kubernetes.default.svc"]);
    pod.put(&token, "shop/x").await.refuses(401, "token-audience");
    pod.judges(false, &["kvs"]);
    pod.put(&token, "shop/x").await.refuses(401, "token-disowned");
    pod.server.fails(REVIEWS, 403);
    pod.put(&token, "shop/x").await.refuses(503, "issuer-unreachable");
    // Whose issuer is not the configured one nobody is asked about.
    let asked = pod.server.times(REVIEWS);
    pod.put(&pod.token(&json!({ "iss": "https://other" })), "x").await.refuses(401, "token-issuer");
    assert_eq!(pod.server.times(REVIEWS), asked);
    pod.judges(true, &["kvs"]);
    pod.put(&pod.token(&json!({ "exp": NOW })), "x").await.refuses(401, "token-expired");
    pod.put(&token, "shop/x").await.expect(201);
    pod.node.stop().await;
}

#[tokio::test]
async fn at_most_eight_questions_are_open_at_once() {
    let pod = Pod::start(true).await;
    pod.judges(true, &["kvs"]);
    let tokens: Vec<String> = (0..20).map(|jti| pod.token(&json!({ "jti": jti }))).collect();
    let silence = pod.server.silence().await;
    let puts = futures_util::future::join_all(tokens.iter().map(|token| pod.put(token, "shop/x")));
    let watching = async {
        while pod.server.times(REVIEWS) < 8 {
            tokio::task::yield_now().await;
        }
        // Those that wait had every chance to be asked, too.
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pod.server.times(REVIEWS), 8);
        drop(silence);
    };
    let (answers, ()) = tokio::join!(puts, watching);
    assert_eq!(pod.server.times(REVIEWS), 20);
    assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
    pod.node.stop().await;
}

#[tokio::test]
async fn a_question_about_a_token_is_not_carried_on_to_others() {
    let (pod, inside) = (Pod::start(true).await, Site::start().await);
    pod.server.redirects(REVIEWS, &format!("{}{REVIEWS}", inside.url));
    let answer = pod.put(&pod.token(&json!({})), "shop/x").await;
    answer.refuses(503, "issuer-unreachable");
    assert!(inside.asked().is_empty(), "{:?}", inside.asked());
    assert_eq!(pod.node.login_failures().await, 1);
    pod.node.stop().await;
}
