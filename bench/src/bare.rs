//! The least that answers a read over HTTP: an axum handler that returns the same bytes for
//! every key. What KVS does beside HTTP is the distance to this.

use std::{fs, io, path::Path, sync::Arc};

use axum::{
    Router,
    extract::{Path as KeyPath, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    response::IntoResponse,
    routing::get,
    serve::ListenerExt,
};
use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[cfg(test)]
pub(crate) mod stub;

/// The answer of KVS to a read, which the bare handler repeats.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    headers: Vec<(String, String)>,
    body: String,
}

/// Headers that the HTTP library writes by itself.
const OF_THE_CONNECTION: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING];

impl Answer {
    /// From what a server answered.
    pub fn of(answer: &hyper::Response<Bytes>) -> Self {
        let headers = answer
            .headers()
            .iter()
            .filter(|(name, _)| !OF_THE_CONNECTION.contains(name))
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        Self { headers: headers.collect(), body }
    }

    /// What KVS answers for a value of this JSON text, for when there is no KVS to ask.
    pub fn sample(value: &str) -> Self {
        let uuid = "7d444840-9dc0-11d1-b245-5ffdce74fad2";
        Self {
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("etag".into(), format!("\"{uuid}\"")),
                ("last-modified".into(), "Sun, 06 Nov 1994 08:49:37 GMT".into()),
            ],
            body: format!(r#"{{"uuid":"{uuid}","timestamp":784111777000,"data":{value}}}"#),
        }
    }

    /// From a file that [`Answer::write`] wrote.
    pub fn read(file: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(file)?)?)
    }

    /// Into a file, for the process that serves it.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        fs::write(file, serde_json::to_vec(self)?)
    }

    fn header_map(&self) -> HeaderMap {
        let pairs = self.headers.iter().filter_map(|(name, value)| {
            let name = HeaderName::try_from(name).ok()?;
            Some((name, HeaderValue::try_from(value).ok()?))
        });
        pairs.collect()
    }
}

/// Answers every read until the process ends.
pub async fn serve(listener: TcpListener, answer: &Answer) -> io::Result<()> {
    let shared = Arc::new((answer.header_map(), Bytes::from(answer.body.clone())));
    let ready = get(async || "ready");
    let routes =
        Router::new().route("/readyz", ready).route("/kv/{*key}", get(same)).with_state(shared);
    let listener = listener.tap_io(|stream| {
        stream.set_nodelay(true).ok();
    });
    axum::serve(listener, routes).await
}

/// The key is taken from the path, as any handler must, and then not used.
async fn same(
    KeyPath(_key): KeyPath<String>,
    State(answer): State<Arc<(HeaderMap, Bytes)>>,
) -> impl IntoResponse {
    answer.as_ref().clone()
}
