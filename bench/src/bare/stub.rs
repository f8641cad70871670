//! The key routes over a map in memory, for tests of the load generator.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

type Map = Arc<Mutex<HashMap<String, Value>>>;

/// A server that ends when it is dropped.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    _task: JoinSet<std::io::Result<()>>,
}

/// Starts a server on a port of its own.
pub(crate) async fn start() -> Stub {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut task = JoinSet::new();
    task.spawn(async move { axum::serve(listener, routes()).await });
    Stub { address, _task: task }
}

fn routes() -> Router {
    Router::new()
        .route("/readyz", get(async || "ready"))
        .route("/kv/_batch", post(batch))
        .route("/kv/{*key}", get(read).put(write))
        .with_state(Map::default())
}

async fn read(Path(key): Path<String>, State(map): State<Map>) -> Result<Json<Value>, StatusCode> {
    let map = map.lock().expect("no handler panics");
    map.get(&key).map(|value| Json(json!({ "data": value }))).ok_or(StatusCode::NOT_FOUND)
}

async fn write(
    Path(key): Path<String>,
    State(map): State<Map>,
    Json(value): Json<Value>,
) -> StatusCode {
    map.lock().expect("no handler panics").insert(key, value);
    StatusCode::CREATED
}

/// Refuses keys that begin with `refused`, so that a partial failure can be had.
async fn batch(State(map): State<Map>, Json(body): Json<Value>) -> Json<Value> {
    let mut map = map.lock().expect("no handler panics");
    let mut answers = Vec::new();
    for item in body["items"].as_array().into_iter().flatten() {
        let key = item["key"].as_str().unwrap_or_default().to_owned();
        let status = if key.starts_with("refused") { 400 } else { 201 };
        map.insert(key, item["value"].clone());
        answers.push(json!({ "status": status }));
    }
    Json(json!({ "items": answers }))
}
