//! A node in a temporary folder that serves on a port of the system's choice.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kvs_client::{Client, PutOptions, Value};
use kvs_config::Settings;
use kvs_core::Format;
use kvs_node::node::{Node, Running};
use kvs_node::server::Server;
use kvs_node::time::ManualClock;
use reqwest::{Method, StatusCode};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// When the nodes' clocks begin.
pub(crate) const NOW: u64 = 1_700_000_000_000;
/// What takes longer has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A node that serves.
pub(crate) struct Served {
    pub(crate) node: Arc<Node>,
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) shutdown: CancellationToken,
    running: Running,
    serving: JoinHandle<()>,
    _dir: Option<tempfile::TempDir>,
}

/// An answer whose body was read.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Answered {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The last part of the problem's type.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.content_type, "application/problem+json", "{self:?}");
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        kind.trim_start_matches("urn:kvs:problem:").to_owned()
    }
}

pub(crate) async fn serve() -> Served {
    serve_with(|_settings| {}).await
}

pub(crate) async fn serve_with(adjust: impl FnOnce(&mut Settings)) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path());
    adjust(&mut settings);
    let server = Server::bind(&settings).unwrap();
    Served { _dir: Some(dir), ..serve_on(server, settings).await }
}

/// Serves on a server of the test's own, in a folder of its own.
pub(crate) async fn serve_on(server: Server, settings: Settings) -> Served {
    let clock = Arc::new(ManualClock::at(NOW));
    let (scheme, address) = (server.scheme(), server.local_addr());
    let running = Running::start_at(settings, clock.clone(), address, Format::NEWEST).unwrap();
    let node = running.node.clone();
    let shutdown = CancellationToken::new();
    let serving = TaskTracker::new().spawn(server.serve(node.clone(), shutdown.clone()));
    let client = Client::new(&format!("{scheme}://{address}"), None).unwrap();
    Served { node, client, address, clock, shutdown, running, serving, _dir: None }
}

pub(crate) fn settings(dir: &Path) -> Settings {
    let data_dir = dir.to_owned();
    Settings {
        clustering_enabled: false,
        data_dir,
        port: 0,
        digest_leaves: 65_536,
        ..Settings::default()
    }
}

impl Served {
    pub(crate) async fn put(&self, key: &str, json: &str) {
        let value: Box<serde_json::value::RawValue> = serde_json::from_str(json).unwrap();
        self.client.put(key, Value::Json(value)).await.unwrap();
    }

    pub(crate) async fn put_for(&self, key: &str, ttl: &str) {
        let options = PutOptions { ttl: Some(ttl.to_owned()), ..PutOptions::default() };
        self.client.put_with(key, Value::json(&1).unwrap(), &options).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.get_as(path, "application/json").await
    }

    pub(crate) async fn get_as(&self, path: &str, accept: &str) -> Answered {
        let request = reqwest::Client::new().request(Method::GET, self.url(path));
        let response = request.header("accept", accept).send().await.unwrap();
        let content_type = response.headers().get("content-type");
        let content_type = content_type.map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let status = response.status();
        Answered { status, content_type, text: response.text().await.unwrap() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Refuses a list that is asked for wrongly, and says how.
    pub(crate) async fn refused(&self, path: &str, status: u16) -> String {
        let answered = self.get(path).await;
        assert_eq!(answered.status.as_u16(), status, "{path}: {answered:?}");
        answered.problem()
    }

    /// Drains the server and stops the node.
    pub(crate) async fn stop(self) {
        let Self { node, shutdown, running, serving, _dir, .. } = self;
        drop(node);
        shutdown.cancel();
        tokio::time::timeout(DEADLINE, serving).await.unwrap().unwrap();
        tokio::time::timeout(DEADLINE, running.stop()).await.unwrap().unwrap();
    }
}

/// Waits until `ready` says so.
pub(crate) async fn eventually(what: &str, mut ready: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !ready().await {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(DEADLINE, waiting).await;
    waited.unwrap_or_else(|_late| panic!("not within {DEADLINE:?}: {what}"));
}
