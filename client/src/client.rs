//! The client: where the server is, who calls, and how an answer becomes a value or an error.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Method, RequestBuilder, Response, Url,
    header::{CONTENT_TYPE, HeaderValue},
    redirect::Policy,
};
use serde::de::DeserializeOwned;

use crate::{ClientError, PROBLEM_CONTENT_TYPE, Problem};

mod address;
mod backups;
mod body;
pub(crate) mod values;

mod cluster;
mod lists;
mod node;
pub(crate) mod options;
pub(crate) mod watch;

#[cfg(test)]
mod tests;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer, or a stream, may be silent. Streams send heartbeats more often than that.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// How much of an answer that is not understood an error quotes, in characters.
const EXCERPT: usize = 200;

/// A client of one server. Cheap to clone: clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    /// Marked sensitive, so that no debug output shows it.
    authorization: Option<HeaderValue>,
}

impl Client {
    /// A client of the server at `base_url`, for example `http://127.0.0.1:8080`, that sends
    /// `token` with every request. A path in the address is kept: a server may live below one.
    ///
    /// # Errors
    /// [`ClientError::BaseUrl`] and [`ClientError::Token`]. Nothing is sent yet.
    pub fn new(base_url: &str, token: Option<&str>) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            // The API never redirects, and a token must not follow to where it was not given.
            .redirect(Policy::none())
            .user_agent(concat!("kvs-client/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| address::refused(base_url, error.to_string()))?;
        Self::with_http(base_url, token, http)
    }

    /// As [`Client::new`], over an HTTP client of the caller's: for other time limits, or for TLS.
    ///
    /// # Errors
    /// [`ClientError::BaseUrl`] and [`ClientError::Token`].
    pub fn with_http(
        base_url: &str,
        token: Option<&str>,
        http: reqwest::Client,
    ) -> Result<Self, ClientError> {
        let base = address::base(base_url)?;
        let authorization = token.map(bearer).transpose()?;
        Ok(Self { http, base, authorization })
    }

    /// Where the server is.
    pub fn base_url(&self) -> &Url {
        &self.base
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.authorization {
            Some(value) => request.header(reqwest::header::AUTHORIZATION, value),
            None => request,
        }
    }

    /// Sends a request and reads its answer's JSON.
    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        decode(self.send(request).await?).await
    }

    /// Sends a request; an answer other than 2xx is an error.
    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let answer = self.send_any(request).await?;
        if answer.status().is_success() { Ok(answer) } else { Err(failure(answer).await) }
    }

    /// Sends a request, whatever the status of its answer.
    async fn send_any(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let base = || self.base.clone();
        let request = request.build().map_err(|error| ClientError::transport(base(), error))?;
        let url = request.url().clone();
        self.http.execute(request).await.map_err(|error| ClientError::transport(url, error))
    }
}

fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    let mut value =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_invalid| ClientError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read(answer: Response) -> Result<Bytes, ClientError> {
    let url = answer.url().clone();
    answer.bytes().await.map_err(|error| ClientError::transport(url, error))
}

async fn decode<T: DeserializeOwned>(answer: Response) -> Result<T, ClientError> {
    let (url, status) = (answer.url().clone(), answer.status().as_u16());
    serde_json::from_slice(&read(answer).await?)
        .map_err(|error| ClientError::unexpected(url, status, error.to_string()))
}

/// The error that an answer other than 2xx stands for.
async fn failure(answer: Response) -> ClientError {
    let (url, status) = (answer.url().clone(), answer.status().as_u16());
    let is_problem =
        content_type(&answer).is_some_and(|kind| kind.starts_with(PROBLEM_CONTENT_TYPE));
    let text = match read(answer).await {
        Ok(text) => text,
        Err(error) => return error,
    };
    match serde_json::from_slice::<Problem>(&text) {
        Ok(problem) if is_problem => ClientError::Problem(Box::new(problem)),
        _ => ClientError::unexpected(url, status, excerpt(&text)),
    }
}

fn content_type(answer: &Response) -> Option<&str> {
    answer.headers().get(CONTENT_TYPE)?.to_str().ok()
}

fn excerpt(body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(body).chars().take(EXCERPT).collect();
    if text.is_empty() { "an empty body".to_owned() } else { format!("{text:?}") }
}
