//! Runs in a pod: takes orders over HTTP, puts load on a cluster as applications do, and checks.

mod check;
mod ledger;
mod traffic;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;

use self::traffic::Traffic;
use crate::failure::Failure;
use crate::load::{Answer, Ask, Check, Order};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

struct Agent {
    http: reqwest::Client,
    traffic: Mutex<Option<Traffic>>,
}

type Answered = (StatusCode, String);

/// Takes orders until it is told to stop.
///
/// # Errors
///
/// It cannot listen there.
pub(crate) async fn serve(listen: SocketAddr) -> Result<(), Failure> {
    let agent = Arc::new(Agent { http: client()?, traffic: Mutex::default() });
    let routes = Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/start", post(start))
        .route("/stop", post(stop))
        .route("/report", get(report))
        .route("/check", post(check))
        .route("/ask", post(ask))
        .with_state(agent);
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let mut ended = signal(SignalKind::terminate())?;
    let ending = async move {
        ended.recv().await;
    };
    Ok(axum::serve(listener, routes).with_graceful_shutdown(ending).await?)
}

/// A client that sends nothing twice, but what a peer says that it has not looked at: in HTTP/2 a request may
/// cross with the news that its connection ends, and every client then takes another one.
fn client() -> Result<reqwest::Client, Failure> {
    Ok(reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?)
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Answered> {
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

fn json(value: &impl Serialize) -> Answered {
    match serde_json::to_string(value) {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn start(State(agent): State<Arc<Agent>>, body: Bytes) -> Result<Answered, Answered> {
    let order: Order = read(&body)?;
    let mut traffic = agent.traffic.lock().await;
    if traffic.as_ref().is_some_and(Traffic::flows) {
        return Err((StatusCode::CONFLICT, "there is load already".into()));
    }
    // What was acknowledged before is still to be found.
    let ledger = traffic.take().map(Traffic::into_ledger).unwrap_or_default();
    *traffic = Some(Traffic::begin(&agent.http, &order, ledger));
    Ok((StatusCode::OK, "{}".into()))
}

async fn stop(State(agent): State<Arc<Agent>>) -> Answered {
    match agent.traffic.lock().await.as_mut() {
        Some(traffic) => json(&traffic.end().await),
        None => (StatusCode::CONFLICT, "there is no load".into()),
    }
}

async fn report(State(agent): State<Arc<Agent>>) -> Answered {
    match agent.traffic.lock().await.as_ref() {
        Some(traffic) => json(&traffic.report()),
        None => (StatusCode::CONFLICT, "there was no load".into()),
    }
}

async fn check(State(agent): State<Arc<Agent>>, body: Bytes) -> Result<Answered, Answered> {
    let Check { at, token } = read(&body)?;
    let ledger = agent.traffic.lock().await.as_ref().map(Traffic::ledger).unwrap_or_default();
    Ok(json(&check::check(&agent.http, &ledger, &at, token.as_deref()).await))
}

async fn ask(State(agent): State<Arc<Agent>>, body: Bytes) -> Result<Answered, Answered> {
    let Ask { method, url, body, token, token_file } = read(&body)?;
    let unreadable = |error: std::io::Error| (StatusCode::BAD_REQUEST, error.to_string());
    let token = match token_file {
        Some(file) => Some(std::fs::read_to_string(file).map_err(unreadable)?.trim().to_owned()),
        None => token,
    };
    let method: Method =
        method.parse().map_err(|_unknown| (StatusCode::BAD_REQUEST, "which method?".to_owned()))?;
    let request = agent.http.request(method, url).header("content-type", "application/json");
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let answer = match request.body(body.unwrap_or_default()).send().await {
        Ok(answer) => Answer {
            status: answer.status().as_u16(),
            body: answer.text().await.unwrap_or_default(),
        },
        Err(error) => Answer { status: 0, body: Failure::from(error).to_string() },
    };
    Ok(json(&answer))
}
