//! Replication as one state machine: who may talk to whom, whose log is followed, what is compared
//! when, what is agreed, and how an empty node becomes a member.
//!
//! [`Engine::step`] takes what happened and says what is to be done. It knows no sockets, threads or
//! clocks: time and chance are arguments, and the store is a [`Host`] that it calls. Whoever drives
//! it (a thread in a node, a scheduler in a simulation) carries questions and answers, keeps streams
//! open, and calls it again at [`Engine::wake_at`].
//!
//! Reading order: this file, then [`life`] (birth, filling, catching up), [`meeting`] (greetings and
//! the fence), [`stream`] (following logs), [`talk`] (comparing as the one who asks), [`serve`]
//! (answering).

mod life;
mod meeting;
mod peer;
mod serve;
mod stream;
mod talk;
mod view;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agreement::{Agreement, Pulse, Saved};
use crate::digest::Position;
use crate::id::NodeId;
use crate::key::RecordId;
use crate::members::{Member, Members};
use crate::stamp::{Stamp, UnixMillis};
use crate::sync::Replica;
use crate::version::Version;
use crate::wire::{Admission, Answer, Frame, Question, Refusal, Sent};

pub use crate::wire::{Cursor, Life};
pub use serve::{Gate, Served, serve};
pub use view::{PeerView, Stream, View};
pub use watch::{ClockAhead, Watch};

use peer::Peer;
use talk::Talk;

/// About how many bytes of versions go into one message.
pub const MESSAGE_BYTES: usize = 1 << 20;
/// How long a node that is a member waits for another to show before it serves without.
const ALONE_AFTER: Duration = Duration::from_secs(30);
/// How long an empty node that met only empty ones looks for one that is not, before one of them
/// founds the cluster.
const FOUND_AFTER: Duration = Duration::from_secs(1);
/// How long after a failure the same is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// What does not change while the engine runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster that the node belongs to, or waits to be taken into.
    pub cluster: Uuid,
    /// Who it is.
    pub node: NodeId,
    /// Drawn at every start.
    pub boot: u64,
    /// Its display name.
    pub name: String,
    /// When it first started.
    pub joined: UnixMillis,
    /// Whether it was told of others: an empty node then waits for them.
    pub has_seeds: bool,
    /// Between two comparisons.
    pub sync_interval: Duration,
    /// Between two comparisons while something differs.
    pub catchup_interval: Duration,
    /// How far ahead of the wall clock a stamp may be.
    pub max_clock_drift: Duration,
    /// How long deletes are remembered beyond the need.
    pub retention: Duration,
    /// Age of the oldest revisions that an empty node asks for.
    pub revision_age: Duration,
    /// Bytes a second that an empty node takes.
    pub bootstrap_rate: Option<u64>,
}

/// What the last run left.
#[derive(Clone, Debug, Default)]
pub struct Resumed {
    /// Whether the store belongs to the cluster.
    pub born: bool,
    /// How far each other node's log was followed.
    pub cursors: BTreeMap<NodeId, Cursor>,
    /// What was agreed.
    pub agreement: Saved,
    /// Where filling stood, if it was not finished.
    pub bootstrap: Option<Bootstrap>,
}

/// How far the filling of an empty node has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Everything before this position has come: of 2^64.
    pub position: u64,
    /// Versions that came.
    pub versions: u64,
    /// How many members ever there were when this node was taken in: until as many of their records
    /// have come, it does not know who else there is.
    #[serde(default)]
    pub members: u64,
}

/// The store and clock that the engine runs on.
pub trait Host: Replica {
    /// The stamp that was given out last.
    fn clock(&self) -> Stamp;

    /// Moves the clock to at least `to` and returns it. What was stamped before is then committed,
    /// and what will be is later.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn raise_clock(&mut self, to: Stamp) -> Result<Stamp, Self::Error>;

    /// Whether the digest tree is whole.
    fn comparable(&self) -> bool;

    /// The current version of a record, as it travels.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn version(&self, record: &[u8]) -> Result<Option<Bytes>, Self::Error>;

