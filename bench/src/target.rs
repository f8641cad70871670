//! The servers as the load generator sees them: one connection, three requests.

use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

mod error;
mod gateway;
mod grpc;
mod http;
mod kvs;
mod nats;
mod redis;

pub use error::TargetError;
pub use http::HttpConnection;
pub use kvs::KvsSession;

use gateway::GatewaySession;
use grpc::GrpcSession;
use nats::NatsSession;
use redis::RedisSession;

/// One connection to a server, with at most one request under way.
pub trait Session: Sized + Send {
    /// Connects.
    fn connect(address: SocketAddr) -> impl Future<Output = Result<Self, TargetError>> + Send;

    /// Writes one key; returns when the server has acknowledged it.
    fn put(
        &mut self,
        key: &str,
        value: &Bytes,
    ) -> impl Future<Output = Result<(), TargetError>> + Send;

    /// Reads one key, which must be there.
    fn get(&mut self, key: &str) -> impl Future<Output = Result<(), TargetError>> + Send;

    /// Writes several keys in one request, or as near to that as the server allows.
    fn put_all(
        &mut self,
        items: &[(String, Bytes)],
    ) -> impl Future<Output = Result<(), TargetError>> + Send;
}

/// A way to talk to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    /// KVS over HTTP/1.1.
    Kvs,
    /// The same with a token, of a node that asks who calls and writes down what they do.
    KvsGuarded,
    /// The bare axum handler over HTTP/1.1.
    Bare,
    /// etcd over gRPC.
    EtcdGrpc,
    /// etcd over its JSON gateway.
    EtcdGateway,
    /// Redis over RESP.
    Redis,
    /// NATS `JetStream` key-value buckets over the NATS protocol.
    Nats,
}

impl Protocol {
    /// The name in tables, plots and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvs => "KVS",
            Self::KvsGuarded => "KVS, guarded",
            Self::Bare => "bare axum handler",
            Self::EtcdGrpc => "etcd, gRPC",
            Self::EtcdGateway => "etcd, JSON gateway",
            Self::Redis => "Redis",
            Self::Nats => "NATS KV",
        }
    }
}

/// Where a server listens and how it is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// How it is talked to.
    pub protocol: Protocol,
    /// Where it listens.
    pub address: SocketAddr,
    /// What its callers show. As good as the process: there is one for each node that is measured.
    pub token: Option<&'static str>,
}

impl Endpoint {
    /// A new connection to this server.
    pub async fn connect(self) -> Result<AnySession, TargetError> {
        let address = self.address;
        Ok(match self.protocol {
            Protocol::Kvs | Protocol::KvsGuarded | Protocol::Bare => {
                AnySession::Kvs(KvsSession::connect(address).await?.showing(self.token))
            }
            Protocol::EtcdGrpc => AnySession::Grpc(GrpcSession::connect(address).await?),
            Protocol::EtcdGateway => AnySession::Gateway(GatewaySession::connect(address).await?),
            Protocol::Redis => AnySession::Redis(RedisSession::connect(address).await?),
            Protocol::Nats => AnySession::Nats(NatsSession::connect(address).await?),
        })
    }

    /// Succeeds once the server is ready to be measured, and makes what it needs for that.
    pub async fn prepare(self) -> Result<(), TargetError> {
        match self.protocol {
            Protocol::Kvs | Protocol::KvsGuarded | Protocol::Bare => {
                KvsSession::connect(self.address).await?.ready().await
            }
            Protocol::Nats => NatsSession::create_bucket(self.address).await,
            Protocol::EtcdGrpc | Protocol::EtcdGateway | Protocol::Redis => {
                let probe = Bytes::from_static(br#"{"v":""}"#);
                self.connect().await?.put("bench/probe", &probe).await
            }
        }
    }
}

/// A connection to any of the servers.
#[derive(Debug)]
pub enum AnySession {
    /// To KVS or to the bare handler.
    Kvs(KvsSession),
    /// To etcd's gateway.
    Gateway(GatewaySession),
    /// To etcd.
    Grpc(GrpcSession),
    /// To Redis.
    Redis(RedisSession),
    /// To NATS.
    Nats(NatsSession),
}

impl AnySession {
    /// Writes one key.
    pub async fn put(&mut self, key: &str, value: &Bytes) -> Result<(), TargetError> {
        match self {
            Self::Kvs(session) => session.put(key, value).await,
            Self::Gateway(session) => session.put(key, value).await,
            Self::Grpc(session) => session.put(key, value).await,
            Self::Redis(session) => session.put(key, value).await,
            Self::Nats(session) => session.put(key, value).await,
        }
    }

    /// Reads one key.
    pub async fn get(&mut self, key: &str) -> Result<(), TargetError> {
        match self {
            Self::Kvs(session) => session.get(key).await,
            Self::Gateway(session) => session.get(key).await,
            Self::Grpc(session) => session.get(key).await,
            Self::Redis(session) => session.get(key).await,
            Self::Nats(session) => session.get(key).await,
        }
    }

    /// Writes several keys.
    pub async fn put_all(&mut self, items: &[(String, Bytes)]) -> Result<(), TargetError> {
        match self {
            Self::Kvs(session) => session.put_all(items).await,
            Self::Gateway(session) => session.put_all(items).await,
            Self::Grpc(session) => session.put_all(items).await,
            Self::Redis(session) => session.put_all(items).await,
            Self::Nats(session) => session.put_all(items).await,
        }
    }
}

#[cfg(test)]
mod tests;
