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
//! (answering), [`leave`] (going, and giving others up), [`upgrade`] (writing in a later format).

mod config;
mod event;
mod host;
mod leave;
mod life;
mod meeting;
mod peer;
mod serve;
mod stream;
mod talk;
mod upgrade;
mod view;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::agreement::Agreement;
use crate::id::NodeId;
use crate::members::{Members, Standing};
use crate::wire::{Answer, Question, Run};

pub use crate::wire::{Cursor, Life};
pub use config::{Bootstrap, Config, Resumed};
pub use event::{AskId, Effect, ForgetError, Input, Now, Report, UpgradeError};
pub use host::{Host, Note};
pub use serve::{Gate, Served, serve};
pub use view::{PeerView, Stream, View};
pub use watch::{ClockAhead, Watch};

use leave::Leaving;
use peer::{Peer, Reported, Wanted};
use talk::Talk;

/// About how many bytes of versions go into one message.
pub const MESSAGE_BYTES: usize = 1 << 20;
/// How long a node that is a member waits for another to show before it serves without.
const ALONE_AFTER: Duration = Duration::from_secs(30);
/// How long an empty node that met only empty ones looks for one that is not, before one of them
/// founds the cluster.
const FOUND_AFTER: Duration = Duration::from_secs(1);
/// How long a failure that lasts is not reported again.
const QUIET: Duration = Duration::from_mins(1);
/// How long after a failure the same is tried again.
const RETRY: Duration = Duration::from_millis(500);

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
    /// Since when nobody sent a page because each had missed something, in running time.
    ahead_since: Option<Duration>,
    talk: Option<Talk>,
    compare_at: Duration,
    watch: Watch,
    /// Once it was told to go for good.
    leaving: Option<Leaving>,
    /// The last failure that was reported, and when.
    failed: Option<(String, Duration)>,
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
        let life = match (born, &bootstrap) {
            (false, _) => Life::Unborn,
            (true, Some(_)) => Life::Filling,
            (true, None) => Life::CatchingUp,
        };
        let members = host.members()?;
        let left = members.get(config.node).is_some_and(|me| me.standing == Standing::Left);
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
            ahead_since: None,
            talk: None,
            compare_at: Duration::ZERO,
            watch,
            leaving: left.then(Leaving::unfinished),
            failed: None,
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
                self.report_failure(error.to_string(), now);
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
        let all = peers.chain(life).chain(self.tell_at()).chain([self.compare_at]);
        all.filter(|at| *at > self.stepped).min().unwrap_or(Duration::MAX)
    }

    /// What others must pass before they are answered, for whoever answers without the engine.
    pub fn gate<H: Host>(&self, host: &H) -> Gate {
        Gate {
            pulse: self.agreement.pulse(host.clock()),
            run: Run::of(self.config.boot),
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
            Input::Frame { peer, frame } => self.frame(peer, &frame, now, host),
            Input::Ended { peer, why } => {
                self.ended(peer, why, now);
                Ok(())
            }
            Input::Asked { peer, question } => self.asked(peer, question, now, host),
            Input::Heard { peer, pulse } => {
                self.leave_to(peer, now);
                self.hear(peer, pulse, now, host).map(drop)
            }
            Input::Compares { peer } => {
                self.leave_to(peer, now);
                Ok(())
            }
            Input::MembersChanged => self.read_members(now, host),
            Input::CompareAll => {
                for peer in self.peers.values_mut() {
                    peer.compare = Wanted::AskedFor;
                    peer.compare_at = now.running;
                }
                Ok(())
            }
            Input::Found => self.found_alone(now, host),
            Input::Forget(node) => self.forget(node, now, host),
            Input::Upgrade => self.upgrade(now, host),
            Input::Leave => self.leave(host),
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
            self.enroll_itself(now, host)?;
            self.stand_alone(now, host)?;
            self.settle(host)?;
        }
        self.go(now, host)
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
        self.heard_of_leave(ask, &answer, now);
        // The peer went away meanwhile; nobody waits for it any more.
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
        if self.agreement.raise_horizon(&self.members) { self.collect(host) } else { Ok(()) }
    }

    /// Lets the dead go that died before the horizon. That it rose goes first: a store that has
    /// forgotten must not say after a crash that it remembers.
    fn collect<H: Host>(&mut self, host: &mut H) -> Result<(), H::Error> {
        host.apply(Vec::new(), &[Note::Agreement(self.agreement.saved())])?;
        host.collect(self.agreement.horizon())
    }

    /// Whether there is anything to share.
    fn has_data(&self) -> bool {
        meeting::has_data(self.life) && !self.has_left()
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

    /// Reports a failure of the store, unless it was the last one reported and not long ago.
    fn report_failure(&mut self, error: String, now: Now) {
        let fresh = |(last, at): &(String, Duration)| *last == error && now.running < *at + QUIET;
        if !self.failed.as_ref().is_some_and(fresh) {
            self.failed = Some((error.clone(), now.running));
            self.report(Report::Failed(error));
        }
    }

    /// Reports that a peer broke the protocol, unless nothing was agreed with it since the last time.
    fn broken(&mut self, id: NodeId, how: &str) {
        if self.peers.entry(id).or_default().reported.insert(Reported::Broken) {
            self.report(Report::Broken { peer: id, how: how.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests;
