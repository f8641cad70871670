//! The engine's thread, and what carries out what it wants done.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kvs_core::engine::{
    AskId, Cursor, Effect, Engine, ForgetError, Input, Now, UpgradeError, View,
};
use kvs_core::members;
use kvs_core::wire::{Answer, Frame, Question, Refusal};
use kvs_core::{Format, NodeId, Stamp};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Commit, Links, NodeHost, Observed, Standing, follow, report, rescue};
use crate::local::{self, Birth};
use crate::node::Node;
use crate::store::{Flush, OwnedRow};
use crate::writer::{SubmitError, Write, WriteResult, Writer};

/// Jobs that may wait for the engine; who brings more waits with them.
const JOBS: usize = 256;
/// The engine is not woken more often than this for what it wishes done at once.
const LEAST_NAP: Duration = Duration::from_millis(2);

/// What the engine's thread is to do.
#[derive(Debug)]
pub enum Job {
    /// Take what happened.
    Input(Input),
    /// Take a piece of a peer's log, if that stream is still followed.
    Frame {
        /// From which stream.
        stream: StreamId,
        /// What came.
        frame: Box<Frame>,
    },
    /// A stream has ended.
    Ended {
        /// Which.
        stream: StreamId,
        /// The peer's refusal, or what went wrong.
        why: Result<Refusal, String>,
    },
    /// Answer a peer.
    Asked {
        /// Who asks.
        peer: NodeId,
        /// What.
        question: Question,
        /// Where the answer goes.
        reply: oneshot::Sender<Answer>,
    },
    /// Give a member up.
    Forget {
        /// Which.
        node: NodeId,
        /// Whether it is.
        reply: oneshot::Sender<Result<(), ForgetError>>,
    },
    /// Have the cluster write in the next format.
    Upgrade(oneshot::Sender<Result<Format, UpgradeError>>),
    /// Show what there is to see.
    View(oneshot::Sender<View>),
    /// End.
    Stop,
}

/// One time that a peer's log is followed. What was queued of an earlier time is not taken any more:
/// the engine has gone back to a cursor since, or parted from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamId {
    /// Whose log.
    pub peer: NodeId,
    /// Which time.
    number: u64,
}

/// The way to the engine's thread. Clones lead to the same one.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    jobs: mpsc::Sender<Job>,
    standing: watch::Receiver<Standing>,
}

/// The writer as the engine uses it: readers hear of a horizon before anything is forgotten.
#[derive(Clone, Debug)]
pub struct Committer {
    writer: Writer,
    node: Arc<Node>,
}

/// The engine and what it needs.
#[derive(Debug)]
pub struct Driver {
    /// The engine.
    pub engine: Engine,
    /// Its store.
    pub host: NodeHost<Committer>,
    /// The node.
    pub node: Arc<Node>,
    /// The ways to peers.
    pub links: Arc<Links>,
    /// What is seen of replication.
    pub observed: Arc<Observed>,
    followed: HashMap<NodeId, Followed>,
    /// How often a log was followed.
    streams: u64,
    /// How much of the data had come when that was last logged, in tenths.
    told: u32,
    /// Who waits to hear whether a member is given up.
    forgetting: Option<oneshot::Sender<Result<(), ForgetError>>>,
    /// Who waits to hear in which format the cluster writes.
    upgrading: Option<oneshot::Sender<Result<Format, UpgradeError>>>,
    runtime: Handle,
}

/// A stream that is followed, and what ends it.
#[derive(Debug)]
struct Followed {
    stream: StreamId,
    end: CancellationToken,
}

struct Channels {
    waiting: mpsc::Receiver<Job>,
    jobs: mpsc::Sender<Job>,
    standing: watch::Sender<Standing>,
    wake: watch::Sender<Duration>,
}

impl EngineHandle {
    /// Gives the thread something to do. One that has ended does nothing.
    pub async fn send(&self, job: Job) {
        let _ = self.jobs.send(job).await;
    }