    /// The records from a position on with their revisions since an instant, about `bytes` of them,
    /// and where to go on.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn page(
        &self,
        from: Position,
        revisions_since: UnixMillis,
        bytes: usize,
    ) -> Result<(Vec<Sent>, Option<Position>), Self::Error>;

    /// All members ever, as their records say.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn members(&self) -> Result<Members, Self::Error>;

    /// Up to where the own log goes.
    fn log_end(&self) -> Cursor;

    /// The secret of the digest tree.
    fn digest_key(&self) -> [u8; 32];

    /// Merges versions and keeps notes, all at once.
    ///
    /// # Errors
    ///
    /// The store failed; nothing of it was written, or it must be opened again.
    fn apply(
        &mut self,
        versions: Vec<(RecordId, Version)>,
        notes: &[Note<'_>],
    ) -> Result<(), Self::Error>;

    /// Brings everything applied so far to disk, and these notes with it.
    ///
    /// # Errors
    ///
    /// It may not be there.
    fn save(&mut self, notes: &[Note<'_>]) -> Result<(), Self::Error>;

    /// Removes what was dead before `horizon`.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn collect(&mut self, horizon: Stamp) -> Result<(), Self::Error>;

    /// Writes a member's record, as a write of this node, and brings it to disk.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn enroll(&mut self, member: &Member) -> Result<(), Self::Error>;

    /// Makes an empty store one of the cluster: as its first, or as another member says.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn adopt(
        &mut self,
        admission: Option<&Admission>,
        notes: &[Note<'_>],
    ) -> Result<(), Self::Error>;
}

/// What a node keeps for itself, beside its records.
#[derive(Clone, Copy, Debug)]
pub enum Note<'a> {
    /// How far another node's log was followed.
    Cursor(NodeId, Cursor),
    /// What is agreed.
    Agreement(&'a Saved),
    /// How far filling has come; nothing once it is done.
    Bootstrap(Option<&'a Bootstrap>),
}

/// The time, both ways.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Wall time.
    pub wall: UnixMillis,
    /// Time since the engine was made, which no clock setting moves.
    pub running: Duration,
}

/// Names a question until its answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// Time passed.
    Tick,
    /// A node can be reached.
    Reachable(NodeId),
    /// It no longer can.
    Unreachable(NodeId),
    /// A question was answered, or could not be asked.
    Answered {
        /// Which.
        ask: AskId,
        /// The answer; or why there is none.
        answer: Result<Answer, String>,
    },
    /// A piece of a followed log came.
    Frame {
        /// Whose.
        peer: NodeId,
        /// The piece.
        frame: Box<Frame>,
    },
    /// A followed log ended.
    Ended {
        /// Whose.
        peer: NodeId,
        /// Why: a refusal, or a broken connection.
        why: Result<Refusal, String>,
    },
    /// A member asks what concerns the engine: hello, begin, agree or join.
    Asked {
        /// Who.
        peer: NodeId,
        /// What.
        question: Question,
    },
    /// Somebody said how far it is, in a question that was answered without the engine.
    Heard {
        /// Who.
        peer: NodeId,
        /// What it said.
        pulse: Pulse,
    },
    /// Records of members may have changed.
    MembersChanged,
    /// Compare with all others now.
    CompareAll,
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Ask, and bring the answer.
    Ask {
        /// What its answer is to be called.
        ask: AskId,
        /// Whom.
        peer: NodeId,
        /// What.
        question: Question,
    },
    /// Follow a node's log from a cursor.
    Follow {
        /// Whose.
        peer: NodeId,
        /// From where; from the beginning without one.
        cursor: Cursor,
    },
    /// Stop following it.
    Unfollow {
        /// Whose.
        peer: NodeId,
    },
    /// The answer to [`Input::Asked`] of this step.
    Reply(Answer),
    /// This node has missed what nobody remembers: put what it alone may have aside, empty the
    /// store, and start over.
    Fenced {
        /// What is stamped later may be this node's alone.
        held: Stamp,
        /// Whether it was given up, and so must come back as another node.
        given_up: bool,
    },
    /// Something that a person may want to know.
    Report(Report),
}

/// Something that a person may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A node and this one cannot talk.
    Refused {
        /// Which.
        peer: NodeId,
        /// Why.
        refusal: Refusal,
        /// Whether this node refused, or that one.
        ours: bool,
    },
    /// The node's life went on.
    Life(Life),
    /// A comparison found differences.
    Repaired {
        /// With whom.
        peer: NodeId,
        /// What was seen.
        counts: crate::sync::Counts,
    },
    /// The store failed; what was going on is tried again.
    Failed(String),
    /// A peer broke the protocol.
    Broken {
        /// Which.
        peer: NodeId,
        /// How.
        how: String,
    },
}

