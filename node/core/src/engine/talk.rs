//! Comparing with a peer, as the one who asks: with whom, when, and how it ends.

mod exchange;

use std::collections::VecDeque;

use super::peer::{Accord, Wanted};
use super::{AskId, Engine, Host, Note, Now, Peer, RETRY, Report};
use crate::agreement::proven;
use crate::digest::Position;
use crate::id::NodeId;
use crate::stamp::Stamp;
use crate::sync::{Conversation, Fetch, Next, Request};
use crate::wire::{Answer, Question, Refusal, Run};

/// A comparison that is under way.
#[derive(Debug)]
pub(super) struct Talk {
    peer: NodeId,
    /// The question whose answer is waited for.
    pub(super) ask: AskId,
    /// Where both clocks stood when it began.
    clock: Stamp,
    /// The peer's run that it began with.
    run: Run,
    /// Nothing until the clocks are exchanged.
    conversation: Option<Conversation>,
    /// What is still to be done before the conversation's next step.
    steps: VecDeque<Step>,
    /// What was asked last.
    asked: Asked,
}

#[derive(Debug)]
enum Step {
    /// Exchange clocks and horizons, and compare from the root.
    Begin,
    Compare(Request),
    Push(Vec<Vec<u8>>),
    Fetch(Fetch),
    /// Take all that the peer has, from here on.
    Take(Position),
    /// Give the peer all that there is, from here on.
    Give(Position),
    Agree,
}

impl From<Next> for Step {
    fn from(next: Next) -> Self {
        match next {
            Next::Ask(request) => Self::Compare(request),
            Next::Agreed(_) => Self::Agree,
            Next::Lopsided { mine, theirs } if mine < theirs => Self::Take(Position(0)),
            Next::Lopsided { .. } => Self::Give(Position(0)),
        }
    }
}

#[derive(Debug)]
enum Asked {
    Begin,
    Compare,
    Push,
    Fetch(Fetch),
    Take,
    Agree,
}

/// Why a comparison was given up.
enum Abandon<E> {
    /// The peer refused, or this node refuses what the peer sent.
    Refused(Refusal, bool),
    /// The connection failed.
    Lost,
    /// The peer's tree is not whole yet.
    Later,
    /// The peer broke the protocol.
    Broken(String),
    /// The store failed.
    Store(E),
}

impl<E> From<Refusal> for Abandon<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal, true)
    }
}

impl Engine {
    /// Begins a comparison if one is due.
    pub(super) fn compare<H: Host>(&mut self, now: Now, random: u64, host: &mut H) {
        if self.talk.is_some() {
            return;
        }
        if !host.comparable() {
            self.compare_at = self.compare_at.max(now.running + RETRY);
            return;
        }
        let Some(peer) = self.whom_to_compare(now, random) else { return };
        if let Some(chosen) = self.peers.get_mut(&peer) {
            // What is asked for from here on is another comparison.
            chosen.compare = Wanted::Soon;
        }
        let pulse = self.agreement.pulse(host.clock());
        let ask = self.ask(peer, Question::Begin(pulse));
        let (steps, asked) = (VecDeque::new(), Asked::Begin);
        let clock = pulse.clock;
        let run = Run::of(0);
        self.talk = Some(Talk { peer, ask, clock, run, conversation: None, steps, asked });
        self.compare_at = now.running + self.config.sync_interval;
    }

    /// Somebody met again or not agreed with yet; else, when it is time, anybody.
    fn whom_to_compare(&mut self, now: Now, random: u64) -> Option<NodeId> {
        let ready =
            |peer: &Peer| peer.is_met() && peer.has_data() && peer.compare_at <= now.running;
        let ready: Vec<(NodeId, bool)> = self
            .peers
            .iter()
            .filter(|(_, peer)| ready(peer))
            .map(|(id, peer)| (*id, peer.compare > Wanted::Sometime || self.owes(*id)))
            .collect();
        let wanted: Vec<NodeId> =
            ready.iter().filter(|(_, wanted)| *wanted).map(|(id, _)| *id).collect();
        if !wanted.is_empty() {
            return one_of(&wanted, random);
        }
        if self.compare_at > now.running {
            return None;
        }
        self.compare_at = now.running + self.config.sync_interval;
        one_of(&ready.iter().map(|(id, _)| *id).collect::<Vec<_>>(), random)
    }

