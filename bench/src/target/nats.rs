use std::{fmt, net::SocketAddr, sync::Arc};

use async_nats::jetstream::{
    self,
    kv::{Config, Store},
    stream::StorageType,
};
use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Session, TargetError};

const BUCKET: &str = "bench";

/// A connection to NATS and the bucket behind it.
pub struct NatsSession(Arc<Store>);

impl fmt::Debug for NatsSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NatsSession")
    }
}

impl NatsSession {
    /// Makes the bucket: on disk, one value per key.
    pub(super) async fn create_bucket(address: SocketAddr) -> Result<(), TargetError> {
        let config = Config {
            bucket: BUCKET.to_owned(),
            history: 1,
            storage: StorageType::File,
            ..Config::default()
        };
        let client = async_nats::connect(address.to_string()).await.map_err(TargetError::nats)?;
        let created = jetstream::new(client).create_key_value(config).await;
        created.map(drop).map_err(TargetError::nats)
    }
}

impl Session for NatsSession {
    async fn connect(address: SocketAddr) -> Result<Self, TargetError> {
        let client = async_nats::connect(address.to_string()).await.map_err(TargetError::nats)?;
        let bucket = jetstream::new(client).get_key_value(BUCKET).await;
        bucket.map(|bucket| Self(Arc::new(bucket))).map_err(TargetError::nats)
    }

    async fn put(&mut self, key: &str, value: &Bytes) -> Result<(), TargetError> {
        self.0.put(key, value.clone()).await.map(drop).map_err(TargetError::nats)
    }

    async fn get(&mut self, key: &str) -> Result<(), TargetError> {
        let value = self.0.get(key).await.map_err(TargetError::nats)?;
        value.map(drop).ok_or_else(|| TargetError::Missing(key.to_owned()))
    }

    /// NATS has no request of several puts: they are sent together and acknowledged one by one.
    async fn put_all(&mut self, items: &[(String, Bytes)]) -> Result<(), TargetError> {
        let mut puts = JoinSet::new();
        for (key, value) in items.iter().cloned() {
            let bucket = Arc::clone(&self.0);
            puts.spawn(async move { bucket.put(&key, value).await });
        }
        for put in puts.join_all().await {
            put.map_err(TargetError::nats)?;
        }
        Ok(())
    }
}
