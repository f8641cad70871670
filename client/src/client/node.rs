//! Asking about the node itself.

use reqwest::{Method, StatusCode};

use super::{Client, failure};
use crate::{ClientError, Health, Members};

impl Client {
    /// How the node is. A caller that may read the cluster learns more.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.call(self.request(Method::GET, self.route("health"))).await
    }

    /// Whether the process is up. It says nothing about data or peers.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn livez(&self) -> Result<(), ClientError> {
        self.send(self.request(Method::GET, self.route("livez"))).await.map(drop)
    }

    /// Whether the node serves and is caught up: `false` is the answer 503.
    ///
    /// # Errors
    /// When the node does not answer, or in another way.
    pub async fn readyz(&self) -> Result<bool, ClientError> {
        let answer = self.send_any(self.request(Method::GET, self.route("readyz"))).await?;
        match answer.status() {
            StatusCode::SERVICE_UNAVAILABLE => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(failure(answer).await),
        }
    }

    /// The nodes of the cluster, as the asked one knows them.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the members are not public.
    pub async fn members(&self) -> Result<Members, ClientError> {
        self.call(self.request(Method::GET, self.route("members/"))).await
    }
}