    /// What everybody may know, as of the last step.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// What there is to see; nothing once the thread has ended.
    pub async fn view(&self) -> Option<View> {
        let (reply, view) = oneshot::channel();
        self.send(Job::View(reply)).await;
        view.await.ok()
    }
}

impl Committer {
    /// The node's writer.
    pub fn new(node: Arc<Node>) -> Self {
        Self { writer: node.writer().clone(), node }
    }
}

impl Commit for Committer {
    fn replicate(
        &mut self,
        versions: Vec<Write>,
        rows: Vec<OwnedRow>,
        flush: Flush,
    ) -> Result<Vec<WriteResult>, SubmitError> {
        self.writer.replicate(versions, rows, flush)
    }

    fn raise_clock(&mut self, to: Stamp) -> Result<Stamp, SubmitError> {
        self.writer.raise_clock(to)
    }

    fn collect(&mut self, horizon: Stamp) -> Result<(), SubmitError> {
        self.node.forget_before(horizon);
        self.writer.collect_blocking(horizon).map(drop)
    }

    fn adopt(&mut self, birth: Birth) -> Result<(), SubmitError> {
        self.writer.adopt(birth)
    }

    fn last_stamp(&self) -> Stamp {
        Stamp::from_bits(self.writer.figures().last_stamp.load(Ordering::Acquire))
    }

    fn last_sequence(&self) -> u64 {
        *self.writer.committed().borrow()
    }

    fn format(&self) -> Format {
        self.writer.format()
    }
}

impl Driver {
    /// What drives `engine`. Call within a Tokio runtime, on which peers are asked.
    pub fn new(
        engine: Engine,
        host: NodeHost<Committer>,
        node: Arc<Node>,
        links: Arc<Links>,
        observed: Arc<Observed>,
    ) -> Self {
        Self {
            engine,
            host,
            node,
            links,
            observed,
            followed: HashMap::new(),
            streams: 0,
            told: 0,
            forgetting: None,
            upgrading: None,
            runtime: Handle::current(),
        }
    }

    /// Starts the thread. It ends at [`Job::Stop`].
    ///
    /// # Errors
    ///
    /// The system has no thread to give.
    pub fn start(self) -> io::Result<(EngineHandle, JoinHandle<()>)> {
        let (jobs, waiting) = mpsc::channel(JOBS);
        let (standing, standing_seen) = watch::channel(self.standing());
        let (wake, wakes) = watch::channel(Duration::ZERO);
        let handle = EngineHandle { jobs: jobs.clone(), standing: standing_seen };
        self.node.spawn(wake_up(self.node.clone(), wakes, jobs.clone()));
        let channels = Channels { waiting, jobs, standing, wake };
        let builder = thread::Builder::new().name("kvs-engine".into());
        let thread = builder.spawn(move || self.run(channels))?;
        Ok((handle, thread))
    }

