//! A bucket of S3.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use kvs_config::{BackupS3, check_endpoint};
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::client::{ClientOptions, HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, RetryConfig};
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Handle;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tokio_util::sync::CancellationToken;

use super::{Shelf, ShelfError, Stored, is_name};
use crate::config::S3Variables;

/// Bytes of a part: S3 takes 10,000 of them, so 160 GB.
const PART: usize = 16 << 20;
/// Parts on the way at once.
const PARTS: usize = 2;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request is tried again, and for how long.
const RETRIES: (usize, Duration) = (3, Duration::from_secs(30));
/// Where nobody names another.
const REGION: &str = "us-east-1";

/// Why it is not known how to reach a bucket.
#[derive(Debug, Error)]
pub enum S3Error {
    /// There is no key to sign requests with.
    #[error(
        "there is no key for {0}: set access_key_id and secret_access_key_file under backup_s3, or \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
    )]
    NoKey(String),
    /// The secret cannot be read.
    #[error("cannot read the secret key in {path}", path = .path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address in the environment is not allowed.
    #[error("AWS_ENDPOINT_URL: {endpoint} is not allowed: {source}")]
    Endpoint {
        /// The address.
        endpoint: String,
        /// Why.
        source: kvs_config::TargetError,
    },
    /// The client cannot be made.
    #[error("cannot prepare requests to {place}")]
    Client {
        /// The bucket.
        place: String,
        /// Why.
        source: object_store::Error,
    },
}

/// What begins with a prefix in a bucket.
#[derive(Debug)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    shown: String,
    runtime: Handle,
}

/// A key that signs requests. Shows nothing of itself.
struct Credentials {
    id: String,
    secret: String,
    token: Option<String>,
}

impl Bucket {
    /// The bucket, reached as the settings say, and where they are silent the environment.
    ///
    /// # Errors
    ///
    /// There is no key, or the endpoint is not allowed. Nothing is sent yet.
    pub fn open(
        bucket: &str,
        prefix: &str,
        settings: &BackupS3,
        variables: &S3Variables,
        runtime: Handle,
    ) -> Result<Self, S3Error> {
        let shown = if prefix.is_empty() {
            format!("s3://{bucket}")
        } else {
            format!("s3://{bucket}/{prefix}")
        };
        let key = credentials(settings, variables, &shown)?;
        let region = settings.region.as_ref().or(variables.region.as_ref());
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(region.map_or(REGION, String::as_str))
            .with_access_key_id(key.id)
            .with_secret_access_key(key.secret)
            .with_http_connector(Connector)
            .with_retry(RetryConfig {
                max_retries: RETRIES.0,
                retry_timeout: RETRIES.1,
                ..RetryConfig::default()
            });
        if let Some(token) = key.token {
            builder = builder.with_token(token);
        }
        if let Some(endpoint) = endpoint(settings, variables)? {
            // The one that is checked: http only on this machine.
            builder = builder.with_endpoint(endpoint).with_allow_http(true);
        }
        let failed = |source| S3Error::Client { place: shown.clone(), source };
        let store = Arc::new(builder.build().map_err(failed)?);
        Ok(Self { store, prefix: Path::from(prefix), shown, runtime })
    }

    fn path(&self, file: &str) -> Path {
        self.prefix.clone().join(file)
    }

    fn failed(&self, what: &str, file: &str, error: object_store::Error) -> ShelfError {
        match error {
            object_store::Error::NotFound { .. } => {
                ShelfError::Absent { place: self.shown.clone(), file: file.to_owned() }
            }
            error => ShelfError::failed(&self.shown, format!("{what} {file} in"), error),
        }
    }
}

fn credentials(
    settings: &BackupS3,
    variables: &S3Variables,
    place: &str,
) -> Result<Credentials, S3Error> {
    if let (Some(id), Some(path)) = (&settings.access_key_id, &settings.secret_access_key_file) {
        let secret = std::fs::read_to_string(path)
            .map_err(|source| S3Error::Secret { path: path.clone(), source })?;
        let secret = secret.trim().to_owned();
        return Ok(Credentials { id: id.clone(), secret, token: None });
    }
    let key = variables.access_key_id.clone().zip(variables.secret_access_key.clone());
    let (id, secret) = key.ok_or_else(|| S3Error::NoKey(place.to_owned()))?;
    Ok(Credentials { id, secret, token: variables.session_token.clone() })
}

