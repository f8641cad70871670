use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;

use super::{HttpConnection, Session, TargetError};

/// A connection to etcd's JSON gateway, where keys and values travel as base64.
#[derive(Debug)]
pub struct GatewaySession(HttpConnection);

#[derive(Deserialize)]
struct RangeAnswer<'a> {
    #[serde(borrow, default)]
    kvs: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, rename = "value")]
    _value: &'a str,
}

impl Session for GatewaySession {
    async fn connect(address: SocketAddr) -> Result<Self, TargetError> {
        HttpConnection::connect(address).await.map(Self)
    }

    async fn put(&mut self, key: &str, value: &Bytes) -> Result<(), TargetError> {
        let body = pair(key, value).into();
        self.0.succeed(Method::POST, "/v3/kv/put", body).await.map(drop)
    }

    async fn get(&mut self, key: &str) -> Result<(), TargetError> {
        let body = format!(r#"{{"key":"{}"}}"#, STANDARD.encode(key));
        let answer = self.0.succeed(Method::POST, "/v3/kv/range", body.into()).await?;
        let found: RangeAnswer<'_> = serde_json::from_slice(&answer)?;
        if found.kvs.is_empty() {
            return Err(TargetError::Missing(key.to_owned()));
        }
        Ok(())
    }

    async fn put_all(&mut self, items: &[(String, Bytes)]) -> Result<(), TargetError> {
        let puts: Vec<String> = items
            .iter()
            .map(|(key, value)| format!(r#"{{"requestPut":{}}}"#, pair(key, value)))
            .collect();
        let body = format!(r#"{{"success":[{}]}}"#, puts.join(","));
        self.0.succeed(Method::POST, "/v3/kv/txn", body.into()).await.map(drop)
    }
}

fn pair(key: &str, value: &[u8]) -> String {
    format!(r#"{{"key":"{}","value":"{}"}}"#, STANDARD.encode(key), STANDARD.encode(value))
}
