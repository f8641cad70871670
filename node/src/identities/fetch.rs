//! The one way in which others are asked about identities: to an address of the configuration or on
//! an issuer's own host, over TLS or within this machine, without following redirects, through no
//! proxy, for a bounded time and a bounded answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

/// How long an answer may take, from the first look-up of a name to its last byte.
pub(super) const WITHIN: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
pub(super) const MOST: usize = 1 << 20;

/// Why somebody outside cannot be asked.
#[derive(Debug, Error)]
pub enum FetchError {
    /// A file that is needed cannot be read.
    #[error("cannot read {path}: {reason}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No address.
    #[error("{0} is no address")]
    Address(String),
    /// The request failed.
    #[error("{url} does not answer: {reason}")]
    Failed {
        /// Who was asked.
        url: String,
        /// Why.
        reason: String,
    },
    /// It leads elsewhere, where nothing follows.
    #[error("{0} answers with a redirect, which is not followed")]
    Redirects(String),
    /// It answers something else than 200 or 201.
    #[error("{url} answers with status {status}")]
    Status {
        /// Who was asked.
        url: String,
        /// What they said.
        status: u16,
    },
    /// It answers more than is read.
    #[error("{0} answers with more than {MOST} bytes")]
    TooLarge(String),
    /// It answers something else than it should.
    #[error("{url} answers with something else than {what}: {reason}")]
    Malformed {
        /// Who was asked.
        url: String,
        /// What was wanted.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// It says to be somebody else.
    #[error("{url} describes the issuer {found:?}")]
    Another {
        /// Who was asked.
        url: String,
        /// Who it says to be.
        found: String,
    },
    /// It sends us to another host than its own.
    #[error(
        "{url} says that the keys are at {found}, on another host or port than the issuer; if that \
         is right, set jwks_uri to it"
    )]
    Elsewhere {
        /// Who was asked.
        url: String,
        /// Where they send us.
        found: String,
    },
}

/// Who asks: by what certificates the others are trusted, and what they are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetcher {
    /// Certificates in PEM; else the system's.
    pub(super) ca_file: Option<PathBuf>,
    /// A token to show.
    pub(super) token_file: Option<PathBuf>,
}

impl Fetcher {
    /// Reads a JSON document.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        url: &Url,
        what: &'static str,
    ) -> Result<T, FetchError> {
        let client = self.client(url).await?;
        self.ask(url, client.get(url.clone()), what).await
    }

    /// Sends a JSON document and reads the one that is answered.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        url: &Url,
        body: &Value,
        what: &'static str,
    ) -> Result<T, FetchError> {
        let client = self.client(url).await?;
        let request = client.post(url.clone()).header(CONTENT_TYPE, "application/json");
        self.ask(url, request.body(body.to_string()), what).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        url: &Url,
        request: RequestBuilder,
        what: &'static str,
    ) -> Result<T, FetchError> {
        let mut request = request.header(ACCEPT, "application/json");
        if let Some(path) = &self.token_file {
            let token = read(path).await?;
            request = request.bearer_auth(String::from_utf8_lossy(&token).trim());
        }
        let body = answer(url, request).await?;
        serde_json::from_slice(&body).map_err(|error| FetchError::Malformed {
            url: url.to_string(),
            what,
            reason: error.to_string(),
        })
    }

    /// A client for one request: its files may be others at the next one, and there are few.
    async fn client(&self, url: &Url) -> Result<Client, FetchError> {
        let mut builder = Client::builder()
            .timeout(WITHIN)
            .no_proxy()
            .referer(false)
            .redirect(redirect::Policy::none())
            .https_only(url.scheme() == "https");
        if let Some(path) = &self.ca_file {
            let refused = |reason: String| FetchError::File { path: path.clone(), reason };
            let authorities = reqwest::Certificate::from_pem_bundle(&read(path).await?);
            builder = builder.tls_certs_only(authorities.map_err(|e| refused(e.to_string()))?);
        }
        builder.build().map_err(|error| failed(url, &error))
    }
}

async fn answer(url: &Url, request: RequestBuilder) -> Result<Bytes, FetchError> {
    let mut response = request.send().await.map_err(|error| failed(url, &error))?;
    let status = response.status();
    if status.is_redirection() {
        return Err(FetchError::Redirects(url.to_string()));
    }
    if !matches!(status, StatusCode::OK | StatusCode::CREATED) {
        return Err(FetchError::Status { url: url.to_string(), status: status.as_u16() });
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, &error))? {
        if body.len() + chunk.len() > MOST {
            return Err(FetchError::TooLarge(url.to_string()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// An address of the configuration.
pub(super) fn address(text: &str) -> Result<Url, FetchError> {
    Url::parse(text).map_err(|_why| FetchError::Address(text.to_owned()))
}

async fn read(path: &Path) -> Result<Vec<u8>, FetchError> {
    let read = tokio::fs::read(path).await;
    read.map_err(|error| FetchError::File { path: path.to_owned(), reason: error.to_string() })
}

fn failed(url: &Url, error: &reqwest::Error) -> FetchError {
    // What lies beneath says more than that a request failed.
    let mut beneath: &dyn std::error::Error = error;
    while let Some(source) = beneath.source() {
        beneath = source;
    }
    FetchError::Failed { url: url.to_string(), reason: beneath.to_string() }
}
