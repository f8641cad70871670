//! A node that asks who calls, and callers of all kinds.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use kvs_client::ClusterFile;
use kvs_config::Settings;
use kvs_core::audit::{Entry, Event};
use kvs_core::token::{Claims, compact};
use kvs_node::audit::Log;
use kvs_node::http::{App, router};
use kvs_node::node::Running;
use kvs_node::store::Flush;
use kvs_node::time::ManualClock;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// When tests begin, in Unix milliseconds: 2023-11-14T22:13:20Z.
pub(crate) const START: u64 = 1_700_000_000_000;

/// A node with authentication whose clock stands still.
pub(crate) struct Guarded {
    pub(crate) running: Running,
    pub(crate) root: String,
    pub(crate) dir: TempDir,
    clock: Arc<ManualClock>,
    router: Router,
    owner: Router,
}

/// An answer that has been read.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Guarded {
    pub(crate) async fn start() -> Self {
        Self::with(|_settings| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let mut settings = Settings {
            data_dir: dir.path().to_owned(),
            digest_leaves: 65_536,
            clustering_enabled: false,
            auth_enabled: true,
            // What is counted here would count against what is looked at.
            rate_limiting_enabled: false,
            ..Settings::default()
        };
        change(&mut settings);
        Self::on(dir, settings, clock).await
    }

    async fn on(dir: TempDir, settings: Settings, clock: Arc<ManualClock>) -> Self {
        let running = Running::start(settings, clock.clone()).unwrap();
        running.node.accounts().ready().await;
        let root = std::fs::read_to_string(dir.path().join("root-token")).unwrap_or_default();
        let root = root.trim().to_owned();
        let app = App::new(running.node.clone()).from_peer([10, 0, 0, 7].into());
        let owner = router(App::new(running.node.clone()).from_owner());
        Self { running, root, dir, clock, router: router(app), owner }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Sends `"METHOD /path"` with these headers and this body.
    pub(crate) async fn send(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answered {
        send(&self.router, line, headers, body).await
    }

    /// As the owner of the data, by the socket.
    pub(crate) async fn by_socket(&self, line: &str, body: impl Into<Body>) -> Answered {
        send(&self.owner, line, &[], body).await
    }

    /// With a token; with none if it is empty.
    pub(crate) async fn call(&self, token: &str, line: &str, body: impl Into<Body>) -> Answered {
        let header = format!("Bearer {token}");
        let headers = [("authorization", header.as_str())];
        self.send(line, if token.is_empty() { &[] } else { &headers }, body).await
    }

    /// With a token, from another address than usual, and by proxies if some are named.
    pub(crate) async fn call_from(
        &self,
        address: &str,
        forwarded: &str,
        token: &str,
        line: &str,
    ) -> Answered {
        let app = App::new(self.running.node.clone()).from_peer(address.parse().unwrap());
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", forwarded)];
        let wanted = |header: &&(&str, &str)| !matches!(header.1, "" | "Bearer ");
        let headers: Vec<_> = headers.iter().filter(wanted).copied().collect();
        send(&router(app), line, &headers, "").await
    }

    pub(crate) async fn as_root(&self, line: &str, body: impl Into<Body>) -> Answered {
        self.call(&self.root, line, body).await
    }

    /// Makes a user with these scopes, and a token of theirs with all of them.
    pub(crate) async fn user(&self, name: &str, scopes: &[&str]) -> String {
        let body = json!({ "name": name, "scopes": scopes }).to_string();
        self.as_root("POST /api/users", body).await.expect(201);
        self.token(name, None).await
    }

    /// A token of a user, with fewer scopes if some are given.
    pub(crate) async fn token(&self, user: &str, scopes: Option<&[&str]>) -> String {
        let body = json!({ "user": user, "scopes": scopes });
        let made = self.as_root("POST /api/tokens", body.to_string()).await.expect(201);
        made.json()["token"].as_str().unwrap().to_owned()
    }

    /// What the tamper-evident log has by now.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
        let node = self.running.node.clone();
        let read = move || {
            // Logins that failed are counted until then.
            node.audit().keep(&node).unwrap();
            // What was put into the writer's queue before is written once this is.
            node.writer().replicate(Vec::new(), Vec::new(), Flush::Later).unwrap();
            let snapshot = node.store().snapshot();
            let log = Log::open(&*snapshot, &node.settings().data_dir).unwrap();
            (0..log.sizes().size).map(|at| log.entry(at).unwrap().unwrap()).collect()
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    /// How many attempts without good credentials the log has.
    pub(crate) async fn login_failures(&self) -> u32 {
        let count = |entry: &Entry| match entry.event {
            Event::LoginFailures(count) => count,
            _ => 0,
        };
        self.entries().await.iter().map(count).sum()
    }

    /// The id of a token.
    pub(crate) async fn id_of(&self, token: &str) -> String {
        let whoami = self.call(token, "GET /api/whoami", "").await.expect(200);
        whoami.json()["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn user_id(&self, name: &str) -> String {
        let user = self.as_root(&format!("GET /api/users/{name}"), "").await.expect(200);
        user.json()["id"].as_str().unwrap().to_owned()
    }

    /// Sets a mode, an owner or a group as root.
    pub(crate) async fn set(&self, key: &str, metadata: Value) {
        let line = format!("PATCH /kv/{key}/_metadata");
        self.as_root(&line, metadata.to_string()).await.expect(200);
    }

    /// What the tokens of this node are made with.
    pub(crate) fn secrets(&self) -> ClusterFile {
        ClusterFile::load(&self.dir.path().join("accounts.kvs")).unwrap()
    }

    /// The claims of a token.
    pub(crate) fn claims(token: &str) -> Claims {
        use base64::Engine as _;
        let payload = token.split('.').nth(1).unwrap();
        let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
        serde_json::from_slice(&json).unwrap()
    }

    /// A token with these claims, signed as this node signs.
    pub(crate) fn sign(&self, claims: &Claims) -> String {
        let secrets = self.secrets();
        let key = secrets.signing_key();
        sign_with(key.seed(), key.id(), claims)
    }

    /// The same once it was stopped and started again.
    pub(crate) async fn restarted(self) -> Self {
        let settings = self.running.node.settings().clone();
        let Self { running, router, owner, dir, clock, .. } = self;
        drop((router, owner));
        running.stop().await.unwrap();
        Self::on(dir, settings, clock).await
    }

    pub(crate) async fn stop(self) {
        let Self { running, router, owner, .. } = self;
        drop((router, owner));
        running.stop().await.unwrap();
    }
}

/// A token with these claims, signed by the key of this seed under this name.
pub(crate) fn sign_with(seed: &[u8; 32], kid: &str, claims: &Claims) -> String {
    let signed = claims.to_sign(kid);
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).unwrap();
    compact(&signed, pair.sign(signed.as_bytes()).as_ref())
}

async fn send(
    router: &Router,
    line: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answered {
    let (method, path) = line.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(path);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let is_stream =
        parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    // A stream never ends by itself: that it began is all there is to see.
    let body = if is_stream { Bytes::new() } else { body.collect().await.unwrap().to_bytes() };
    Answered { status: parts.status, headers: parts.headers, body }
}

impl Answered {
    /// The answer, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// Checks that it is a problem with this status and kind.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, kind: &str) {
        assert_eq!((self.status.as_u16(), self.kind().as_str()), (status, kind), "{}", self.text());
    }

    /// The last part of the problem's type; nothing if it is none.
    pub(crate) fn kind(&self) -> String {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let kind = json["type"].as_str().unwrap_or_default();
        kind.trim_start_matches("urn:kvs:problem:").to_owned()
    }

    /// A header's text, empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}
