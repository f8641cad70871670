//! The API of one node, as whoever owns the cluster asks it.

use std::net::IpAddr;
use std::time::Duration;

use http::Method;
use kvs_client::{Problem, RelayAnswer, RelayRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use super::{NodeError, Nodes, address, link};

/// How long an answer may take: a list of backups is asked of a bucket.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request was not answered as it asks.
#[derive(Debug, Error)]
pub enum ApiError {
    /// It did not arrive, or its answer did not. It may have been carried out.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node says no; nothing was done.
    #[error("{}", said(.0))]
    Problem(Problem),
    /// The answer is not understood.
    #[error("the node's answer is not understood: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// What is wrong, without the words that every problem begins with.
fn said(problem: &Problem) -> &str {
    if problem.detail.is_empty() { &problem.title } else { &problem.detail }
}

impl ApiError {
    /// The stable name of the problem; nothing where there is no answer.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            Self::Node(_) | Self::Malformed(_) => None,
        }
    }
}

/// One node's API.
#[derive(Clone, Copy, Debug)]
pub struct Api<'a> {
    nodes: &'a Nodes,
    ip: IpAddr,
    node: Uuid,
}

impl Nodes {
    /// The API of the node that is meant.
    pub const fn api(&self, ip: IpAddr, node: Uuid) -> Api<'_> {
        Api { nodes: self, ip, node }
    }
}

impl Api<'_> {
    /// What is there; nothing if there is none.
    ///
    /// # Errors
    ///
    /// See [`ApiError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ApiError> {
        match self.call(Method::GET, path, None).await {
            Ok(body) => Ok(Some(serde_json::from_value(body)?)),
            Err(ApiError::Problem(problem)) if is_none(&problem) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes something, and says what was made.
    ///
    /// # Errors
    ///
    /// See [`ApiError`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, ApiError> {
        let body = body.map(serde_json::to_value).transpose()?;
        Ok(serde_json::from_value(self.call(Method::POST, path, body).await?)?)
    }

    /// Changes something.
    ///
    /// # Errors
    ///
    /// See [`ApiError`].
    pub async fn patch(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<(), ApiError> {
        let body = serde_json::to_value(body)?;
        self.call(Method::PATCH, path, Some(body)).await.map(drop)
    }

    /// Has something be so.
    ///
    /// # Errors
    ///
    /// See [`ApiError`].
    pub async fn put(&self, path: &str) -> Result<(), ApiError> {
        self.call(Method::PUT, path, None).await.map(drop)
    }

    /// Deletes something. That it is gone already is no error.
    ///
    /// # Errors
    ///
    /// See [`ApiError`].
    pub async fn delete(&self, path: &str) -> Result<(), ApiError> {
        match self.call(Method::DELETE, path, None).await {
            Err(ApiError::Problem(problem)) if is_none(&problem) => Ok(()),
            other => other.map(drop),
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, ApiError> {
        let fence = (method != Method::GET).then_some(&self.nodes.fence);
        let (method, path) = (method.to_string(), path.to_owned());
        let request = RelayRequest { node: self.node, method, path, body };
        let request = serde_json::to_vec(&request)?;
        let (tls, at) = (&self.nodes.tls, address(self.ip));
        let answer = link::ask_within(PATIENCE, tls, at, "relay", request, fence).await?;
        let RelayAnswer { status, body } = serde_json::from_slice(&answer)?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(ApiError::Problem(serde_json::from_value(body)?))
    }
}

/// Whether there is nothing of that name; that accounts are switched off is something else.
fn is_none(problem: &Problem) -> bool {
    problem.status == 404 && problem.kind != SWITCHED_OFF
}

/// The problem of whoever asks about accounts where there are none.
pub const SWITCHED_OFF: &str = "urn:kvs:problem:switched-off";