fn endpoint(settings: &BackupS3, variables: &S3Variables) -> Result<Option<String>, S3Error> {
    if let Some(endpoint) = &settings.endpoint {
        return Ok(Some(endpoint.trim_end_matches('/').to_owned()));
    }
    let Some(endpoint) = &variables.endpoint else { return Ok(None) };
    check_endpoint(endpoint)
        .map_err(|source| S3Error::Endpoint { endpoint: endpoint.clone(), source })?;
    Ok(Some(endpoint.trim_end_matches('/').to_owned()))
}

/// Makes the HTTP client: it goes where the configuration points and nowhere else.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("kvs/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .build();
        let failed = |error| object_store::Error::Generic { store: "S3", source: Box::new(error) };
        Ok(HttpClient::new(client.map_err(failed)?))
    }
}

/// Sends what is written, and waits while too much is on its way.
struct Feed<'a> {
    writer: BufWriter,
    runtime: &'a Handle,
    stop: &'a CancellationToken,
}

impl Write for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (stop, runtime) = (self.stop, self.runtime);
        let written = runtime.block_on(stop.run_until_cancelled(self.writer.write(bytes)));
        written.ok_or_else(|| io::Error::other("the node is stopping"))?
    }

    fn flush(&mut self) -> io::Result<()> {
        // What is less than a part is sent at the end.
        Ok(())
    }
}

impl Shelf for Bucket {
    fn list(&self) -> Result<Vec<Stored>, ShelfError> {
        let prefix = Some(&self.prefix).filter(|prefix| prefix.parts().count() > 0);
        let listed = self.runtime.block_on(self.store.list_with_delimiter(prefix));
        let listed = listed.map_err(|error| self.failed("list", "what is", error))?;
        let stored = |object: object_store::ObjectMeta| {
            let file = object.location.filename()?.to_owned();
            Some(Stored { file, size: object.size })
        };
        Ok(listed.objects.into_iter().filter_map(stored).collect())
    }

    fn open(&self, file: &str) -> Result<Box<dyn Read + Send>, ShelfError> {
        if !is_name(file) {
            return Err(ShelfError::Absent { place: self.shown.clone(), file: file.to_owned() });
        }
        let got = self.runtime.block_on(self.store.get(&self.path(file)));
        let got = got.map_err(|error| self.failed("read", file, error))?;
        let stream = got.into_stream().map_err(io::Error::other);
        let reader = StreamReader::new(stream);
        Ok(Box::new(SyncIoBridge::new_with_handle(reader, self.runtime.clone())))
    }

    fn write(
        &self,
        file: &str,
        stop: &CancellationToken,
        fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), ShelfError> {
        let writer = BufWriter::with_capacity(self.store.clone(), self.path(file), PART);
        let writer = writer.with_max_concurrency(PARTS);
        let mut feed = Feed { writer, runtime: &self.runtime, stop };
        let filled = fill(&mut feed).and_then(|()| {
            let (stop, runtime) = (feed.stop, feed.runtime);
            let sent = runtime.block_on(stop.run_until_cancelled(feed.writer.shutdown()));
            sent.ok_or_else(|| io::Error::other("the node is stopping"))?
        });
        filled.map_err(|error| {
            // Parts that were sent take room until they are given up, here or by the bucket's rules.
            let _ = self.runtime.block_on(feed.writer.abort());
            ShelfError::failed(&self.shown, format!("write {file} in"), error)
        })
    }

    fn delete(&self, file: &str) -> Result<(), ShelfError> {
        match self.runtime.block_on(self.store.delete(&self.path(file))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("delete", file, error)),
        }
    }

    fn tidy(&self, _prefix: &str) -> Result<(), ShelfError> {
        // What was not sent to its end is not there.
        Ok(())
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