    fn run(mut self, mut channels: Channels) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| channels.waiting.blocking_recv()) {
            match job {
                Job::Frame { stream, frame } => {
                    let (frames, other) = waiting_frames(&mut channels.waiting, stream, frame);
                    for (stream, frame) in frames {
                        self.take_from(stream, &channels, |peer| Input::Frame { peer, frame });
                    }
                    next = other;
                }
                Job::Ended { stream, why } => {
                    self.take_from(stream, &channels, |peer| Input::Ended { peer, why });
                }
                Job::Input(input) => drop(self.step(input, &channels)),
                Job::Asked { peer, question, reply } => {
                    let answer = self.step(Input::Asked { peer, question }, &channels);
                    // The peer may have gone; what it asked for is done all the same.
                    let _ = answer.map(|answer| reply.send(answer));
                }
                Job::Forget { node, reply } => {
                    self.forgetting = Some(reply);
                    let _no_question = self.step(Input::Forget(node), &channels);
                    // Where the store failed there was no answer: whoever waits hears of the end.
                    self.forgetting = None;
                }
                Job::Upgrade(reply) => {
                    self.upgrading = Some(reply);
                    let _no_question = self.step(Input::Upgrade, &channels);
                    self.upgrading = None;
                }
                Job::View(reply) => drop(reply.send(self.engine.view(self.now()))),
                Job::Stop => return,
            }
        }
    }

    /// Takes what came from a stream, unless that is not followed any more.
    fn take_from(
        &mut self,
        stream: StreamId,
        channels: &Channels,
        input: impl FnOnce(NodeId) -> Input,
    ) {
        if self.followed.get(&stream.peer).is_some_and(|followed| followed.stream == stream) {
            let _no_question = self.step(input(stream.peer), channels);
        }
    }

    fn step(&mut self, input: Input, channels: &Channels) -> Option<Answer> {
        let now = self.now();
        if let Input::Frame { peer, frame } = &input {
            self.observed.frame(*peer, frame, now);
        }
        let answered = answered(&input);
        let effects = self.engine.step(input, now, rand::random(), &mut self.host);
        let mut reply = None;
        for effect in effects {
            match effect {
                Effect::Reply(answer) => reply = Some(answer),
                effect => self.carry_out(effect, channels),
            }
        }
        self.tell_progress();
        // Last: whoever sees that a comparison has ended sees what it found.
        if let Some(ask) = answered {
            self.observed.answered(ask);
        }
        channels.standing.send_replace(self.standing());
        channels.wake.send_replace(self.engine.wake_at().max(now.running + LEAST_NAP));
        reply
    }

    /// Logs every tenth of the data that an empty node is given.
    fn tell_progress(&mut self) {
        let tenths = self.engine.progress().map_or(0, |(tenths, _)| tenths);
        if tenths > self.told {
            let versions = self.engine.progress().map_or(0, |(_, versions)| versions);
            tracing::info!(percent = 10 * tenths, versions, "the data is coming");
        }
        self.told = tenths;
    }

    fn carry_out(&mut self, effect: Effect, channels: &Channels) {
        match effect {
            Effect::Ask { ask, peer, question } => {
                self.observed.asks(ask, peer, &question, self.now());
                let asking =
                    ask_peer(self.links.clone(), ask, peer, question, channels.jobs.clone());
                self.spawn(asking);
            }
            Effect::Follow { peer, cursor } => self.follow(peer, cursor, channels),
            Effect::Unfollow { peer } => {
                if let Some(followed) = self.followed.remove(&peer) {
                    followed.end.cancel();
                }
            }
            Effect::Fenced { held, given_up } => self.start_over(held, given_up),
            Effect::Forgot(result) => {
                let waiting = self.forgetting.take();
                // Who asked may have gone; it is done all the same.
                let _ = waiting.map(|waiting| waiting.send(result));
            }
            Effect::Upgraded(result) => {
                let waiting = self.upgrading.take();
                let _ = waiting.map(|waiting| waiting.send(result));
            }
            Effect::Gone { node, standing } => self.lose(node, standing),
            Effect::Left => {
                tracing::warn!("this node has left its cluster; the others have all that it had");
                self.node.has_left();
            }
            Effect::Report(report) => {
                self.links.figures().note(&report);
                report::log(&report);
                self.observed.report(&report, self.now());
            }
            // Taken where it is asked for.
            Effect::Reply(_) => {}
        }
    }

    /// Follows a peer's log, once more if it was followed before.
    fn follow(&mut self, peer: NodeId, cursor: Cursor, channels: &Channels) {
        self.streams += 1;
        let (stream, end) = (StreamId { peer, number: self.streams }, CancellationToken::new());
        let pulse = self.engine.gate(&self.host).pulse;
        let (links, jobs) = (self.links.clone(), channels.jobs.clone());
        let following = follow::follow(links, stream, cursor, pulse, jobs);
        self.spawn(end.clone().run_until_cancelled_owned(following));
        if let Some(before) = self.followed.insert(peer, Followed { stream, end }) {
            before.end.cancel();
        }
    }

    /// Looks no more for a node that left or was given up.
    fn lose(&self, node: NodeId, standing: members::Standing) {
        tracing::warn!(%node, ?standing, "no member any more");
        let links = self.links.clone();
        self.spawn(async move { links.forget(node).await });
    }

    /// Puts aside what may be this node's alone and has the node start anew, with an empty store.
    fn start_over(&self, held: Stamp, given_up: bool) {
        if given_up {
            tracing::error!("this node is no member any more: it starts over as a new, empty one");
        } else {
            tracing::error!(
                "this node was away for too long: deletes that it missed are forgotten, so it \
                 starts over as an empty node"
            );
        }
        let store = self.node.store();
        match rescue::write(store, &self.node.settings().data_dir, held, self.node.now()) {
            Ok(None) => tracing::info!("nothing was written here that others cannot have"),
            Ok(Some((path, keys))) => tracing::warn!(
                path = %path.display(),
                keys,
                "what may be here alone was put aside; `kvs import` takes it back"
            ),
            Err(error) => {
                tracing::error!(%error, "this node does not start over: nothing must be lost");
                return;
            }
        }
        match local::mark_for_emptying(store, given_up) {
            Ok(()) => self.node.start_over().cancel(),
            Err(error) => tracing::error!(%error, "this node cannot start over"),
        }
    }

    /// Runs what ends with the node.
    fn spawn(&self, task: impl Future<Output: Send> + Send + 'static) {
        let stopping = self.node.stopping().clone();
        self.node.spawn_on(&self.runtime, stopping.run_until_cancelled_owned(task));
    }

    fn now(&self) -> Now {
        Now { wall: self.node.now(), running: self.node.running() }
    }

    fn standing(&self) -> Standing {
        Standing {
            life: self.engine.life(),
            gate: self.engine.gate(&self.host),
            watch: self.engine.watch(),
            digest_key: self.host.identity.digest_key.clone(),
        }
    }
}

