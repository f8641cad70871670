//! Which node a client command speaks with, and how it prints the answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use kvs_client::Client;

use super::config::sources;
use super::failure::Failure;
use super::start::registry;
use super::stop::Target;
use crate::config::Environment;
use crate::daemon::State;
use crate::server;

/// Where a node answers if nothing else is said.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

const CA_HELP: &str =
    "Certificates in PEM to trust the node by, instead of the system's [env: KVS_CA]";

const CERT_HELP: &str =
    "Certificate and key, both in this file in PEM, that say who asks [env: KVS_CERT]";

const SERVER_HELP: &str = "Address of the node, or unix:PATH for its admin.sock [env: KVS_SERVER] \
                           [default: http://127.0.0.1:8080]";

const LOCAL_HELP: &str = "Ask as the owner of the data of a node on this machine, by its \
                          configuration or name: no token is needed";

/// What an address begins with that is a socket.
const SOCKET: &str = "unix:";

/// As in `kvs_client`, whose own HTTP client cannot be told about proxies.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// Options of every client command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Node")]
pub(super) struct Remote {
    #[arg(long, value_name = "URL", help = SERVER_HELP)]
    pub(super) server: Option<String>,

    #[arg(long, value_name = "FILE", help = CA_HELP)]
    ca: Option<PathBuf>,

    #[arg(long, value_name = "FILE", help = CERT_HELP)]
    cert: Option<PathBuf>,

    #[arg(long, help = "Token that says who asks [env: KVS_TOKEN]")]
    token: Option<String>,

    #[arg(long, value_name = "CONFIG", help = LOCAL_HELP, conflicts_with_all = ["server", "token", "cert"])]
    pub(super) local: Option<PathBuf>,

    /// Print JSON, one object a line
    #[arg(long)]
    pub(super) json: bool,
}

impl Remote {
    pub(super) fn client(&self, environment: &Environment) -> Result<Client, Failure> {
        if let Some(config) = &self.local {
            return by_socket(&data_dir(config, environment)?.join(server::SOCKET), READ_TIMEOUT);
        }
        let server = self.server.as_deref().or(environment.server.as_deref());
        let token = self.token.as_deref().or(environment.token.as_deref());
        let ca = self.ca.as_deref().or(environment.ca.as_deref());
        let cert = self.cert.as_deref().or(environment.cert.as_deref());
        let files = Files { ca, cert };
        with_files(&files, server.unwrap_or(DEFAULT_SERVER), token, READ_TIMEOUT)
    }
}

/// The data directory of a node: of the one that runs under that name, else as its configuration says.
pub(super) fn data_dir(config: &Path, environment: &Environment) -> Result<PathBuf, Failure> {
    let target = Target::new(Some(config))?;
    if let Ok(State::Running { record: Some(record), .. }) = target.state(&registry(environment)?) {
        return Ok(record.data_dir);
    }
    let sources = sources(Some(config), environment.clone(), Vec::new())?;
    Ok(sources.load()?.settings.data_dir)
}

/// A client of the node whose socket this is, as the owner of its data.
pub(super) fn by_socket(path: &Path, timeout: Duration) -> Result<Client, Failure> {
    if !path.exists() {
        let path = path.display();
        return Err(Failure::new(format!("there is no {path}: does the node run there?")));
    }
    let http = builder(timeout).no_proxy().unix_socket(path).build();
    let http = http.map_err(|error| Failure::of(&error))?;
    Ok(Client::with_http("http://localhost", None, http)?)
}

/// A client of a node; one on this machine is never reached through a proxy.
pub(super) fn client(
    server: &str,
    token: Option<&str>,
    timeout: Duration,
) -> Result<Client, Failure> {
    with_files(&Files::default(), server, token, timeout)
}

/// By what a node is trusted, and what it is shown.
#[derive(Debug, Default)]
struct Files<'a> {
    ca: Option<&'a Path>,
    cert: Option<&'a Path>,
}

fn with_files(
    files: &Files<'_>,
    server: &str,
    token: Option<&str>,
    timeout: Duration,
) -> Result<Client, Failure> {
    if let Some(path) = server.strip_prefix(SOCKET) {
        return by_socket(Path::new(path), timeout);
    }
    let mut http = builder(timeout);
    if is_local(server) {
        http = http.no_proxy();
    }
    if let Some(path) = files.ca {
        http = http.tls_certs_only(certificates(path)?);
    }
    if let Some(path) = files.cert {
        http = http.identity(identity(path)?);
    }
    let http = http.build().map_err(|error| Failure::of(&error))?;
    Ok(Client::with_http(server, token, http)?)
}

fn builder(timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .read_timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
}

fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, Failure> {
    let refused = |why: String| Failure::new(format!("cannot trust by {}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    let found = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| refused(e.to_string()))?;
    if found.is_empty() { Err(refused("no certificate is in it".to_owned())) } else { Ok(found) }
}

fn identity(path: &Path) -> Result<reqwest::Identity, Failure> {
    let refused = |why: String| Failure::new(format!("cannot show {}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    reqwest::Identity::from_pem(&pem)
        .map_err(|_why| refused("it has no certificate with its key in PEM".to_owned()))
}

fn is_local(server: &str) -> bool {
    let url = reqwest::Url::parse(server).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
    host == "localhost" || host == "[::1]" || host.starts_with("127.")
}
