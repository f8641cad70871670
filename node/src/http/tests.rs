//! What only a store brings about that misbehaves.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::*;
use crate::node::Running;
use crate::store::Unruly;

struct Site {
    store: Arc<Unruly>,
    running: Running,
    router: Router,
    _dir: TempDir,
}

impl Site {
    fn new() -> Self {
        let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(Unruly::default()));
        let running = Running::for_test(dir.path(), store.clone());
        let router = router(App::new(running.node.clone()));
        Self { store, running, router, _dir: dir }
    }

    /// Sends `"METHOD /path"` with this body; the status and what kind of problem it is, if any.
    async fn call(&self, line: &str, body: &'static str) -> (u16, String) {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let kind = body["type"].as_str().unwrap_or_default();
        (parts.status.as_u16(), kind.trim_start_matches("urn:kvs:problem:").to_owned())
    }
}

#[tokio::test]
async fn a_node_whose_writer_has_ended_lives_but_is_not_ready() {
    let site = Site::new();
    assert_eq!(site.call("GET /readyz", "").await.0, 200);
    site.store.panic_at_the_next_write();
    assert_eq!(site.call("PUT /kv/a", "1").await.0, 503);
    site.running.node.writer().ended().await;
    assert_eq!(site.call("GET /readyz", "").await, (503, "not-ready".to_owned()));
    assert_eq!(site.call("GET /livez", "").await.0, 200);
    let stopped = site.running.stop().await.unwrap_err().to_string();
    assert!(stopped.contains("writer thread panicked"), "{stopped}");
}

#[tokio::test]
async fn a_patch_that_always_comes_too_late_is_refused_in_the_end() {
    for (path, first, patch) in
        [("/kv/a", "{}", "{\"n\":1}"), ("/kv/a/_metadata", "{\"ttl\":\"1h\"}", "{\"ttl\":\"2h\"}")]
    {
        let site = Site::new();
        let (put, patched) = (format!("PUT {path}"), format!("PATCH {path}"));
        assert!(site.call(&put, first).await.0 < 300, "{path}");
        site.store.leave_readers_behind();
        assert_eq!(site.call(&patched, patch).await.0, 200, "{path}");
        // Each try now reads the version that the first patch replaced.
        assert_eq!(site.call(&patched, patch).await, (409, "contended".to_owned()), "{path}");
        site.running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn admin_routes_answer_on_this_machine_only() {
    let site = Site::new();
    let admin = || ROUTES.iter().filter(|route| route.access == Access::Here);
    assert!(admin().count() >= 9);
    for (from, local) in [("127.0.0.1", true), ("::1", true), ("10.0.0.1", false), ("::", false)] {
        let app = App::new(site.running.node.clone()).from_peer(from.parse().unwrap());
        for route in admin().filter(|route| route.method != http::Method::POST) {
            let path = route.template().replace("{name}", "x");
            let request = Request::builder().method(route.method.clone()).uri(path);
            let request = request.body(Body::empty()).unwrap();
            let status = router(app.clone()).oneshot(request).await.unwrap().status();
            assert_eq!(status != 403, local, "{from} {}", route.operation);
        }
    }
    site.running.stop().await.unwrap();
}
