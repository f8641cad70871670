use std::{fmt, net::SocketAddr};

use bytes::Bytes;
use redis::{Client, aio::MultiplexedConnection, cmd};

use super::{Session, TargetError};

/// A connection to Redis, used for one request at a time.
pub struct RedisSession(MultiplexedConnection);

impl fmt::Debug for RedisSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RedisSession")
    }
}

impl Session for RedisSession {
    async fn connect(address: SocketAddr) -> Result<Self, TargetError> {
        let client = Client::open(format!("redis://{address}"))?;
        Ok(Self(client.get_multiplexed_async_connection().await?))
    }

    async fn put(&mut self, key: &str, value: &Bytes) -> Result<(), TargetError> {
        Ok(cmd("SET").arg(key).arg(value.as_ref()).query_async(&mut self.0).await?)
    }

    async fn get(&mut self, key: &str) -> Result<(), TargetError> {
        let value: Option<Vec<u8>> = cmd("GET").arg(key).query_async(&mut self.0).await?;
        value.map(drop).ok_or_else(|| TargetError::Missing(key.to_owned()))
    }

    async fn put_all(&mut self, items: &[(String, Bytes)]) -> Result<(), TargetError> {
        let mut command = cmd("MSET");
        for (key, value) in items {
            command.arg(key).arg(value.as_ref());
        }
        Ok(command.query_async(&mut self.0).await?)
    }
}
