//! Comparing with a peer, as the one who asks.

use std::collections::VecDeque;
use std::mem;

use super::{AskId, Engine, Host, MESSAGE_BYTES, Note, Now, Peer, RETRY, Report, serve};
use crate::agreement::{Pulse, proven};
use crate::digest::Position;
use crate::id::NodeId;
use crate::stamp::{Stamp, UnixMillis};
use crate::sync::{Conversation, Fetch, Next, TurnError};
use crate::wire::{Answer, Parcel, Question, RangeFrom, Refusal, Run, Sent};

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
    Push(Vec<Vec<u8>>),
    Fetch(Fetch),
    /// Take all that the peer has, from here on.
    Take(Position),
    /// Give the peer all that there is, from here on.
    Give(Position),
    Next(Next),
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
            .map(|(id, peer)| (*id, peer.compare))
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
            peer.compare = true;
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
        match stepped
            .and_then(|done| if done { Ok(true) } else { self.advance(&mut talk, now, host) })
        {
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
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.unfit |= matches!(abandon, Abandon::Refused(..) | Abandon::Broken(_));
        }
        match abandon {
            Abandon::Store(error) => return Err(error),
            Abandon::Broken(how) => self.broken(id, how),
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

    /// Takes an answer; says whether the comparison is over.
    fn take_answer<H: Host>(
        &mut self,
        talk: &mut Talk,
        answer: Answer,
        now: Now,
        host: &mut H,
    ) -> Result<bool, Abandon<H::Error>> {
        if let Answer::Refused(refusal) = answer {
            return Err(Abandon::Refused(refusal, false));
        }
        let unfit = || Abandon::Broken("its answer is none to what it was asked".into());
        match (mem::replace(&mut talk.asked, Asked::Begin), answer) {
            (Asked::Begin, Answer::Begun(pulse, run)) => {
                talk.run = run;
                self.check_clock(pulse.clock, now)?;
                self.take_pulse(talk.peer, pulse, now, host)?;
                talk.clock = host.raise_clock(pulse.clock).map_err(Abandon::Store)?;
                self.begin_conversation(talk, pulse.clock, host);
            }
            (Asked::Compare, Answer::Compared(response)) => {
                let conversation = talk.conversation.as_mut().ok_or_else(unfit)?;
                let turn = conversation.turn(response, host).map_err(turn_error)?;
                if !turn.push.is_empty() {
                    talk.steps.push_back(Step::Push(turn.push));
                }
                if !turn.fetch.is_empty() {
                    talk.steps.push_back(Step::Fetch(turn.fetch));
                }
                talk.steps.push_back(Step::Next(turn.next));
            }
            (Asked::Push, Answer::Pushed(pulse)) => self.take_pulse(talk.peer, pulse, now, host)?,
            (Asked::Fetch(fetch), Answer::Fetched(pulse, parcel, served)) => {
                self.take_pulse(talk.peer, pulse, now, host)?;
                self.take_parcel(&parcel, now, host)?;
                let rest = fetch.without_first(served.max(1) as usize);
                if !rest.is_empty() {
                    talk.steps.push_front(Step::Fetch(rest));
                }
            }
            (Asked::Take, Answer::Range(pulse, parcel, next)) => {
                self.take_pulse(talk.peer, pulse, now, host)?;
                self.take_parcel(&parcel, now, host)?;
                talk.steps.extend(next.map(Step::Take));
            }
            (Asked::Agree, Answer::Agreed(pulse)) => {
                self.take_pulse(talk.peer, pulse, now, host)?;
                self.agreed(talk, now, host).map_err(Abandon::Store)?;
                return Ok(true);
            }
            _ => return Err(unfit()),
        }
        Ok(false)
    }

    fn begin_conversation<H: Host>(&mut self, talk: &mut Talk, clock: Stamp, host: &H) {
        talk.clock = clock;
        let (conversation, request) = Conversation::start(clock, host);
        talk.conversation = Some(conversation);
        talk.steps.push_back(Step::Next(Next::Ask(request)));
    }

    /// Asks what the next step needs; says whether the comparison is over.
    fn advance<H: Host>(
        &mut self,
        talk: &mut Talk,
        now: Now,
        host: &mut H,
    ) -> Result<bool, Abandon<H::Error>> {
        let pulse = self.agreement.pulse(host.clock());
        let (question, asked) = match talk.steps.pop_front() {
            Some(Step::Push(records)) => {
                let (parcel, rest) = pack(records, host).map_err(Abandon::Store)?;
                if !rest.is_empty() {
                    talk.steps.push_front(Step::Push(rest));
                }
                (Question::Push(pulse, parcel), Asked::Push)
            }
            Some(Step::Fetch(fetch)) => {
                (Question::Fetch(pulse, fetch.clone()), Asked::Fetch(fetch))
            }
            Some(Step::Take(position)) => {
                let from = RangeFrom { position, revisions_since: UnixMillis(u64::MAX) };
                (Question::Range(pulse, from), Asked::Take)
            }
            Some(Step::Give(position)) => {
                let none = UnixMillis(u64::MAX);
                let page = host.page(position, none, MESSAGE_BYTES).map_err(Abandon::Store)?;
                talk.steps.extend(page.1.map(Step::Give));
                (Question::Push(pulse, Parcel::pack(&page.0)), Asked::Push)
            }
            Some(Step::Next(Next::Ask(request))) => (Question::Compare(request), Asked::Compare),
            Some(Step::Next(Next::Lopsided { mine, theirs })) => {
                let all = Position(0);
                talk.steps.push_back(if mine < theirs { Step::Take(all) } else { Step::Give(all) });
                return self.advance(talk, now, host);
            }
            Some(Step::Next(Next::Agreed(_))) => {
                host.save(&[]).map_err(Abandon::Store)?;
                let pulse = Pulse { clock: talk.clock, ..pulse };
                (Question::Agree(pulse, talk.run), Asked::Agree)
            }
            None => {
                // All that one side had was streamed: what is left to find is found by comparing.
                self.begin_conversation(talk, talk.clock, host);
                return self.advance(talk, now, host);
            }
        };
        talk.ask = self.ask(talk.peer, question);
        talk.asked = asked;
        Ok(false)
    }

    fn take_pulse<H: Host>(
        &mut self,
        peer: NodeId,
        pulse: Pulse,
        now: Now,
        host: &mut H,
    ) -> Result<(), Abandon<H::Error>> {
        match self.hear(peer, pulse, now, host).map_err(Abandon::Store)? {
            None => Ok(()),
            Some(refusal) => Err(refusal.into()),
        }
    }

    fn take_parcel<H: Host>(
        &mut self,
        parcel: &Parcel,
        now: Now,
        host: &mut H,
    ) -> Result<(), Abandon<H::Error>> {
        let versions = serve::open(parcel, now.wall, self.config.max_clock_drift)?;
        let members = serve::concern_members(&versions);
        host.apply(versions, &[]).map_err(Abandon::Store)?;
        if members {
            self.read_members(host).map_err(Abandon::Store)?;
        }
        Ok(())
    }

    fn check_clock(&self, clock: Stamp, now: Now) -> Result<(), Refusal> {
        serve::check_stamp(clock, now.wall, self.config.max_clock_drift)
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

/// The current versions of the first of these records, as many as one message takes, and the rest.
fn pack<H: Host>(mut records: Vec<Vec<u8>>, host: &H) -> Result<(Parcel, Vec<Vec<u8>>), H::Error> {
    let (mut sent, mut size, mut taken) = (Vec::new(), 0, 0);
    for record in &records {
        if size >= MESSAGE_BYTES {
            break;
        }
        taken += 1;
        if let Some(version) = host.version(record)? {
            let one = Sent { record: record.clone().into(), version };
            size += one.size();
            sent.push(one);
        }
    }
    let rest = records.split_off(taken);
    Ok((Parcel::pack(&sent), rest))
}

fn turn_error<E: std::fmt::Display + 'static>(error: TurnError<E>) -> Abandon<E> {
    match error {
        TurnError::Read(error) => Abandon::Store(error),
        TurnError::Rebuilding => Abandon::Later,
        unfit => Abandon::Broken(unfit.to_string()),
    }
}

fn one_of(among: &[NodeId], random: u64) -> Option<NodeId> {
    let at = random.checked_rem(among.len() as u64)?;
    among.get(usize::try_from(at).unwrap_or(0)).copied()
}
