//! The questions of a comparison, and what their answers lead to.

use std::mem;

use super::{Abandon, Asked, Step, Talk};
use crate::agreement::Pulse;
use crate::engine::{Engine, Host, MESSAGE_BYTES, Now, serve};
use crate::id::NodeId;
use crate::stamp::{Stamp, UnixMillis};
use crate::sync::{Conversation, Request, Response, TurnError};
use crate::wire::{Answer, Era, Parcel, Question, RangeFrom, Refusal, Sent};

/// Revisions do not travel in a comparison.
const NO_REVISIONS: UnixMillis = UnixMillis(u64::MAX);

impl Talk {
    /// Starts to compare from the root.
    fn start<H: Host>(&mut self, clock: Stamp, host: &H) -> Request {
        self.clock = clock;
        let (conversation, request) = Conversation::start(clock, host);
        self.conversation = Some(conversation);
        request
    }

    /// Plans what an answer to a comparison asks for.
    fn plan<H: Host>(&mut self, response: Response, host: &H) -> Result<(), Abandon<H::Error>> {
        let conversation = self.conversation.as_mut().ok_or_else(unfit)?;
        let turn = conversation.turn(response, host).map_err(turn_error)?;
        if !turn.push.is_empty() {
            self.steps.push_back(Step::Push(turn.push));
        }
        if !turn.fetch.is_empty() {
            self.steps.push_back(Step::Fetch(turn.fetch));
        }
        self.steps.push_back(turn.next.into());
        Ok(())
    }
}

impl Engine {
    /// Takes an answer; says whether the comparison is over.
    pub(super) fn take_answer<H: Host>(
        &mut self,
        talk: &mut Talk,
        answer: Answer,
        now: Now,
        host: &mut H,
    ) -> Result<bool, Abandon<H::Error>> {
        match (mem::replace(&mut talk.asked, Asked::Begin), answer) {
            // What the horizon has passed is no difference. What was found before is done.
            (_, Answer::Refused(Refusal::Moved)) => talk.steps = [Step::Begin].into(),
            (_, Answer::Refused(refusal)) => return Err(Abandon::Refused(refusal, false)),
            (Asked::Begin, Answer::Begun(pulse, run)) => {
                talk.run = run;
                serve::check_stamp(pulse.clock, now.wall, self.config.max_clock_drift)?;
                self.take_pulse(talk.peer, pulse, now, host)?;
                host.raise_clock(pulse.clock).map_err(Abandon::Store)?;
                let request = talk.start(pulse.clock, host);
                talk.steps.push_back(Step::Compare(request));
            }
            (Asked::Compare, Answer::Compared(response)) => talk.plan(response, host)?,
            (Asked::Push, Answer::Pushed(pulse)) => self.take_pulse(talk.peer, pulse, now, host)?,
            (Asked::Fetch(fetch), Answer::Fetched(pulse, parcel, served)) => {
                self.take_parcel(talk.peer, pulse, &parcel, now, host)?;
                let rest = fetch.without_first(served.max(1) as usize);
                if !rest.is_empty() {
                    talk.steps.push_front(Step::Fetch(rest));
                }
            }
            (Asked::Take, Answer::Range(pulse, parcel, next)) => {
                self.take_parcel(talk.peer, pulse, &parcel, now, host)?;
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

    /// Asks what the next step needs.
    pub(super) fn advance<H: Host>(
        &mut self,
        talk: &mut Talk,
        host: &mut H,
    ) -> Result<bool, Abandon<H::Error>> {
        let (question, asked) = self.next_question(talk, host).map_err(Abandon::Store)?;
        talk.ask = self.ask(talk.peer, question);
        talk.asked = asked;
        Ok(false)
    }

    fn next_question<H: Host>(
        &self,
        talk: &mut Talk,
        host: &mut H,
    ) -> Result<(Question, Asked), H::Error> {
        let pulse = self.agreement.pulse(host.clock());
        let (run, era) = (talk.run, Era::of(pulse.horizon));
        let compare = |request| (Question::Compare(run, era, request), Asked::Compare);
        Ok(match talk.steps.pop_front() {
            Some(Step::Begin) => (Question::Begin(pulse), Asked::Begin),
            Some(Step::Compare(request)) => compare(request),
            Some(Step::Push(records)) => {
                let (parcel, rest) = pack(records, host)?;
                if !rest.is_empty() {
                    talk.steps.push_front(Step::Push(rest));
                }
                (Question::Push(pulse, Some(run), parcel), Asked::Push)
            }
            Some(Step::Fetch(fetch)) => {
                (Question::Fetch(pulse, run, fetch.clone()), Asked::Fetch(fetch))
            }
            Some(Step::Take(position)) => {
                let from = RangeFrom { position, revisions_since: NO_REVISIONS };
                (Question::Range(pulse, from), Asked::Take)
            }
            Some(Step::Give(position)) => {
                let (sent, next) = host.page(position, NO_REVISIONS, MESSAGE_BYTES)?;
                talk.steps.extend(next.map(Step::Give));
                (Question::Push(pulse, Some(run), Parcel::pack(&sent)), Asked::Push)
            }
            Some(Step::Agree) => {
                host.save(&[])?;
                let pulse = Pulse { clock: talk.clock, ..pulse };
                (Question::Agree(pulse, run), Asked::Agree)
            }
            // All that one side had was streamed: what is left to find is found by comparing.
            None => compare(talk.start(talk.clock, host)),
        })
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
        peer: NodeId,
        pulse: Pulse,
        parcel: &Parcel,
        now: Now,
        host: &mut H,
    ) -> Result<(), Abandon<H::Error>> {
        self.take_pulse(peer, pulse, now, host)?;
        let versions = serve::open(parcel, now.wall, self.config.max_clock_drift)?;
        let members = serve::concern_members(&versions);
        host.apply(versions, &[]).map_err(Abandon::Store)?;
        if members {
            self.read_members(now, host).map_err(Abandon::Store)?;
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

fn unfit<E>() -> Abandon<E> {
    Abandon::Broken("its answer is none to what it was asked".into())
}

fn turn_error<E: std::fmt::Display + 'static>(error: TurnError<E>) -> Abandon<E> {
    match error {
        TurnError::Read(error) => Abandon::Store(error),
        TurnError::Rebuilding => Abandon::Later,
        unfit => Abandon::Broken(unfit.to_string()),
    }
}
