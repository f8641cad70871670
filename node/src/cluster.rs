//! What makes a node a member of a cluster: the secret, the port for peers, replication and
//! membership, put together.

mod address;
mod birth;
mod describe;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use kvs_client::ClusterFile;
use kvs_config::{Seed, Settings};
use kvs_core::digest::DigestKey;
use kvs_core::engine::{Config, Engine, ForgetError, Input, Now, Resumed, UpgradeError};
use kvs_core::members::Standing as Counted;
use kvs_core::membership::{BootId, Event, Incarnation, Member, State};
use kvs_core::seal::KeyRing;
use kvs_core::wire::PROTOCOL;
use kvs_core::{Format, NodeId};
use thiserror::Error;
use tokio::sync::{broadcast, oneshot, watch};
use uuid::Uuid;

pub use birth::of_its_own as secret_of_its_own;
pub use describe::{convergence, life, status};

use crate::audit;
use crate::config;
use crate::local::{self, Identity};
use crate::membership::{self, Membership, Parts};
use crate::node::Node;
use crate::peer::{
    Credentials, CredentialsError, PeerClient, PeerFigures, PeerLimits, PeerName, PeerServer,
    PeerServing, Trust,
};
use crate::replication::driver::{Committer, Job};
use crate::replication::{
    Driver, EngineHandle, Figures, Handler, Links, NodeHost, Observed, Standing,
};
use crate::server::BindError;
use crate::store::{Column, Store, StoreError};
use crate::writer::SubmitError;

/// How long a node that stops takes to tell the others.
const GOODBYE: Duration = Duration::from_millis(500);
/// How often membership is told who counts.
const ROLL_CALL: Duration = Duration::from_secs(5);
/// How long requests of peers in flight have when the node stops.
const PEER_DRAIN: Duration = Duration::from_secs(2);

