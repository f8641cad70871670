//! Who can be reached: the datagrams, timers and look-ups that `kvs_core::membership` asks for.
//!
//! One thread owns the socket and the state, so that a busy node still answers probes. Everyone
//! else reads a published [`View`] without a lock. What may wait (names, pulls over the peer port)
//! runs as tasks of the node.

mod driver;
mod figures;
mod outside;
mod view;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use kvs_config::Seed;
use kvs_core::NodeId;
use kvs_core::membership::{Config, Event, Input, Member};
use kvs_core::seal::KeyRing;
use thiserror::Error;
use tokio::runtime;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::figures::{Figures, Refusal};
pub use self::outside::{Pull, PullError};
pub use self::view::{SeenMember, View};

use self::driver::{Driver, Order};
use self::outside::Outside;
use crate::time::WallClock;

/// Orders that may wait for the thread.
const ORDERS: usize = 1_024;

/// Events that a slow listener may have outstanding; one that is slower must look at the view.
const EVENTS: usize = 1_024;

/// Why membership did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The socket cannot be used.
    #[error("cannot listen for datagrams on {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The system refused a thread or what it needs.
    #[error("cannot start the thread for gossip")]
    Thread(#[source] io::Error),
}

/// What membership needs.
#[derive(Debug)]
pub struct Parts {
    /// Bound to the peer port, see [`bind`].
    pub socket: UdpSocket,
    /// This node. Its start must be on disk, and its gossip address be one that others reach.
    pub me: Member,
    /// Where to look for others.
    pub seeds: Vec<Seed>,
    /// Time between two probes of a member.
    pub gossip_interval: Duration,
    /// The cluster's secrets.
    pub ring: KeyRing,
    /// How the member list of a node is asked for.
    pub pull: Arc<dyn Pull>,
    /// The wall clock.
    pub clock: Arc<dyn WallClock>,
    /// Ends the thread and its tasks.
    pub stopping: CancellationToken,
    /// Whose end the node waits for.
    pub tasks: TaskTracker,
}

/// Binds the socket for datagrams: the same number as the TCP port for peers.
///
/// # Errors
///
/// The address is taken or not this machine's.
pub fn bind(address: SocketAddr) -> Result<UdpSocket, StartError> {
    let bound = UdpSocket::bind(address);
    let bound = bound.and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    bound.map_err(|source| StartError::Bind { address, source })
}

/// Starts the thread. Call within a Tokio runtime, on which names are looked up and peers asked.
///
/// # Errors
///
/// The system has no thread to give.
pub fn start(parts: Parts) -> Result<Membership, StartError> {
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(StartError::Thread)?;
    let (orders, waiting) = mpsc::channel(ORDERS);
    let (events, _) = broadcast::channel(EVENTS);
    let (publish, view) = watch::channel(Arc::new(View::alone(parts.me.clone())));
    let figures = Arc::new(Figures::default());
    let ended = parts.stopping.clone();
    let handle = Membership { orders, events: events.clone(), view, figures: figures.clone() };
    let tasks = parts.tasks.clone();
    let outside = Outside::new(&parts, handle.orders.clone());
    let (done, over) = oneshot::channel::<()>();
    let run = move || {
        // Dropped at the end, by whatever way it comes.
        let _done = done;
        runtime.block_on(async {
            match Driver::new(parts, outside, figures, events, publish) {
                Ok(driver) => driver.run(waiting).await,
                Err(error) => tracing::error!(%error, "the socket for gossip cannot be used"),
            }
        });
    };
    thread::Builder::new().name("kvs-gossip".into()).spawn(run).map_err(StartError::Thread)?;
    tasks.spawn(async move {
        // Nothing is ever sent: the wait ends with the thread.
        let _ = over.await;
        if !ended.is_cancelled() {
            tracing::error!("the thread for gossip has ended; this node is cut off from others");
        }
    });
    Ok(handle)
}

/// A hold on the running membership. Clones lead to the same one.
#[derive(Clone, Debug)]
pub struct Membership {
    orders: mpsc::Sender<Order>,
    events: broadcast::Sender<Event>,
    view: watch::Receiver<Arc<View>>,
    figures: Arc<Figures>,
}

impl Membership {
    /// Who can be reached at the moment.
    pub fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    /// The view, and the means to wait for a change. What changes every second, when a member was
    /// last seen, wakes nobody.
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// What happens from now on. A listener that lags must look at the view and go on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Figures for the metrics.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// A peer introduced itself over a connection.
    pub async fn met(&self, member: Member) {
        self.tell(Input::Met(member)).await;
    }

    /// The durable records name this many members, this node among them.
    pub async fn expect(&self, members: usize) {
        self.tell(Input::Expect(members)).await;
    }

    /// Somebody who may be believed says that others are there: peer addresses.
    pub async fn hint(&self, addresses: Vec<SocketAddr>) {
        self.tell(Input::Hint(addresses)).await;
    }

    /// A member that is down is not to be looked for any more: it left for good or was forgotten.
    pub async fn forget(&self, node: NodeId) {
        self.tell(Input::Forget(node)).await;
    }

    /// Goes on with other secrets, and returns when it does.
    pub async fn rotate(&self, ring: KeyRing) {
        let (done, rotated) = oneshot::channel();
        self.order(Order::Rotate(ring, done)).await;
        // A thread that has ended has nothing to seal any more.
        let _ = rotated.await;
    }

    /// Announces absence, and returns when that is on its way. From then on this node is deaf to
    /// others; its thread ends when the node stops.
    pub async fn leave(&self) {
        let (done, left) = oneshot::channel();
        self.order(Order::Leave(done)).await;
        // A thread that has ended has nothing to announce any more.
        let _ = left.await;
    }

    /// Waits until the thread has ended, which it does at a stop or by a panic.
    pub async fn ended(&self) {
        self.orders.closed().await;
    }

    async fn tell(&self, input: Input) {
        self.order(Order::Take(input)).await;
    }

    async fn order(&self, order: Order) {
        // A thread that has ended takes no more orders, and needs none.
        let _ = self.orders.send(order).await;
    }
}

impl Parts {
    fn config(&self) -> Config {
        Config { gossip_interval: self.gossip_interval, seeds: self.seeds.len() }
    }
}

#[cfg(test)]
mod tests;