/// The question that was answered, if this is its answer and no refusal.
fn answered(input: &Input) -> Option<AskId> {
    match input {
        Input::Answered { answer: Ok(Answer::Refused(_)) | Err(_), .. } => None,
        Input::Answered { ask, answer: Ok(_) } => Some(*ask),
        _ => None,
    }
}

/// This piece of a log and all that wait behind it, those of one stream joined where they are small,
/// and the first job that is none: each piece is a write of its own, which may wait for a flush that
/// others need, and many small ones would soon be late.
fn waiting_frames(
    waiting: &mut mpsc::Receiver<Job>,
    stream: StreamId,
    frame: Box<Frame>,
) -> (Vec<(StreamId, Box<Frame>)>, Option<Job>) {
    let mut frames = vec![(stream, frame)];
    for _ in 0..JOBS {
        match waiting.try_recv() {
            Ok(Job::Frame { stream, frame }) => {
                let last = frames.iter_mut().rfind(|(other, _)| *other == stream);
                if last.is_none_or(|(_, last)| !last.join(&frame)) {
                    frames.push((stream, frame));
                }
            }
            Ok(other) => return (frames, Some(other)),
            Err(_none) => break,
        }
    }
    (frames, None)
}

async fn ask_peer(
    links: Arc<Links>,
    ask: AskId,
    peer: NodeId,
    question: Question,
    jobs: mpsc::Sender<Job>,
) {
    let answer = links.ask(peer, &question).await.map_err(|error| error.to_string());
    // An engine that has ended needs no answer.
    let _ = jobs.send(Job::Input(Input::Answered { ask, answer })).await;
}

/// Wakes the engine when it wishes, until the node stops.
async fn wake_up(node: Arc<Node>, mut wakes: watch::Receiver<Duration>, jobs: mpsc::Sender<Job>) {
    let began = Instant::now() - node.running();
    loop {
        let at = *wakes.borrow_and_update();
        // Longer than any machine runs: not at all.
        let at = began + at.min(Duration::from_hours(24 * 365));
        tokio::select! {
            () = node.stopping().cancelled() => return,
            changed = wakes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep_until(at) => {
                if jobs.send(Job::Input(Input::Tick)).await.is_err() || wakes.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}