/// Why a node cannot be a member of a cluster as it is told.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// There is no secret, and nobody on this machine to be given one by.
    #[error(
        "this node is to reach others at {seeds}, and has no cluster file: make one with `kvs \
         cluster new --out {path}`, once for all nodes, and give it to each of them as \
         `cluster_file`; only on loopback addresses a seed hands over its own",
        path = .path.display()
    )]
    NoFile {
        /// The seeds.
        seeds: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// The cluster file cannot be used.
    #[error(transparent)]
    File(#[from] kvs_client::cluster_file::FileError),
    /// The store belongs to another cluster.
    #[error(
        "the data in {data_dir} is of cluster {found}, and the cluster file {path} is of cluster \
         {wanted}: give this node the file of its cluster, or another data_dir",
        data_dir = .data_dir.display(), path = .path.display()
    )]
    OtherCluster {
        /// The data directory.
        data_dir: PathBuf,
        /// Its cluster.
        found: Uuid,
        /// The file.
        path: PathBuf,
        /// The file's cluster.
        wanted: Uuid,
    },
    /// The file of its cluster was there, and is not any more.
    #[error(
        "{data_dir} has data of a member of cluster {found}, whose file {path} is gone: put it back \
         from a copy or another member",
        data_dir = .data_dir.display(), path = .path.display()
    )]
    FileGone {
        /// The data directory.
        data_dir: PathBuf,
        /// Its cluster.
        found: Uuid,
        /// Where its file was.
        path: PathBuf,
    },
    /// A node that stood alone has data of its own and is told of others.
    #[error(
        "{data_dir} has data of a node that stood alone, and a node joins a cluster empty: leave \
         `seed_nodes` out to go on alone, or `kvs export` the data, start with an empty data_dir, \
         and `kvs import` it there",
        data_dir = .data_dir.display()
    )]
    HasData {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// There is no port for peers.
    #[error("the port for peers would be {port} + 1000, and ports end at 65535; set `peer_port`")]
    NoPeerPort {
        /// The port for clients.
        port: u16,
    },
    /// The port for peers cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Membership does not start.
    #[error(transparent)]
    Membership(#[from] membership::StartError),
    /// Certificates cannot be made.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer failed.
    #[error(transparent)]
    Writer(#[from] SubmitError),
    /// The system refused a thread.
    #[error("cannot start the thread for replication")]
    Thread(#[source] io::Error),
}

/// Why a changed cluster file or certificate is not taken over. All stays as it was.
#[derive(Debug, Error)]
pub enum RenewError {
    /// The cluster file cannot be used.
    #[error(transparent)]
    File(#[from] kvs_client::cluster_file::FileError),
    /// It is another cluster's.
    #[error(
        "the cluster file {path} is now of cluster {found}, and this node is of cluster {wanted}",
        path = .path.display()
    )]
    OtherCluster {
        /// The file.
        path: PathBuf,
        /// Its cluster.
        found: Uuid,
        /// The node's.
        wanted: Uuid,
    },
    /// Certificates cannot be made of it.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// Why a member is not given up.
#[derive(Debug, Error)]
pub enum ForgetFailed {
    /// It cannot be.
    #[error(transparent)]
    Refused(#[from] ForgetError),
    /// The node stops, or its store failed.
    #[error("the node stops or its store failed; its log says which")]
    NoAnswer,
}

/// Why a cluster does not write in the next format.
#[derive(Debug, Error)]
pub enum UpgradeFailed {
    /// It must not yet.
    #[error(transparent)]
    Refused(#[from] UpgradeError),
    /// The node stops, or its store failed.
    #[error("the node stops or its store failed; its log says which")]
    NoAnswer,
}

/// How a node is to become a member: all that can be refused is checked and taken.
#[derive(Debug)]
pub struct Plan {
    secret: birth::Secret,
    seeds: Vec<Seed>,
    server: PeerServer,
    socket: UdpSocket,
}

/// A node's part in a cluster.
#[derive(Debug)]
pub struct Cluster {
    /// Which one.
    pub id: Uuid,
    /// Replication.
    pub engine: EngineHandle,
    /// Who can be reached.
    pub membership: Membership,
    /// Figures of the port for peers.
    pub figures: Arc<PeerFigures>,
    /// Figures of replication.
    pub replication: Arc<Figures>,
    /// What is seen of replication.
    pub observed: Arc<Observed>,
    credentials: Arc<Credentials>,
    /// The file as it is in force.
    file: watch::Sender<ClusterFile>,
    standing: watch::Receiver<Standing>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Cluster {
    /// Replication as of its last step.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// To wait for changes of it.
    pub fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Whether another process runs under this node's id.
    pub fn has_twin(&self) -> bool {
        self.membership.view().twin.is_some()
    }

    /// Takes over the cluster file and the certificates as they are on disk now, without an
    /// interruption; says whether there was anything new. Where they cannot be, all stays as it was.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub async fn renew(&self, node: &Node) -> Result<bool, RenewError> {
        let settings = node.settings();
        let path = config::cluster_file(settings);
        let file = ClusterFile::load(&path)?;
        if file.cluster() != self.id {
            return Err(RenewError::OtherCluster { path, found: file.cluster(), wanted: self.id });
        }
        let own_certificates = settings.peer_tls.ca_file.is_none();
        if own_certificates && *self.file.borrow() == file {
            return Ok(false);
        }
        // Certificates first: what is wrong with them shows before anything is changed.
        self.credentials.replace(&Trust::of(&settings.peer_tls, &file)?)?;
        self.membership.rotate(key_ring(&file)).await;
        node.accounts().found(&file);
        self.file.send_replace(file);
        Ok(true)
    }

    /// Begins to leave for good: from here on clients' writes are refused.
    pub async fn leave(&self, node: &Node) {
        node.begin_to_leave();
        self.engine.send(Job::Input(Input::Leave)).await;
    }

    /// Gives a member up.
    ///
    /// # Errors
    ///
    /// It cannot be; or the node stops, or its store failed, and it may be or not.
    pub async fn forget(&self, node: NodeId) -> Result<(), ForgetFailed> {
        let (reply, forgotten) = oneshot::channel();
        self.engine.send(Job::Forget { node, reply }).await;
        Ok(forgotten.await.map_err(|_no_answer| ForgetFailed::NoAnswer)??)
    }

    /// Has the cluster write in the next format, if there is one, and says which is in force.
    ///
    /// # Errors
    ///
    /// Not every member understands it; or the node stops, or its store failed, and it may be in
    /// force or not.
    pub async fn upgrade(&self) -> Result<Format, UpgradeFailed> {
        let (reply, upgraded) = oneshot::channel();
        self.engine.send(Job::Upgrade(reply)).await;
        Ok(upgraded.await.map_err(|_no_answer| UpgradeFailed::NoAnswer)??)
    }

    /// Whether nobody else can be reached.
    pub fn is_alone(&self) -> bool {
        self.membership.view().members.iter().all(|seen| seen.state == State::Down)
    }

    /// Waits until some other node was sent all that this one has accepted so far; says which, or
    /// nothing if there is none or it takes too long.
    pub async fn flush(&self, node: &Node, within: Duration) -> Option<NodeId> {
        let position = *node.writer().committed().borrow();
        tokio::time::timeout(within, self.observed.sent(position)).await.ok().flatten()
    }

    /// Tells the others that this node goes.
    pub(crate) async fn say_goodbye(&self) {
        // Whoever does not hear it finds out by itself.
        let _ = tokio::time::timeout(GOODBYE, self.membership.leave()).await;
    }

    /// Ends replication. The node's tasks must have ended.
    pub(crate) async fn end(&self) {
        self.engine.send(Job::Stop).await;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that panicked has said so.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// Checks how a node is to become a member, and takes the ports; nothing if it is to stand alone.
///
/// # Errors
///
/// It cannot be a member as it is told.
pub fn plan(
    settings: &Settings,
    store: &dyn Store,
    identity: &Identity,
) -> Result<Option<Plan>, ClusterError> {
    if !settings.clustering_enabled {
        return Ok(None);
    }
    let seeds: Vec<Seed> =
        settings.seed_nodes.iter().filter_map(|seed| seed.parse().ok()).collect();
    let Some(secret) = birth::secret(settings, store, identity, &seeds)? else { return Ok(None) };
    let alone = identity.cluster.is_none() && store.last(Column::Data)?.is_some();
    if alone && !seeds.is_empty() {
        return Err(ClusterError::HasData { data_dir: settings.data_dir.clone() });
    }
    let (server, socket) = address::bind(settings)?;
    Ok(Some(Plan { secret, seeds, server, socket }))
}

/// Makes a node a member as planned: at once, or once a seed gives it the secret.
///
/// # Errors
///
/// A part of it does not start.
pub fn start(node: &Arc<Node>, plan: Plan, client: SocketAddr) -> Result<(), ClusterError> {
    let Plan { secret, seeds, server, socket } = plan;
    match secret {
        birth::Secret::Known(file) => bring_up(node, &file, seeds, server, socket, client),
        birth::Secret::FromSeed => {
            let waiting = node.clone();
            node.spawn(async move {
                let from_seed = Box::pin(birth::from_seed(&waiting, &seeds));
                let Some(file) = from_seed.await else { return };
                if let Err(error) = bring_up(&waiting, &file, seeds, server, socket, client) {
                    tracing::error!(%error, "this node cannot join the cluster");
                    waiting.stopping().cancel();
                }
            });
            Ok(())
        }
    }
}

fn bring_up(
    node: &Arc<Node>,
    file: &ClusterFile,
    seeds: Vec<Seed>,
    server: PeerServer,
    socket: UdpSocket,
    client: SocketAddr,
) -> Result<(), ClusterError> {
    let settings = node.settings();
    node.accounts().found(file);
    let boot = BootId(rand::random());
    let trust = Trust::of(&settings.peer_tls, file)?;
    let name = PeerName::Node(node.identity().node);
    let credentials = Arc::new(Credentials::new(name, &trust, node.wall_clock())?);
    let figures = Arc::new(PeerFigures::default());
    let limits = PeerLimits { drain: PEER_DRAIN, ..PeerLimits::default() };
    let (tasks, stopping) = (node.tasks().clone(), node.stopping().clone());
    let to_peers = PeerClient::new(
        credentials.clone(),
        figures.clone(),
        limits,
        tasks.clone(),
        stopping.clone(),
    );
    let links = Arc::new(Links::new(to_peers));
    let observed = Arc::new(Observed::default());
    let driver = driver(node, file, boot, !seeds.is_empty(), &links, &observed)?;
    let (engine, thread) = driver.start().map_err(ClusterError::Thread)?;
    let membership = membership::start(Parts {
        socket,
        me: introduce(node, boot, &seeds, server.local_addr(), client)?,
        seeds,
        gossip_interval: settings.gossip_interval.into(),
        ring: key_ring(file),
        pull: links.clone(),
        clock: node.wall_clock(),
        stopping: stopping.clone(),
        tasks,
    })?;
    links.find_by(membership.clone());
    let (file, file_seen) = watch::channel(file.clone());
    let birth = local::cluster::made_file(&*node.shared_store())?.then_some(file_seen);
    let handler = Arc::new(Handler {
        node: node.clone(),
        engine: engine.clone(),
        membership: membership.clone(),
        observed: observed.clone(),
        birth: birth.filter(|_| settings.bind_address.is_loopback()),
    });
    let serving =
        PeerServing { credentials: credentials.clone(), handler, figures: figures.clone(), limits };
    node.spawn(server.serve(serving, stopping));
    node.spawn(audit::exchange::run(node.clone(), links.clone(), membership.clone()));
    node.spawn(tell_engine(node.clone(), engine.clone(), membership.clone()));
    let standing = engine.standing();
    let thread = Mutex::new(Some(thread));
    let id = file.borrow().cluster();
    let replication = links.figures().clone();
    node.set_cluster(Cluster {
        id,
        engine,
        membership,
        figures,
        replication,
        observed,
        credentials,
        file,
        standing,
        thread,
    });
    Ok(())
}

fn driver(
    node: &Arc<Node>,
    file: &ClusterFile,
    boot: BootId,
    has_seeds: bool,
    links: &Arc<Links>,
    observed: &Arc<Observed>,
) -> Result<Driver, ClusterError> {
    let (settings, identity) = (node.settings(), node.identity().clone());
    let store = node.shared_store();
    let local::cluster::ClusterState { cursors, agreement, bootstrap } =
        local::cluster::read(&*store)?;
    let resumed = Resumed { born: identity.cluster.is_some(), cursors, agreement, bootstrap };
    let config = Config {
        cluster: file.cluster(),
        node: identity.node,
        boot: boot.0,
        name: node.name(),
        joined: identity.joined,
        has_seeds,
        sync_interval: settings.sync_interval.into(),
        catchup_interval: settings.catchup_interval.into(),
        max_clock_drift: settings.max_clock_drift.into(),
        retention: settings.tombstone_retention.into(),
        revision_age: settings.bootstrap_max_age.into(),
        bootstrap_rate: settings.bootstrap_rate.map(|rate| rate.as_len() as u64),
        newest_format: node.newest_format(),
    };
    let host = NodeHost {
        store,
        digest: node.shared_digest(),
        commit: Committer::new(node.clone()),
        identity,
        cluster: file.cluster(),
        birth_key: DigestKey::new(file.digest_key()),
        incarnation: node.log_incarnation(),
    };
    let now = Now { wall: node.now(), running: node.running() };
    let engine = Engine::new(config, resumed, now, &host)?;
    Ok(Driver::new(engine, host, node.clone(), links.clone(), observed.clone()))
}

/// What this node tells others of itself.
fn introduce(
    node: &Node,
    boot: BootId,
    seeds: &[Seed],
    peer: SocketAddr,
    client: SocketAddr,
) -> Result<Member, ClusterError> {
    let starts = local::cluster::count_start(&*node.shared_store())?;
    let address = address::advertised(node.settings(), seeds);
    Ok(Member {
        node: node.identity().node,
        name: node.name(),
        boot,
        incarnation: Incarnation::of_start(starts),
        gossip: SocketAddr::new(address, peer.port()),
        peer: SocketAddr::new(address, peer.port()),
        client: SocketAddr::new(address, client.port()),
        joined: node.identity().joined,
        zone: None,
        protocol: PROTOCOL.into(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn key_ring(file: &ClusterFile) -> KeyRing {
    let key = |at| file.gossip_key(at).unwrap_or_default();
    let others: Vec<[u8; 32]> = (1..file.secrets().len()).map(key).collect();
    KeyRing::new(*file.cluster().as_bytes(), &key(0), &others)
}

/// Tells replication who can be reached, and membership who counts.
async fn tell_engine(node: Arc<Node>, engine: EngineHandle, membership: Membership) {
    let mut events = membership.events();
    let mut roll_call = tokio::time::interval(ROLL_CALL);
    loop {
        tokio::select! {
            () = node.stopping().cancelled() => return,
            event = events.recv() => match event {
                Ok(event) => tell(&engine, &event).await,
                Err(broadcast::error::RecvError::Lagged(_)) => tell_all(&engine, &membership).await,
                Err(broadcast::error::RecvError::Closed) => return,
            },
            _ = roll_call.tick() => {
                tell_all(&engine, &membership).await;
                call_roll(&engine, &membership).await;
            }
        }
    }
}

async fn tell(engine: &EngineHandle, event: &Event) {
    let input = match event {
        Event::Up(member) => Input::Reachable(member.node),
        Event::Down(member) => Input::Unreachable(member.node),
        Event::Changed(_) | Event::TwinSeen(_) => return,
    };
    engine.send(Job::Input(input)).await;
}

/// Tells who can be reached, whatever was told before.
async fn tell_all(engine: &EngineHandle, membership: &Membership) {
    let view = membership.view();
    for seen in view.members.iter().filter(|seen| seen.state != State::Down) {
        engine.send(Job::Input(Input::Reachable(seen.member.node))).await;
    }
}

/// Tells membership how many to look for, and whom no longer.
async fn call_roll(engine: &EngineHandle, membership: &Membership) {
    let Some(view) = engine.view().await else { return };
    membership.expect(view.members.joined().count()).await;
    for member in view.members.iter().filter(|member| member.standing != Counted::Joined) {
        membership.forget(member.node).await;
    }
}
