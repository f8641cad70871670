//! One node of the simulation: what survives a crash, and what a start makes of it.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use kvs_core::digest::DigestKey;
use kvs_core::engine::{Config, Effect, Engine, Gate, Input, Now, Resumed, Served, serve};
use kvs_core::wire::{Cursor, Question, Sent};
use kvs_core::{Format, NodeId, Origin, Stamp, UnixMillis};
use kvs_node::digest::{self, Digest};
use kvs_node::local::{self, Birth, Identity, Incarnations, cluster};
use kvs_node::replication::{Commit, NodeHost, outgoing};
use kvs_node::store::{Batch, Column, Flush, OwnedRow, Read as _, Store, rows};
use kvs_node::writer::{Applier, Outcome, Retention, SubmitError, Tail, Write, WriteResult};
use uuid::Uuid;

use crate::disk::Disk;

pub(crate) const CLUSTER: Uuid = Uuid::from_u128(0xc1);
const DEPTH: u32 = 2;
pub(crate) const DRIFT: Duration = Duration::from_mins(1);

/// The writer of a node, without its thread.
#[derive(Clone, Debug)]
pub(crate) struct Inline {
    store: Arc<Disk>,
    digest: Arc<Digest>,
    tail: Arc<Tail>,
    applier: Rc<RefCell<Applier>>,
    wall: Rc<Cell<UnixMillis>>,
}

impl Inline {
    fn note(&self, mut outcome: Outcome) -> Vec<WriteResult> {
        self.digest.update(&outcome);
        self.tail.extend(&mut outcome, self.last_sequence());
        outcome.results
    }

    pub(crate) fn write(&self, writes: Vec<Write>) -> Vec<WriteResult> {
        let mut applier = self.applier.borrow_mut();
        let outcome =
            applier.apply(&*self.store, writes, &[], self.wall.get(), Flush::Synced).unwrap();
        drop(applier);
        self.note(outcome)
    }
}

impl Commit for Inline {
    fn replicate(
        &mut self,
        versions: Vec<Write>,
        rows: Vec<OwnedRow>,
        flush: Flush,
    ) -> Result<Vec<WriteResult>, SubmitError> {
        let mut applier = self.applier.borrow_mut();
        let outcome = applier.apply(&*self.store, versions, &rows, self.wall.get(), flush)?;
        drop(applier);
        Ok(self.note(outcome))
    }

    fn raise_clock(&mut self, to: Stamp) -> Result<Stamp, SubmitError> {
        Ok(self.applier.borrow_mut().raise_clock(&*self.store, to, self.wall.get())?)
    }

    fn collect(&mut self, horizon: Stamp) -> Result<(), SubmitError> {
        let mut from = Vec::new();
        loop {
            let step = self.applier.borrow_mut().collect(&*self.store, horizon, &from, 7)?;
            self.note(step.outcome);
            let Some(mut next) = step.next else { return Ok(()) };
            next.push(0);
            from = next;
        }
    }

    fn adopt(&mut self, birth: Birth) -> Result<(), SubmitError> {
        self.applier.borrow_mut().adopt(&birth);
        Ok(())
    }

    fn last_stamp(&self) -> Stamp {
        self.applier.borrow().last_stamp()
    }

    fn last_sequence(&self) -> u64 {
        self.applier.borrow().last_sequence()
    }

    fn format(&self) -> Format {
        self.applier.borrow().format()
    }
}

/// A node that runs.
pub(crate) struct Running {
    pub(crate) id: NodeId,
    pub(crate) boot: u64,
    pub(crate) started: Duration,
    pub(crate) host: NodeHost<Inline>,
    pub(crate) engine: Engine,
    incarnations: Incarnations,
    wall: Rc<Cell<UnixMillis>>,
    /// When the scheduler wakes it next.
    pub(crate) wakes: Duration,
}

/// How a node starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Drawn at every start.
    pub(crate) boot: u64,
    /// When, in virtual time.
    pub(crate) at: Duration,
    /// What its clock shows.
    pub(crate) wall: UnixMillis,
    /// How long it remembers the dead beyond the need.
    pub(crate) retention: Duration,
    /// The newest format of versions that it knows.
    pub(crate) newest: Format,
}

/// Gives an empty disk an identity.
pub(crate) fn format(disk: &Disk, id: NodeId, joined: UnixMillis) {
    let digest_key = DigestKey::new([7; 32]);
    let identity = Identity { node: id, joined, digest_key, cluster: None };
    let (name, value) = cluster::identity_row(&identity);
    let mut batch = Batch::default();
    batch.put(Column::Local, &name, &value);
    disk.write(&batch, Flush::Synced).unwrap();
}

