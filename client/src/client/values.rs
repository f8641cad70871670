//! Reading and writing single keys, and batches.

use bytes::Bytes;
use reqwest::{
    Method, RequestBuilder, StatusCode,
    header::{ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, LAST_MODIFIED},
};
use serde::Serialize;
use uuid::Uuid;

use super::{
    Client,
    address::add,
    body::{json, json_as, with_value},
    content_type, decode, failure,
    options::{Condition, PutOptions, etag},
    read,
};
use crate::{
    BatchItem, BatchRequest, BatchResponse, BatchResult, ClientError, JSON_CONTENT_TYPE, Metadata,
    MetadataPatch, RestoreRequest, Stored, Value, Written,
};

/// The content type of a merge patch (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";

/// What the headers of a read tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The identity of the current version, from `ETag`.
    pub uuid: Option<Uuid>,
    /// When it was written, as `Last-Modified` says it: whole seconds, RFC 9110.
    pub last_modified: Option<String>,
}

/// A stored value as it is, without an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// What the headers tell.
    pub head: Head,
    /// The type of the value.
    pub content_type: String,
    /// The value.
    pub data: Bytes,
}

impl Client {
    /// Reads a key.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with an absence where nothing is stored.
    pub async fn get(&self, key: &str) -> Result<Stored, ClientError> {
        self.call(self.request(Method::GET, self.key_url(key)?)).await
    }

    /// Reads a key unless its current version is `known`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_if_changed(
        &self,
        key: &str,
        known: Uuid,
    ) -> Result<Option<Stored>, ClientError> {
        let request = self.request(Method::GET, self.key_url(key)?);
        let answer = self.send_any(request.header(IF_NONE_MATCH, etag(known))).await?;
        match answer.status() {
            StatusCode::NOT_MODIFIED => Ok(None),
            status if status.is_success() => decode(answer).await.map(Some),
            _ => Err(failure(answer).await),
        }
    }

    /// Reads an older version of a key, as [`Client::history`] names it.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the node does not have that revision.
    pub async fn get_revision(&self, key: &str, uuid: Uuid) -> Result<Stored, ClientError> {
        let mut url = self.key_url(key)?;
        add(&mut url, "revision", Some(&uuid.to_string()));
        self.call(self.request(Method::GET, url)).await
    }

    /// Reads a key's value without an envelope: the shortest way to bytes.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_raw(&self, key: &str) -> Result<Raw, ClientError> {
        let mut url = self.key_url(key)?;
        url.set_query(Some("raw"));
        let answer = self.send(self.request(Method::GET, url)).await?;
        let head = head(answer.headers());
        let content_type = content_type(&answer).unwrap_or(JSON_CONTENT_TYPE).to_owned();
        Ok(Raw { head, content_type, data: read(answer).await? })
    }

    /// Asks whether a key has a value, and which version. `None` where it has none, or none that
    /// the caller may read.
    ///
    /// # Errors
    /// [`ClientError::UnexpectedAnswer`] for a refusal: an answer to HEAD has no body to explain.
    pub async fn head(&self, key: &str) -> Result<Option<Head>, ClientError> {
        let answer = self.send_any(self.request(Method::HEAD, self.key_url(key)?)).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(head(answer.headers()))),
            _ => Err(failure(answer).await),
        }
    }

    /// Writes a key, whatever is there.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the value or the write is refused.
    pub async fn put(&self, key: &str, value: Value) -> Result<Written, ClientError> {
        self.put_with(key, value, &PutOptions::default()).await
    }

    /// Writes a key with a time to live or under a condition.
    ///
    /// # Errors
    /// As [`Client::put`]; status 412 where the condition does not hold.
    pub async fn put_with(
        &self,
        key: &str,
        value: Value,
        options: &PutOptions,
    ) -> Result<Written, ClientError> {
        let mut url = self.key_url(key)?;
        add(&mut url, "ttl", options.ttl.as_deref());
        let request = conditional(self.request(Method::PUT, url), options.condition);
        self.call(with_value(request, value)?).await
    }

    /// Changes parts of a JSON value: members of `patch` replace, `null` removes (RFC 7396).
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the patch or the write is refused.
    pub async fn patch<T: Serialize + ?Sized>(
        &self,
        key: &str,
        patch: &T,
    ) -> Result<Written, ClientError> {
        let request = self.request(Method::PATCH, self.key_url(key)?);
        self.call(json_as(request, MERGE_PATCH, patch)?).await
    }

    /// Deletes a key, whatever is there.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with an absence where nothing is stored.
    pub async fn delete(&self, key: &str) -> Result<(), ClientError> {
        self.delete_with(key, Condition::Always).await
    }

    /// Deletes a key under a condition.
    ///
    /// # Errors
    /// As [`Client::delete`]; status 412 where the condition does not hold.
    pub async fn delete_with(&self, key: &str, condition: Condition) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, self.key_url(key)?);
        self.send(conditional(request, condition)).await.map(drop)
    }

    /// Writes an older version of a key back, as a new version.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the node does not have that revision.
    pub async fn restore(&self, key: &str, uuid: Uuid) -> Result<Written, ClientError> {
        let request = self.request(Method::POST, self.sub_url(key, "_restore")?);
        self.call(json(request, &RestoreRequest { uuid })?).await
    }

    /// Reads the metadata that governs a key or prefix.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the caller may not read it.
    pub async fn metadata(&self, key: &str) -> Result<Metadata, ClientError> {
        self.call(self.request(Method::GET, self.below_url(key, "_metadata")?)).await
    }

    /// Sets parts of the metadata of a key or prefix, and answers all of it.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where a field or the change is refused.
    pub async fn patch_metadata(
        &self,
        key: &str,
        patch: &MetadataPatch,
    ) -> Result<Metadata, ClientError> {
        let request = self.request(Method::PATCH, self.below_url(key, "_metadata")?);
        self.call(json(request, patch)?).await
    }

    /// Does up to 1,000 operations, each checked and atomic on its own; answers in their order.
    ///
    /// # Errors
    /// Only when the batch as a whole is refused; what became of an item is in its result.
    pub async fn batch(&self, items: Vec<BatchItem>) -> Result<Vec<BatchResult>, ClientError> {
        let request = self.request(Method::POST, self.route("kv/_batch"));
        let answer: BatchResponse = self.call(json(request, &BatchRequest { items })?).await?;
        Ok(answer.items)
    }
}

fn head(headers: &HeaderMap) -> Head {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    Head {
        uuid: text(ETAG).and_then(|tag| tag.trim_matches('"').parse().ok()),
        last_modified: text(LAST_MODIFIED).map(str::to_owned),
    }
}

fn conditional(request: RequestBuilder, condition: Condition) -> RequestBuilder {
    match condition.header() {
        Some((name, value)) => request.header(name, value),
        None => request,
    }
}