/// Replication of one node.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    life: Life,
    /// Since when, in running time.
    life_since: Duration,
    members: Members,
    agreement: Agreement,
    cursors: BTreeMap<NodeId, Cursor>,
    peers: BTreeMap<NodeId, Peer>,
    /// While it is being filled.
    bootstrap: Bootstrap,
    /// The peer that fills it, and the question that it was asked.
    filler: Option<(NodeId, AskId)>,
    /// Not before this is the next page asked for.
    page_at: Duration,
    talk: Option<Talk>,
    compare_at: Duration,
    watch: Watch,
    next_ask: u64,
    /// When the last step was, in running time.
    stepped: Duration,
    /// Told to start over: nothing is done any more.
    fenced: bool,
    effects: Vec<Effect>,
}

impl Engine {
    /// An engine that goes on where the last run left off.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn new<H: Host>(
        config: Config,
        resumed: Resumed,
        now: Now,
        host: &H,
    ) -> Result<Self, H::Error> {
        let watch = Watch::new(now, config.max_clock_drift);
        let Resumed { born, cursors, agreement, bootstrap } = resumed;
        let life = match (born, bootstrap) {
            (false, _) => Life::Unborn,
            (true, Some(_)) => Life::Filling,
            (true, None) => Life::CatchingUp,
        };
        let members = host.members()?;
        let mut agreement = Agreement::new(config.node, agreement, config.retention);
        agreement.members_are(&members);
        Ok(Self {
            config,
            life,
            life_since: Duration::ZERO,
            members,
            agreement,
            cursors,
            peers: BTreeMap::new(),
            bootstrap: bootstrap.unwrap_or_default(),
            filler: None,
            page_at: Duration::ZERO,
            talk: None,
            compare_at: Duration::ZERO,
            watch,
            next_ask: 0,
            stepped: Duration::ZERO,
            fenced: false,
            effects: Vec::new(),
        })
    }

    /// Takes what happened and says what is to be done. `random` need only be hard to foresee.
    pub fn step<H: Host>(
        &mut self,
        input: Input,
        now: Now,
        random: u64,
        host: &mut H,
    ) -> Vec<Effect> {
        self.stepped = now.running;
        if !self.fenced {
            let done = self.take(input, now, host).and_then(|()| self.proceed(now, random, host));
            if let Err(error) = done {
                self.give_up_talk(now);
                self.filler = None;
                self.page_at = now.running + RETRY;
                self.report(Report::Failed(error.to_string()));
            }
        }
        std::mem::take(&mut self.effects)
    }

    /// When something is to be done although nothing happens, in running time: always after the last
    /// step, since what was due then and was not done waits for something else to happen.
    pub fn wake_at(&self) -> Duration {
        let peers = self.peers.values().flat_map(Peer::plans);
        let life = match self.life {
            Life::Serving => None,
            Life::CatchingUp => Some(self.life_since + ALONE_AFTER),
            Life::Unborn | Life::Filling => Some(self.page_at),
        };
        let all = peers.chain(life).chain([self.compare_at]);
        all.filter(|at| *at > self.stepped).min().unwrap_or(Duration::MAX)
    }

    /// What others must pass before they are answered, for whoever answers without the engine.
    pub fn gate<H: Host>(&self, host: &H) -> Gate {
        Gate {
            pulse: self.agreement.pulse(host.clock()),
            open: self.has_data() && !self.fenced,
            max_clock_drift: self.config.max_clock_drift,
        }
    }

    /// Where the node is in its life.
    pub const fn life(&self) -> Life {
        self.life
    }

    fn take<H: Host>(&mut self, input: Input, now: Now, host: &mut H) -> Result<(), H::Error> {
        match input {
            Input::Tick => Ok(()),
            Input::Reachable(peer) => {
                self.reachable(peer, now);
                Ok(())
            }
            Input::Unreachable(peer) => {
                self.unreachable(peer, now);
                Ok(())
            }
            Input::Answered { ask, answer } => self.answered(ask, answer, now, host),
            Input::Frame { peer, frame } => self.frame(peer, *frame, now, host),
            Input::Ended { peer, why } => {
                self.ended(peer, why, now);
                Ok(())
            }
            Input::Asked { peer, question } => self.asked(peer, question, now, host),
            Input::Heard { peer, pulse } => self.hear(peer, pulse, now, host).map(drop),
            Input::MembersChanged => self.read_members(host),
            Input::CompareAll => {
                self.peers.values_mut().for_each(|peer| peer.compare = true);
                Ok(())
            }
        }
    }

    /// Does what is due.
    fn proceed<H: Host>(&mut self, now: Now, random: u64, host: &mut H) -> Result<(), H::Error> {
        self.watch_clock(now);
        self.live(now, random, host)?;
        self.greet(now, host);
        if self.has_data() {
            self.follow(now);
            self.compare(now, random, host);
            self.stand_alone(now, host)?;
            self.settle(host)?;
        }
        Ok(())
    }

    /// Brings questions' answers to whom they concern.
    fn answered<H: Host>(
        &mut self,
        ask: AskId,
        answer: Result<Answer, String>,
        now: Now,
        host: &mut H,
    ) -> Result<(), H::Error> {
        if let Some(peer) = self.greeted_by(ask) {
            return self.greeted(peer, answer, now, host);
        }
        if let Some((peer, _)) = self.filler.filter(|(_, filling)| *filling == ask) {
            return self.filled(peer, answer, now, host);
        }
        if self.talk.as_ref().is_some_and(|talk| talk.ask == ask) {
            return self.talked(answer, now, host);
        }
        // The peer went away meanwhile; nobody waits for it any more.
        Ok(())
    }

    /// Takes over what the records say of who counts.
    fn read_members<H: Host>(&mut self, host: &H) -> Result<(), H::Error> {
        self.members = host.members()?;
        self.agreement.members_are(&self.members);
        Ok(())
    }

    /// Lets a node that is the only member go on without comparing.
    fn stand_alone<H: Host>(&mut self, now: Now, host: &mut H) -> Result<(), H::Error> {
        if !self.is_alone() || self.compare_at > now.running {
            return Ok(());
        }
        self.compare_at = now.running + self.config.sync_interval;
        let clock = host.raise_clock(self.trusted(now).unwrap_or_default())?;
        self.agreement.raise_held(&self.members, clock);
        host.save(&[Note::Agreement(self.agreement.saved())])
    }

    /// Whether it is a member and nobody else is.
    fn is_alone(&self) -> bool {
        let me = self.config.node;
        self.members.counts(me) && self.members.joined().all(|member| member.node == me)
    }

    /// Lets the dead go that everybody is known to have seen die.
    fn settle<H: Host>(&mut self, host: &mut H) -> Result<(), H::Error> {
        if self.agreement.raise_horizon(&self.members) {
            host.collect(self.agreement.horizon())?;
        }
        Ok(())
    }

    /// Whether there is anything to share.
    const fn has_data(&self) -> bool {
        matches!(self.life, Life::CatchingUp | Life::Serving)
    }

    fn ask(&mut self, peer: NodeId, question: Question) -> AskId {
        let ask = AskId(self.next_ask);
        self.next_ask += 1;
        self.effects.push(Effect::Ask { ask, peer, question });
        ask
    }

    fn reply(&mut self, answer: Answer) {
        self.effects.push(Effect::Reply(answer));
    }

    fn report(&mut self, report: Report) {
        self.effects.push(Effect::Report(report));
    }

    fn broken(&mut self, peer: NodeId, how: impl ToString) {
        self.report(Report::Broken { peer, how: how.to_string() });
    }
}

#[cfg(test)]
mod tests;
