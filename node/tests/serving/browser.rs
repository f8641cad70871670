//! Pages in a real browser that call the node: stored ones, which are data, and those of others.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::{get, post};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::served::{eventually, serve_with};

/// Where Debian's package has it.
const BROWSER: &str = "/usr/bin/chromium";
/// A browser takes long to start on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a stored page would do if it were shown as a page of the node's.
const STORED: &str = "<script>fetch('/kv/stolen', {method: 'PUT', body: '1'})</script>";
const STORED_IMAGE: &str = "<svg xmlns='http://www.w3.org/2000/svg'>\
     <script>fetch('/kv/stolen', {method: 'PUT', body: '1'})</script></svg>";

/// A page of another origin. It tries what a page can, and tells its own server what came of it.
const PAGE: &str = r#"<!doctype html><body><script>
const node = 'NODE', told = {};
const shown = path => new Promise(done => {
  const frame = document.createElement('iframe');
  frame.onload = done;
  frame.src = path;
  document.body.append(frame);
  // A frame that became a download never loads.
  setTimeout(done, 1000);
});
const tried = async (name, path, options) => {
  try {
    const answer = await fetch(node + path, options);
    told[name] = answer.type === 'opaque' ? 'opaque' : answer.status;
  } catch { told[name] = 'blocked'; }
};
const batch = '{"items":[{"op":"put","key":"stolen","value":1}]}';
const form = new URLSearchParams([[batch, '']]);
(async () => {
  await shown('/control');
  for (const path of ['/kv/page?raw', '/kv/image?raw', '/kv/text?raw', '/kv/json?raw'])
    await shown(node + path);
  await tried('read', '/kv/secret');
  await tried('put', '/kv/stolen', {method: 'PUT', body: '1'});
  await tried('delete', '/kv/secret', {method: 'DELETE'});
  await tried('text', '/kv/_batch', {method: 'POST', mode: 'no-cors', body: batch});
  await tried('form', '/kv/_batch', {method: 'POST', mode: 'no-cors', body: form});
  await tried('untyped', '/kv/_batch', {method: 'POST', mode: 'no-cors', body: new Blob([batch])});
  await tried('drain', '/cluster/drain', {method: 'POST', mode: 'no-cors'});
  await fetch('/told', {method: 'POST', body: JSON.stringify(told)});
})();
</script>"#;

/// What a page tells its own server.
type Told = mpsc::UnboundedSender<String>;

/// Serves the page that attacks `node`; answers where, and hears what it says.
async fn attacker(node: &str, tasks: &TaskTracker) -> (String, mpsc::UnboundedReceiver<String>) {
    let (tell, told) = mpsc::unbounded_channel();
    let page = PAGE.replace("NODE", node);
    let hear = async |State(tell): State<Told>, body: String| tell.send(body).unwrap();
    let control = STORED.replace("/kv/stolen", "/told").replace("PUT", "POST");
    let router = Router::new()
        .route("/", get(async || Html(page)))
        .route("/control", get(async || Html(control)))
        .route("/told", post(hear))
        .with_state(tell);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}/"), told)
}

/// A browser, which ends with the test.
struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn browse(url: &str, profile: &Path) -> Browser {
    let mut command = Command::new(BROWSER);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    command.args([
        "--no-first-run",
        "--disable-background-networking",
        "--remote-debugging-port=0",
    ]);
    command.arg(format!("--user-data-dir={}", profile.display())).arg(url);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Browser(command.spawn().unwrap())
}

#[tokio::test]
async fn neither_stored_pages_nor_those_of_others_can_have_a_browser_act_for_its_user() {
    assert!(Path::new(BROWSER).exists(), "there is no {BROWSER}: scripts/setup test installs it");
    let served = serve_with(|settings| settings.rate_limiting_enabled = false).await;
    let node = served.url("");
    let http = Client::new();
    for (key, kind, body) in [
        ("page", "text/html", STORED),
        ("image", "image/svg+xml", STORED_IMAGE),
        ("text", "text/plain", STORED),
        ("json", "application/json", "\"<script>fetch('/kv/stolen', {method: 'PUT'})</script>\""),
        ("secret", "application/json", "1"),
    ] {
        let put = http.put(format!("{node}/kv/{key}")).header("content-type", kind).body(body);
        assert_eq!(put.send().await.unwrap().status(), 201, "{key}");
    }
    let tasks = TaskTracker::new();
    let (url, mut told) = attacker(&node, &tasks).await;
    let profile = tempfile::tempdir().unwrap();
    let browser = browse(&url, profile.path());
    let mut next = async || tokio::time::timeout(PATIENCE, told.recv()).await.unwrap().unwrap();

    assert_eq!(next().await, "1", "a page that is no data does run");
    let told: Value = serde_json::from_str(&next().await).unwrap();
    drop(browser);
    let wanted = json!({
        "read": "blocked", "put": "blocked", "delete": "blocked",
        "text": "opaque", "form": "opaque", "untyped": "opaque", "drain": "opaque",
    });
    assert_eq!(told, wanted);
    assert_eq!(served.get("/kv/stolen").await.status, 404);
    assert_eq!(served.get("/kv/secret").await.status, 200);
    assert_eq!(served.get("/health").await.json()["status"], "ok", "nobody had it drain");
    eventually("what reached the node and was refused is in the log", async || {
        served.get("/api/audit").await.text.contains(r#""login-failures""#)
    })
    .await;
    served.stop().await;
}
