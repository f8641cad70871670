//! The servers that are measured: each started on loopback with a folder of its own, which is
//! gone with it.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    bare::Answer,
    target::{Endpoint, Protocol, TargetError},
};

mod fleet;
mod guard;
mod product;

pub use fleet::{Fleet, LeftOut};
pub use product::{Product, Programs};

use product::Ports;

/// How long a server may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How often it is asked meanwhile.
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// How long a server may take to end before it is killed.
const ENDED_WITHIN: Duration = Duration::from_secs(20);

/// Where a server writes what it says.
const LOG: &str = "server.log";

/// Why a server cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// There is no such program.
    #[error("there is no {program}: {reason}")]
    Missing {
        /// Where it was looked for.
        program: PathBuf,
        /// What the installation said.
        reason: String,
    },
    /// Its folder, files or process could not be made.
    #[error("cannot start {product}")]
    Start {
        /// Which.
        product: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// It ended instead of becoming ready.
    #[error("{product} ended at once: {said}")]
    Ended {
        /// Which.
        product: &'static str,
        /// The last line of its log.
        said: String,
    },
    /// It did not become ready in time.
    #[error("{product} is not ready after {READY_WITHIN:?}")]
    NotReady {
        /// Which.
        product: &'static str,
        /// What it answered last.
        source: TargetError,
    },
}

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    product: Product,
    address: SocketAddr,
    folder: TempDir,
    token: Option<&'static str>,
}

impl Server {
    /// Starts a server with its data below `place` and waits until it is ready.
    ///
    /// The bare handler needs the answer that it is to repeat, the others take none.
    pub async fn start(
        product: Product,
        programs: &Programs,
        place: &Path,
        answer: Option<&Answer>,
    ) -> Result<Self, ServerError> {
        programs.check(product)?;
        let failed = |source| ServerError::Start { product: product.name(), source };
        let folder = makefolder(place, answer).map_err(failed)?;
        let ports =
            Ports { clients: free_port().map_err(failed)?, peers: free_port().map_err(failed)? };
        let child = spawn(product, programs, folder.path(), ports).map_err(failed)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.clients));
        let mut server = Self { child, product, address, folder, token: None };
        server.wait_until_ready().await?;
        if product == Product::KvsGuarded {
            let data = server.folder.path().join("data");
            let token = guard::admit(&programs.kvs, &data).await.map_err(failed)?;
            server.token = Some(token.leak());
        }
        Ok(server)
    }

    /// Which server it is.
    pub fn product(&self) -> Product {
        self.product
    }

    /// How to talk to it.
    pub fn endpoint(&self, protocol: Protocol) -> Endpoint {
        Endpoint { protocol, address: self.address, token: self.token }
    }

    /// Its process.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks it to end, and kills it if it does not.
    pub async fn stop(mut self) {
        let process = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(process) = process {
            kill_process(process, Signal::TERM).ok();
        }
        if timeout(ENDED_WITHIN, self.child.wait()).await.is_err() {
            self.child.kill().await.ok();
        }
    }

    async fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let product = self.product.name();
        let deadline = Instant::now() + READY_WITHIN;
        let endpoint = self.endpoint(self.product.protocol());
        loop {
            let Err(source) = attempt(endpoint).await else { return Ok(()) };
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return Err(ServerError::Ended { product, said: self.last_words() });
            }
            if Instant::now() > deadline {
                return Err(ServerError::NotReady { product, source });
            }
            sleep(ASKED_EVERY).await;
        }
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default();
        log.lines().last().unwrap_or("it said nothing").to_owned()
    }
}

/// One question whether the server is ready; clients that would wait for long are cut off.
async fn attempt(endpoint: Endpoint) -> Result<(), TargetError> {
    timeout(Duration::from_secs(5), endpoint.prepare()).await.unwrap_or(Err(TargetError::Closed))
}

fn makefolder(place: &Path, answer: Option<&Answer>) -> io::Result<TempDir> {
    fs::create_dir_all(place)?;
    let folder = tempfile::Builder::new().prefix("kvs-bench-").tempdir_in(place)?;
    if let Some(answer) = answer {
        answer.write(&folder.path().join(product::ANSWER))?;
    }
    Ok(folder)
}

fn spawn(product: Product, programs: &Programs, folder: &Path, ports: Ports) -> io::Result<Child> {
    let log = File::create(folder.join(LOG))?;
    let mut command = Command::new(programs.path(product));
    command.args(product.arguments(folder, ports)?).current_dir(folder).env("HOME", folder);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
    command.spawn()
}

/// A port that was free a moment ago; none of the servers can be told to choose one and say so.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests;
