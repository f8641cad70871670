//! A node in a fresh directory, and requests to it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use kvs_config::Settings;
use kvs_node::http::{App, router};
use kvs_node::node::Running;
use kvs_node::time::ManualClock;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// When tests begin, in Unix milliseconds: 2023-11-14T22:13:20Z.
pub(crate) const START: u64 = 1_700_000_000_000;

/// A running node whose clock stands still.
pub(crate) struct TestNode {
    router: Router,
    clock: Arc<ManualClock>,
    running: Running,
    _dir: TempDir,
}

/// An answer that has been read.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl TestNode {
    pub(crate) fn start() -> Self {
        Self::with(|_settings| {})
    }

    /// A node with other settings than the default ones.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().to_owned();
        let mut settings = Settings {
            data_dir,
            digest_leaves: 65_536,
            // One node is all there is to see here.
            clustering_enabled: false,
            // Who may do what is for tests of its own.
            auth_enabled: false,
            tamper_logging_enabled: false,
            ..Settings::default()
        };
        change(&mut settings);
        let clock = Arc::new(ManualClock::at(START));
        let running = Running::start(settings, clock.clone()).unwrap();
        let router = router(App::new(running.node.clone()));
        Self { router, clock, running, _dir: dir }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The node as somebody at this address reaches it.
    pub(crate) fn seen_from(&self, address: &str) -> SeenFrom {
        let app = App::new(self.running.node.clone()).from_peer(address.parse().unwrap());
        SeenFrom { router: router(app) }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answered {
        send(&self.router, request).await
    }

    /// Sends `"METHOD /path"` with these headers and this body.
    pub(crate) async fn call(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answered {
        self.send(request(line, headers, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.call(&format!("GET {path}"), &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Body>) -> Answered {
        self.call(&format!("PUT {path}"), &[], body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answered {
        self.call(&format!("DELETE {path}"), &[], "").await
    }
}

/// A node as it is reached from an address.
pub(crate) struct SeenFrom {
    router: Router,
}

impl SeenFrom {
    pub(crate) async fn call(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answered {
        send(&self.router, request(line, headers, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.call(&format!("GET {path}"), &[], "").await
    }
}

fn request(line: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let (method, path) = line.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(path);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(body.into()).unwrap()
}

async fn send(router: &Router, request: Request<Body>) -> Answered {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answered { status: parts.status, headers: parts.headers, body }
}

impl Answered {
    /// The answer, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// Checks that it is a problem with this status, kind and detail.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, kind: &str, detail: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:kvs:problem:{kind}"), "{problem}");
        assert_eq!(problem["status"], status);
        let found = problem["detail"].as_str().unwrap();
        assert!(found.contains(detail), "{found:?} does not say {detail:?}");
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A header's text, empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The version that a write made or a read found.
    #[track_caller]
    pub(crate) fn uuid(&self) -> String {
        self.json()["uuid"].as_str().unwrap().to_owned()
    }
}
