//! What all parts share: the API server, who the operator is, what is counted.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Resource, ResourceExt as _};
use kvs_core::UnixMillis;
use kvs_operator_core::build;

use crate::fence::Fence;
use crate::metrics::Metrics;
use crate::served::Served;

/// Longest action of an event that Kubernetes takes.
const ACTION_MAX: usize = 128;

/// A look with its step takes no longer, nodes that do not answer included.
const LONGEST: Duration = Duration::from_mins(1);
/// After one that did.
const AGAIN: Duration = Duration::from_secs(5);

/// What all parts share.
#[derive(Clone)]
pub struct Site {
    /// The API server.
    pub client: Client,
    /// Whether anything may be written.
    pub fence: Fence,
    /// Its name in the certificates that it shows nodes.
    pub name: String,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What the API server knows of our kinds.
    pub served: Served,
    build: build::Site,
    recorder: Recorder,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Site {
    /// The parts' common ground.
    pub fn new(
        client: Client,
        fence: Fence,
        build: build::Site,
        name: String,
        metrics: Arc<Metrics>,
    ) -> Self {
        let reporter = Reporter { controller: "kvs-operator".into(), instance: Some(name.clone()) };
        let recorder = Recorder::new(client.clone(), reporter);
        Self { client, fence, build, name, metrics, served: Served::default(), recorder }
    }

    /// Where the operator runs, as far as objects depend on it.
    pub fn build(&self) -> build::Site {
        build::Site { monitors: self.served.monitors(), ..self.build.clone() }
    }

    /// Counts a look at an object of this kind, and breaks it off where it takes too long: an API server that went
    /// away without a word answers never, and nobody else looks meanwhile.
    ///
    /// # Errors
    ///
    /// Those of the look.
    pub async fn look<E>(
        &self,
        kind: &'static str,
        look: impl Future<Output = Result<Action, E>>,
    ) -> Result<Action, E> {
        let _looking = self.metrics.look(kind);
        match tokio::time::timeout(LONGEST, look).await {
            Ok(done) => done,
            Err(_late) => {
                self.metrics.failed(kind, "late");
                tracing::warn!(kind, "a look took longer than {LONGEST:?}, and begins anew");
                Ok(Action::requeue(AGAIN))
            }
        }
    }

    /// Tells people what was done to a cluster, or to whatever else they made.
    pub async fn tell<K>(&self, object: &K, kind: EventType, reason: &str, note: String)
    where
        K: Resource<DynamicType = ()> + Sync,
    {
        let name = object.name_any();
        tracing::info!(kind = %K::kind(&()), name, reason, note);
        // Events of one action are counted together: each step is one of its own.
        let action: String = note.chars().take(ACTION_MAX).collect();
        let (note, reason) = (Some(note), reason.to_owned());
        let event = Event { type_: kind, reason, note, action, secondary: None };
        if let Err(error) = self.recorder.publish(&event, &object.object_ref(&())).await {
            tracing::warn!(name, %error, "an event is lost");
        }
    }
}

/// The time, as this machine has it. It is compared with what this and other machines wrote down in
/// seconds, never with instants of this process.
pub fn now() -> UnixMillis {
    let now = jiff::Timestamp::now().as_millisecond();
    UnixMillis(u64::try_from(now).unwrap_or_default())
}
