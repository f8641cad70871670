//! What takes its time: looking names up, and asking peers for their member lists.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use kvs_config::Seed;
use kvs_core::membership::{Input, Member};
use tokio::net::lookup_host;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Parts;
use super::driver::Order;

/// How long a name may take. Resolvers retry by themselves; a new attempt follows in any case.
const RESOLVE: Duration = Duration::from_secs(5);

/// How long a pull may take, from connecting to the end of the answer.
const PULL: Duration = Duration::from_secs(5);

/// Why a member list could not be had, in the words of the connection.
pub type PullError = Box<dyn Error + Send + Sync>;

/// How the member list of a node is asked for.
pub trait Pull: fmt::Debug + Send + Sync + 'static {
    /// Connects to the peer port at `from`, introduces this node as `me`, and returns
    /// [`View::introductions`](super::View::introductions) of the node there, which in turn is told
    /// of `me` by [`met`](super::Membership::met).
    ///
    /// # Errors
    ///
    /// Nobody is there, or nobody of this cluster.
    fn pull(&self, from: SocketAddr, me: Member) -> BoxFuture<'_, Result<Vec<Member>, PullError>>;
}

/// Where such tasks run, and where their results go.
#[derive(Debug)]
pub(super) struct Outside {
    runtime: Handle,
    tasks: TaskTracker,
    stopping: CancellationToken,
    seeds: Vec<Seed>,
    pull: Arc<dyn Pull>,
    results: mpsc::Sender<Order>,
}

impl Outside {
    pub(super) fn new(parts: &Parts, results: mpsc::Sender<Order>) -> Self {
        Self {
            runtime: Handle::current(),
            tasks: parts.tasks.clone(),
            stopping: parts.stopping.clone(),
            seeds: parts.seeds.clone(),
            pull: parts.pull.clone(),
            results,
        }
    }

    pub(super) fn resolve(&self, seed: usize) {
        let name = self.seeds.get(seed).cloned();
        self.run(async move {
            let addresses = match name {
                Some(name) => addresses(&name).await,
                None => Vec::new(),
            };
            Input::Resolved { seed, addresses }
        });
    }

    pub(super) fn pull(&self, from: SocketAddr, me: Member) {
        let pull = self.pull.clone();
        self.run(async move {
            match timeout(PULL, pull.pull(from, me)).await {
                Ok(Ok(members)) => return Input::Pulled { from, members },
                Ok(Err(error)) => tracing::debug!(%from, error, "no member list"),
                Err(_elapsed) => tracing::debug!(%from, "no member list within {PULL:?}"),
            }
            Input::PullFailed { from }
        });
    }

    fn run(&self, work: impl Future<Output = Input> + Send + 'static) {
        let (stopping, results) = (self.stopping.clone(), self.results.clone());
        let task = async move {
            if let Some(input) = stopping.run_until_cancelled(work).await {
                // A thread that has ended needs no results.
                let _ = results.send(Order::Take(input)).await;
            }
        };
        self.tasks.spawn_on(task, &self.runtime);
    }
}

/// All addresses of a seed; none where the name is not there, which is normal while pods start.
async fn addresses(seed: &Seed) -> Vec<SocketAddr> {
    match timeout(RESOLVE, lookup_host((seed.host(), seed.port()))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            tracing::debug!(%seed, %error, "a seed has no address");
            Vec::new()
        }
        Err(_elapsed) => {
            tracing::debug!(%seed, "a seed was not resolved within {RESOLVE:?}");
            Vec::new()
        }
    }
}