/// Who lives on a disk.
pub(crate) fn identity(disk: &Disk) -> NodeId {
    let row = disk.get(Column::Local, rows::local::IDENTITY).unwrap().unwrap();
    let row: serde_json::Value = serde_json::from_slice(&row).unwrap();
    NodeId::new(row["node"].as_str().unwrap().parse().unwrap())
}

/// The format that a disk's versions are written in.
pub(crate) fn format_of(disk: &Disk) -> Format {
    let row = disk.get(Column::Local, rows::local::FORMAT).unwrap();
    let number = row.and_then(|row| row.last().copied());
    number.and_then(Format::of).unwrap_or(Format::ALL[0])
}

impl Running {
    /// Starts on what is on the disk.
    pub(crate) fn start(disk: &Arc<Disk>, start: Start, has_seeds: bool) -> Self {
        let Start { boot, at, wall, retention, newest } = start;
        let state = local::open_up_to(&**disk, Path::new("memory"), wall, newest).unwrap();
        let resumed = cluster::read(&**disk).unwrap();
        let digest = Arc::new(Digest::empty(DEPTH));
        digest.rebuild(&**disk, &state.identity.digest_key).unwrap();
        let history = Retention { count: 2, max_age: None };
        let tail = Arc::new(Tail::after(state.next_sequence - 1));
        let wall = Rc::new(Cell::new(wall));
        let applier = Rc::new(RefCell::new(Applier::new(&state, history)));
        let commit = Inline {
            store: disk.clone(),
            digest: digest.clone(),
            tail,
            applier,
            wall: wall.clone(),
        };
        let id = state.identity.node;
        let config = Config {
            cluster: CLUSTER,
            node: id,
            boot,
            name: id.to_string(),
            joined: state.identity.joined,
            has_seeds,
            sync_interval: Duration::from_secs(2),
            catchup_interval: Duration::from_millis(300),
            max_clock_drift: DRIFT,
            retention,
            revision_age: Duration::from_hours(1),
            bootstrap_rate: None,
            newest_format: newest,
        };
        let resumed = Resumed {
            born: state.identity.cluster.is_some(),
            cursors: resumed.cursors,
            agreement: resumed.agreement,
            bootstrap: resumed.bootstrap,
        };
        let host = NodeHost {
            store: disk.clone(),
            digest,
            commit,
            identity: state.identity,
            cluster: CLUSTER,
            birth_key: DigestKey::new([8; 32]),
            incarnation: state.incarnations.current,
        };
        let engine =
            Engine::new(config, resumed, Now { wall: wall.get(), running: Duration::ZERO }, &host)
                .unwrap();
        let incarnations = state.incarnations;
        Self { id, boot, started: at, host, engine, incarnations, wall, wakes: Duration::MAX }
    }

    pub(crate) fn step(&mut self, input: Input, now: Now, random: u64) -> Vec<Effect> {
        self.wall.set(now.wall);
        self.engine.step(input, now, random, &mut self.host)
    }

    /// Answers what needs only the store.
    pub(crate) fn serve(&mut self, question: Question, wall: UnixMillis) -> Served {
        self.wall.set(wall);
        let gate = self.gate();
        serve(question, &gate, wall, &mut self.host).unwrap()
    }

    /// The format that it writes versions in.
    pub(crate) fn format(&self) -> Format {
        self.host.commit.format()
    }

    pub(crate) fn gate(&self) -> Gate {
        self.engine.gate(&self.host)
    }

    /// Where a follower goes on.
    pub(crate) fn resume(&self, cursor: Cursor) -> u64 {
        let known = self.incarnations.resume(cursor.incarnation, cursor.position).unwrap_or(0);
        known.min(self.head())
    }

    pub(crate) const fn incarnation(&self) -> u64 {
        self.incarnations.current
    }

    pub(crate) fn after(&self, position: u64) -> (Vec<Sent>, u64) {
        let commit = &self.host.commit;
        outgoing::after(&commit.tail, &*commit.store, self.id, position, 2_000).unwrap()
    }

    pub(crate) fn write(&mut self, write: Write, wall: UnixMillis) -> WriteResult {
        self.wall.set(wall);
        self.host.commit.write(vec![write]).remove(0)
    }

    pub(crate) fn write_all(&mut self, writes: Vec<Write>, wall: UnixMillis) {
        self.wall.set(wall);
        drop(self.host.commit.write(writes));
    }

    pub(crate) fn head(&self) -> u64 {
        self.host.commit.last_sequence()
    }

    pub(crate) fn origin(&self) -> Origin {
        self.host.identity.origin()
    }

    /// The root of the tree, which must be what the rows say.
    pub(crate) fn checked_root(&self) -> kvs_core::digest::Summary {
        let commit = &self.host.commit;
        let derived =
            digest::derive(&*commit.store, &self.host.identity.digest_key, DEPTH).unwrap();
        assert_eq!(commit.digest.root(), Some(derived), "the tree is not what the rows say");
        derived
    }
}