    pub(super) fn give_up_talk(&mut self, now: Now) {
        if let Some(talk) = self.talk.take()
            && let Some(peer) = self.peers.get_mut(&talk.peer)
        {
            peer.compare = peer.compare.max(Wanted::Soon);
            peer.compare_at = now.running + RETRY;
        }
    }

    pub(super) fn give_up_talk_with(&mut self, peer: NodeId, now: Now) {
        if self.talk.as_ref().is_some_and(|talk| talk.peer == peer) {
            self.give_up_talk(now);
        }
    }

    /// Takes the answer to the comparison's last question.
    pub(super) fn talked<H: Host>(
        &mut self,
        answer: Result<Answer, String>,
        now: Now,
        host: &mut H,
    ) -> Result<(), H::Error> {
        let Some(mut talk) = self.talk.take() else { return Ok(()) };
        let peer = talk.peer;
        let stepped = match answer {
            Ok(answer) => self.take_answer(&mut talk, answer, now, host),
            Err(_) => Err(Abandon::Lost),
        };
        match stepped.and_then(|done| if done { Ok(true) } else { self.advance(&mut talk, host) }) {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.talk = Some(talk);
                Ok(())
            }
            Err(abandon) => {
                self.talk = Some(talk);
                self.give_up_talk(now);
                self.abandon(peer, abandon, now)
            }
        }
    }

    fn abandon<E>(&mut self, id: NodeId, abandon: Abandon<E>, now: Now) -> Result<(), E> {
        self.note_unfit(id, &abandon);
        match abandon {
            Abandon::Store(error) => return Err(error),
            Abandon::Broken(how) => self.broken(id, &how),
            Abandon::Refused(refusal, ours) => {
                let meets = matches!(
                    refusal,
                    Refusal::Fenced | Refusal::Behind | Refusal::GivenUp | Refusal::NotServing
                );
                if meets {
                    self.greet_anew(id, now);
                }
                self.note_refused(id, refusal, ours);
            }
            Abandon::Lost | Abandon::Later => {}
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.compare_at = now.running + self.config.catchup_interval;
        }
        Ok(())
    }

    /// Whether what ended a comparison will end the next one too.
    fn note_unfit<E>(&mut self, id: NodeId, abandon: &Abandon<E>) {
        let passes = match abandon {
            Abandon::Refused(refusal, _) => *refusal == Refusal::Restarted,
            Abandon::Broken(_) => false,
            Abandon::Lost | Abandon::Later | Abandon::Store(_) => true,
        };
        if let Some(peer) = self.peers.get_mut(&id).filter(|_| !passes) {
            peer.accord = Accord::Unfit;
        }
    }

    /// Both hold what either had.
    fn agreed<H: Host>(&mut self, talk: &Talk, now: Now, host: &mut H) -> Result<(), H::Error> {
        self.agreement.agree(&self.members, talk.peer, proven(talk.clock));
        host.save(&[Note::Agreement(self.agreement.saved())])?;
        if let Some(peer) = self.peers.get_mut(&talk.peer) {
            peer.has_agreed();
        }
        let counts = talk.conversation.as_ref().map(Conversation::counts).unwrap_or_default();
        if counts.differing > 0 {
            self.compare_at = now.running + self.config.catchup_interval;
            self.report(Report::Repaired { peer: talk.peer, counts });
        }
        Ok(())
    }
}

fn one_of(among: &[NodeId], random: u64) -> Option<NodeId> {
    let at = random.checked_rem(among.len() as u64)?;
    among.get(usize::try_from(at).unwrap_or(0)).copied()
}
