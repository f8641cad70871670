//! What is asked for, as far as it decides what is done next.

use std::collections::BTreeSet;

use kvs_core::UnixMillis;
use uuid::Uuid;

use crate::crd::{Gate, KvsCluster, Mode, PROMOTE, REPLACE, Retain};
use crate::names::Names;
use crate::observed::Ordinal;
use crate::quantity;

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// The names of what is made.
    pub names: Names,
    /// How many nodes.
    pub replicas: u32,
    /// Whether they run.
    pub mode: Mode,
    /// Nodes that were given up.
    pub forget: BTreeSet<Uuid>,
    /// Those that are held down.
    pub fenced: BTreeSet<Ordinal>,
    /// The size of each disk, in bytes.
    pub size: u64,
    /// What becomes of disks.
    pub retain: Retain,
    /// How many pods get a change before it is released; nothing if it is.
    pub canary: Option<u32>,
    /// The proof that is done without, and until when.
    pub exception: Option<(Gate, UnixMillis)>,
    /// The ordinal that is to get a new disk, and the uid of the claim that is lost.
    pub replace: Option<(Ordinal, String)>,
    /// The backup that it begins with.
    pub backup: Option<String>,
    /// The hash of the pod template that is to be in force.
    pub template: String,
}

impl Wish {
    /// What a `KvsCluster` asks for, with this pod template.
    pub fn of(cluster: &KvsCluster, template: &str) -> Self {
        let spec = &cluster.spec;
        let metadata = &cluster.metadata;
        let name = metadata.name.clone().unwrap_or_default();
        let exception = spec.rollout.exception.as_ref();
        Self {
            names: Names::new(name, metadata.namespace.clone().unwrap_or_default()),
            replicas: count(spec.replicas),
            mode: spec.mode,
            forget: spec.forget.iter().filter_map(|id| id.parse().ok()).collect(),
            fenced: spec.fenced.iter().copied().map(count).collect(),
            size: quantity::bytes(&spec.storage.size).unwrap_or_default(),
            retain: spec.storage.retain,
            canary: spec.rollout.canary.map(count).filter(|_| !is_promoted(cluster, template)),
            exception: exception.map(|one| (one.gate, millis(one.expires.0))),
            replace: annotation(cluster, REPLACE).and_then(replacement),
            backup: spec.bootstrap.as_ref().map(|begins| begins.from_backup.name.clone()),
            template: template.to_owned(),
        }
    }

    /// Whether a proof is done without at this time.
    pub fn does_without(&self, gate: Gate, now: UnixMillis) -> bool {
        self.exception.is_some_and(|(without, until)| {
            let covers = without == gate || without == Gate::Readiness;
            covers && now < until
        })
    }
}

fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

fn millis(time: jiff::Timestamp) -> UnixMillis {
    UnixMillis(u64::try_from(time.as_millisecond()).unwrap_or_default())
}

fn annotation<'a>(cluster: &'a KvsCluster, name: &str) -> Option<&'a str> {
    cluster.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

fn is_promoted(cluster: &KvsCluster, template: &str) -> bool {
    annotation(cluster, PROMOTE) == Some(template)
}

fn replacement(text: &str) -> Option<(Ordinal, String)> {
    let (ordinal, uid) = text.split_once('/')?;
    Some((ordinal.parse().ok()?, uid.to_owned()))
}
