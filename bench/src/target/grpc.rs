use std::{fmt, net::SocketAddr};

use bytes::Bytes;
use etcd_client::{Client, KvClient, Txn, TxnOp};

use super::{Session, TargetError};

/// A connection to etcd over gRPC: one client, one HTTP/2 connection.
pub struct GrpcSession(Box<KvClient>);

impl fmt::Debug for GrpcSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("GrpcSession")
    }
}

impl Session for GrpcSession {
    async fn connect(address: SocketAddr) -> Result<Self, TargetError> {
        let client = Client::connect([format!("http://{address}")], None).await?;
        Ok(Self(Box::new(client.kv_client())))
    }

    async fn put(&mut self, key: &str, value: &Bytes) -> Result<(), TargetError> {
        self.0.put(key, value.as_ref(), None).await?;
        Ok(())
    }

    async fn get(&mut self, key: &str) -> Result<(), TargetError> {
        let answer = self.0.get(key, None).await?;
        if answer.kvs().is_empty() {
            return Err(TargetError::Missing(key.to_owned()));
        }
        Ok(())
    }

    /// A transaction without conditions, of which etcd allows 128 operations by default.
    async fn put_all(&mut self, items: &[(String, Bytes)]) -> Result<(), TargetError> {
        let puts: Vec<TxnOp> = items
            .iter()
            .map(|(key, value)| TxnOp::put(key.as_str(), value.as_ref(), None))
            .collect();
        self.0.txn(Txn::new().and_then(puts)).await?;
        Ok(())
    }
}
