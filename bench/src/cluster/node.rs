use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use bytes::Bytes;
use hyper::Method;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::{ASKED_EVERY, ClusterError, Status, Traffic};
use crate::{
    machine::resident_bytes,
    target::{Endpoint, HttpConnection, KvsSession, Protocol, Session, TargetError},
};

/// How long a node may take to end before it is killed.
const ENDED_WITHIN: Duration = Duration::from_mins(1);

/// A node with a folder of its own. It is killed and its data removed when this is dropped.
#[derive(Debug)]
pub struct Node {
    child: Option<Child>,
    program: PathBuf,
    clients: u16,
    peers: u16,
    folder: TempDir,
}

impl Node {
    /// Starts a node with its data below `place`, which joins `seed` if there is one; does not wait.
    pub fn start(program: &Path, place: &Path, seed: Option<&Self>) -> Result<Self, ClusterError> {
        fs::create_dir_all(place)?;
        let folder = tempfile::Builder::new().prefix("kvs-bench-").tempdir_in(place)?;
        let (clients, peers) = (free_port()?, free_port_of_peers()?);
        let mut node = Self { child: None, program: program.to_owned(), clients, peers, folder };
        fs::write(node.config(), node.settings(seed))?;
        node.start_again()?;
        Ok(node)
    }

    /// Starts a node that was stopped, on the data that it had; does not wait.
    pub fn start_again(&mut self) -> Result<(), ClusterError> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new(&self.program);
        command.arg("run").arg(self.config()).current_dir(self.folder.path());
        command.env("HOME", self.folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        self.child = Some(command.spawn()?);
        Ok(())
    }

    /// Asks it to end, and kills it if it does not. Its data stay.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let process = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(process) = process {
            kill_process(process, Signal::TERM).ok();
        }
        if timeout(ENDED_WITHIN, child.wait()).await.is_err() {
            child.kill().await.ok();
        }
    }

    /// Waits until it serves clients; says how long that took.
    pub async fn wait_until_ready(&mut self, within: Duration) -> Result<Duration, ClusterError> {
        let start = Instant::now();
        loop {
            let Err(error) = self.is_ready().await else { return Ok(start.elapsed()) };
            if let Some(child) = &mut self.child
                && child.try_wait()?.is_some()
            {
                return Err(ClusterError::Ended(self.last_words()));
            }
            if start.elapsed() > within {
                let (what, seen) = ("a node is ready", error.to_string());
                return Err(ClusterError::NotWithin { what, after: within, seen });
            }
            sleep(ASKED_EVERY).await;
        }
    }

    /// How to talk to it.
    pub fn endpoint(&self) -> Endpoint {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.clients));
        Endpoint { protocol: Protocol::Kvs, address, token: None }
    }

    /// How it and its peers are.
    pub async fn status(&self) -> Result<Status, TargetError> {
        Ok(serde_json::from_slice(&self.ask(Method::GET, "/cluster").await?)?)
    }

    /// Has it compare itself with all others now.
    pub async fn compare(&self) -> Result<(), TargetError> {
        self.ask(Method::POST, "/cluster/sync").await.map(drop)
    }

    /// What went between it and its peers since it started.
    pub async fn traffic(&self) -> Result<Traffic, TargetError> {
        let metrics = self.ask(Method::GET, "/metrics").await?;
        Ok(Traffic::of_metrics(&String::from_utf8_lossy(&metrics)))
    }

    /// Bytes of memory that it has in RAM.
    pub fn resident_bytes(&self) -> Option<u64> {
        resident_bytes(self.child.as_ref()?.id()?)
    }

    async fn is_ready(&self) -> Result<(), TargetError> {
        KvsSession::connect(self.endpoint().address).await?.ready().await
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Bytes, TargetError> {
        let mut connection = HttpConnection::connect(self.endpoint().address).await?;
        connection.succeed(method, path, Bytes::new()).await
    }

    /// The file has the port in its name, since a node keeps instances apart by that.
    fn config(&self) -> PathBuf {
        self.folder.path().join(format!("bench-{}.yaml", self.clients))
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn settings(&self, seed: Option<&Self>) -> String {
        let Self { clients, peers, folder, .. } = self;
        let data = folder.path().join("data").display().to_string();
        let seeds =
            seed.map(|seed| format!("\"peer://127.0.0.1:{}\"", seed.peers)).unwrap_or_default();
        format!(
            "port: {clients}\npeer_port: {peers}\nbind_address: 127.0.0.1\ndata_dir: {data}\n\
             durability: sync\nauth_enabled: false\ntamper_logging_enabled: false\nseed_nodes: [{seeds}]\n"
        )
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().last().unwrap_or("it said nothing").to_owned()
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Peers talk over TCP and gossip over UDP on the same number.
fn free_port_of_peers() -> io::Result<u16> {
    loop {
        let port = free_port()?;
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
}
