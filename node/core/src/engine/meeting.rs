//! Greetings: who may talk to whom, and which of two has been away for too long.

use std::mem;
use std::time::Duration;

use super::peer::{Reported, Wanted};
use super::serve::check_stamp;
use super::{AskId, Effect, Engine, Host, Life, Now, Peer, RETRY, Report};
use crate::agreement::{Fence, Pulse};
use crate::format::Format;
use crate::id::NodeId;
use crate::members::Kinship;
use crate::stamp::Stamp;
use crate::wire::{Answer, Hello, OLDEST_PROTOCOL, PROTOCOL, Question, Refusal};

impl Engine {
    pub(super) fn reachable(&mut self, id: NodeId, now: Now) {
        let peer = self.peers.entry(id).or_default();
        if !peer.reachable {
            peer.reachable = true;
            peer.greet_at = now.running;
        }
    }

    pub(super) fn unreachable(&mut self, id: NodeId, now: Now) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.reachable = false;
            peer.part();
            self.effects.push(Effect::Unfollow { peer: id });
        }
        self.give_up_talk_with(id, now);
        self.filler = self.filler.filter(|(filler, _)| *filler != id);
    }

    /// Greets whoever can be reached and was not met, or knows this node as it was before.
    pub(super) fn greet<H: Host>(&mut self, now: Now, host: &H) {
        let due = |peer: &Peer| peer.is_to_be_greeted(now.running);
        let due: Vec<NodeId> =
            self.peers.iter().filter(|(_, peer)| due(peer)).map(|(id, _)| *id).collect();
        for id in due {
            let hello = self.hello(now, host);
            let ask = self.ask(id, Question::Hello(Box::new(hello)));
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.greeting = Some(ask);
                peer.outdated = false;
            }
        }
    }

    /// How this node introduces itself.
    pub(super) fn hello<H: Host>(&self, now: Now, host: &H) -> Hello {
        Hello {
            oldest: OLDEST_PROTOCOL,
            newest: PROTOCOL,
            cluster: self.config.cluster,
            node: self.config.node,
            name: self.config.name.clone(),
            joined: self.config.joined,
            boot: self.config.boot,
            life: self.life,
            wall: now.wall,
            pulse: self.agreement.pulse(host.clock()),
            census: self.members.census(),
            format: host.format().number(),
            newest_format: self.config.newest_format.number(),
        }
    }

    /// Why this node and the one that so introduces itself have nothing to say to each other,
    /// whatever their data.
    pub(super) fn cannot_talk<H: Host>(&self, hello: &Hello, host: &H) -> Option<Refusal> {
        // Who is not born yet will write in the format of those who take it in.
        let format = if self.life == Life::Unborn { Format::ALL[0] } else { host.format() };
        hello.refusal(self.config.cluster, format, self.config.newest_format)
    }

    pub(super) fn greeted_by(&self, ask: AskId) -> Option<NodeId> {
        let greeted = |(_, peer): &(&NodeId, &Peer)| peer.greeting == Some(ask);
        self.peers.iter().find(greeted).map(|(id, _)| *id)
    }

    /// Takes the answer to a greeting.
    pub(super) fn greeted<H: Host>(
        &mut self,
        id: NodeId,
        answer: Result<Answer, String>,
        now: Now,
        host: &mut H,
    ) -> Result<(), H::Error> {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.greeting = None;
            peer.greet_at = now.running + 2 * RETRY;
        }
        match answer {
            Ok(Answer::Hello(hello)) if hello.node == id => {
                let refusal = self.meet(*hello, now, host)?;
                self.note_refusal(id, refusal, true);
            }
            Ok(Answer::Refused(refusal)) => {
                self.note_refusal(id, Some(refusal), false);
            }
            Ok(_) => self.broken(id, "its answer is none to a greeting"),
            // Not there yet: membership says when it is gone.
            Err(_) => {}
        }
        Ok(())
    }

    /// Takes a greeting, of a node that greets or was greeted, and says why the two cannot talk.
    pub(super) fn meet<H: Host>(
        &mut self,
        hello: Hello,
        now: Now,
        host: &mut H,
    ) -> Result<Option<Refusal>, H::Error> {
        let id = hello.node;
        let refusal = match self.cannot_talk(&hello, host) {
            None if self.has_data() && has_data(hello.life) => self.judge(&hello, now, host),
            refusal => refusal,
        };
        let peer = self.peers.entry(id).or_default();
        let returned = peer.hello.as_ref().is_none_or(|before| before.boot != hello.boot);
        if returned {
            peer.part();
            peer.compare = peer.compare.max(Wanted::Soon);
            peer.follow_at = now.running;
            // The other compares as well: one of the two goes first, and that is mostly enough.
            let first = self.config.node < id;
            peer.compare_at = now.running + if first { Duration::ZERO } else { RETRY };
        }
        peer.shows(hello.wall, now);
        peer.refusal.clone_from(&refusal);
        if refusal.is_none() {
            let (pulse, heard) = (hello.pulse, has_data(hello.life));
            peer.hello = Some(hello);
            if self.has_data() && heard {
                return self.hear(id, pulse, now, host);
            }
        } else {
            peer.greet_at = now.running + 4 * RETRY;
        }
        Ok(refusal)
    }

    /// Whether one of two that have data was away for too long, or was given up. Both judge by the
    /// same, so each finds out for itself.
    fn judge<H: Host>(&mut self, hello: &Hello, now: Now, host: &H) -> Option<Refusal> {
        let (mine, theirs) = (self.members.census(), &hello.census);
        let kinship = Kinship::between((self.config.node, &mine), (hello.node, theirs));
        let fence = Fence::between(&self.agreement.pulse(host.clock()), &hello.pulse);
        match (kinship, fence) {
            (Kinship::Same, Fence::Open) => None,
            (Kinship::Same, Fence::Ahead) => Some(Refusal::Fenced),
            (Kinship::Stays, _) => Some(Refusal::GivenUp),
            (Kinship::Goes, _) => {
                self.fence(self.agreement.held_by(&mine, theirs), true);
                Some(Refusal::Behind)
            }
            (Kinship::Same, Fence::Behind | Fence::Both) => {
                let limit = self.config.max_clock_drift;
                if let Err(ahead) = check_stamp(hello.pulse.horizon, now.wall, limit) {
                    return Some(ahead);
                }
                self.fence(self.agreement.held(), false);
                Some(Refusal::Behind)
            }
        }
    }

    /// Ends this node's present life: it starts over as an empty one. What is stamped after `held`
    /// may be its alone.
    pub(super) fn fence(&mut self, held: Stamp, given_up: bool) {
        if !self.fenced && self.leaving.is_none() {
            self.fenced = true;
            self.effects.push(Effect::Fenced { held, given_up });
        }
    }

    /// Takes what a peer says of how far it is, and what follows from it; says why it cannot be
    /// talked to.
    pub(super) fn hear<H: Host>(
        &mut self,
        id: NodeId,
        pulse: Pulse,
        now: Now,
        host: &mut H,
    ) -> Result<Option<Refusal>, H::Error> {
        match Fence::between(&self.agreement.pulse(host.clock()), &pulse) {
            Fence::Open => {
                self.agreement.hear(id, pulse);
                if self.agreement.adopt_horizon(pulse.horizon) {
                    self.collect(host)?;
                }
                Ok(None)
            }
            Fence::Ahead => Ok(Some(Refusal::Fenced)),
            // Only a greeting says which half is to stay.
            Fence::Behind | Fence::Both => {
                self.greet_anew(id, now);
                Ok(Some(Refusal::Behind))
            }
        }
    }

    /// Parts from a peer, to meet it again.
    pub(super) fn greet_anew(&mut self, id: NodeId, now: Now) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.part();
            peer.greet_at = now.running;
            self.effects.push(Effect::Unfollow { peer: id });
        }
    }

    /// Reports a refusal, unless it was reported since the two last agreed.
    pub(super) fn note_refused(&mut self, id: NodeId, refusal: Refusal, ours: bool) {
        let reported = Reported::Refusal(mem::discriminant(&refusal), ours);
        if self.peers.entry(id).or_default().reported.insert(reported) {
            self.report(Report::Refused { peer: id, refusal, ours });
        }
    }

    /// Answers a greeting.
    fn welcome<H: Host>(
        &mut self,
        hello: Hello,
        now: Now,
        host: &mut H,
    ) -> Result<Answer, H::Error> {
        let id = hello.node;
        if self.life == Life::Unborn {
            // Who is to found the cluster must know of all that could.
            self.reachable(id, now);
        }
        let refusal = self.meet(hello, now, host)?;
        self.note_refusal(id, refusal.clone(), true);
        Ok(match refusal {
            Some(
                refusal @ (Refusal::OtherCluster(_)
                | Refusal::Protocol { .. }
                | Refusal::Format { .. }),
            ) => Answer::Refused(refusal),
            // Which of two has to start over, it finds out by itself.
            _ => Answer::Hello(Box::new(self.hello(now, host))),
        })
    }

    fn note_refusal(&mut self, id: NodeId, refusal: Option<Refusal>, ours: bool) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.refusal.clone_from(&refusal);
        }
        if let Some(refusal) = refusal {
            self.note_refused(id, refusal, ours);
        }
    }

    /// Answers a member that asks what concerns the engine.
    pub(super) fn asked<H: Host>(
        &mut self,
        id: NodeId,
        question: Question,
        now: Now,
        host: &mut H,
    ) -> Result<(), H::Error> {
        let answer = match question {
            Question::Hello(hello) if hello.node == id => self.welcome(*hello, now, host)?,
            Question::Join(hello) if hello.node == id => {
                self.meet((*hello).clone(), now, host)?;
                self.watch_clock(now);
                self.admit(&hello, now, host)?
            }
            Question::Begin(pulse) => self.begin(id, pulse, now, host)?,
            Question::Agree(pulse, run) => self.agree(id, pulse, run, now, host)?,
            push @ Question::Push(..) => self.take_push(id, push, now, host)?,
            _ => Answer::Refused(Refusal::Unreadable("the question is not for here".into())),
        };
        self.reply(answer);
        Ok(())
    }
}

/// Whether a node in this part of its life has anything to share.
pub(super) const fn has_data(life: Life) -> bool {
    matches!(life, Life::CatchingUp | Life::Serving)
}
