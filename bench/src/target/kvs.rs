use std::net::SocketAddr;

use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;

use super::{HttpConnection, Session, TargetError, http::Answer};

/// A connection to KVS, or to a handler that has its routes.
#[derive(Debug)]
pub struct KvsSession(HttpConnection);

#[derive(Deserialize)]
struct BatchAnswer {
    items: Vec<BatchItem>,
}

#[derive(Deserialize)]
struct BatchItem {
    status: u16,
}

impl Session for KvsSession {
    async fn connect(address: SocketAddr) -> Result<Self, TargetError> {
        HttpConnection::connect(address).await.map(Self)
    }

    async fn put(&mut self, key: &str, value: &Bytes) -> Result<(), TargetError> {
        self.0.succeed(Method::PUT, &path(key), value.clone()).await.map(drop)
    }

    async fn get(&mut self, key: &str) -> Result<(), TargetError> {
        self.0.succeed(Method::GET, &path(key), Bytes::new()).await.map(drop)
    }

    async fn put_all(&mut self, items: &[(String, Bytes)]) -> Result<(), TargetError> {
        let body = self.0.succeed(Method::POST, "/kv/_batch", batch_body(items)).await?;
        let answer: BatchAnswer = serde_json::from_slice(&body)?;
        let succeeded = answer.items.iter().filter(|item| item.status / 100 == 2).count();
        if succeeded == items.len() {
            return Ok(());
        }
        Err(TargetError::Partial { sent: items.len(), succeeded })
    }
}

impl KvsSession {
    /// The same with this token.
    #[must_use]
    pub fn showing(mut self, token: Option<&'static str>) -> Self {
        self.0.show(token);
        self
    }

    /// Succeeds once the node serves.
    pub async fn ready(&mut self) -> Result<(), TargetError> {
        self.0.succeed(Method::GET, "/readyz", Bytes::new()).await.map(drop)
    }

    /// The whole answer to a read, headers included.
    pub async fn read(&mut self, key: &str) -> Result<Answer, TargetError> {
        self.0.ask(Method::GET, &path(key), Bytes::new()).await
    }
}

fn path(key: &str) -> String {
    format!("/kv/{key}")
}

/// Values are JSON already and keys of a workload need no escaping.
fn batch_body(items: &[(String, Bytes)]) -> Bytes {
    let mut body = Vec::with_capacity(items.iter().map(|(_, value)| value.len() + 64).sum());
    body.extend_from_slice(br#"{"items":["#);
    for (place, (key, value)) in items.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        body.extend_from_slice(format!(r#"{comma}{{"op":"put","key":"{key}","value":"#).as_bytes());
        body.extend_from_slice(value);
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_json_with_the_values_as_they_are() {
        let value = Bytes::from_static(br#"{"v":"x"}"#);
        let body = batch_body(&[("a/b".into(), value.clone()), ("c".into(), value)]);
        let parsed: serde_json::Value = serde_json::from_slice(&body).expect("it is JSON");
        let put = |key| serde_json::json!({"op": "put", "key": key, "value": {"v": "x"}});
        assert_eq!(parsed, serde_json::json!({"items": [put("a/b"), put("c")]}));
    }
}
