//! The address of a route.

use kvs_core::Key;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;

use super::Client;
use crate::ClientError;

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Reads the address of a server; routes go below its path.
pub(super) fn base(text: &str) -> Result<Url, ClientError> {
    let mut url = Url::parse(text).map_err(|error| refused(text, error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        let reason = format!("it begins with http:// or https://, not {}:", url.scheme());
        return Err(refused(text, reason));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused(text, "it has neither '?' nor '#'"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(text, "it has no user name or password; credentials are a token"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

pub(super) fn refused(url: &str, reason: impl Into<String>) -> ClientError {
    ClientError::BaseUrl { url: url.to_owned(), reason: reason.into() }
}

impl Client {
    /// The address of a key itself.
    pub(super) fn key_url(&self, key: &str) -> Result<Url, ClientError> {
        let path = format!("kv{}", encode(key)?);
        Ok(self.route(&path))
    }

    /// The address of a key's sub-resource, for example `_history`.
    pub(super) fn sub_url(&self, key: &str, name: &str) -> Result<Url, ClientError> {
        let path = format!("kv{}/{name}", encode(key)?);
        Ok(self.route(&path))
    }

    /// The address of a prefix's sub-resource, for example `_ls`; no segment at all is the root.
    pub(super) fn below_url(&self, prefix: &str, name: &str) -> Result<Url, ClientError> {
        match prefix {
            "" | "/" => Ok(self.route(&format!("kv/{name}"))),
            prefix => self.sub_url(prefix, name),
        }
    }

    /// The address of a route whose path needs no encoding.
    pub(super) fn route(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let below = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{below}/{path}"));
        url
    }
}

/// The path of a key, each segment encoded by itself behind its slash. Checking the key first also
/// keeps `..` from walking to another route.
fn encode(key: &str) -> Result<String, ClientError> {
    let text = key.strip_prefix('/').unwrap_or(key);
    let parsed =
        Key::client(text).map_err(|source| ClientError::Key { key: key.to_owned(), source })?;
    let mut path = String::with_capacity(text.len() + 1);
    for segment in parsed.segments() {
        path.push('/');
        path.extend(utf8_percent_encode(segment, RESERVED));
    }
    Ok(path)
}

/// Adds a query parameter where there is a value for it.
pub(super) fn add(url: &mut Url, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        url.query_pairs_mut().append_pair(name, value);
    }
}
