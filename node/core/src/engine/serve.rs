//! Answering: what needs only the store, and what the engine must know of.

use std::time::Duration;

use super::{Engine, Host, Input, MESSAGE_BYTES, Note, Now};
use crate::agreement::{Fence, Pulse, proven};
use crate::id::NodeId;
use crate::key::RecordId;
use crate::members;
use crate::stamp::{Stamp, UnixMillis};
use crate::sync;
use crate::version::Version;
use crate::wire::{Answer, Era, Parcel, Question, Refusal, Run, Sent};

/// What others must pass before they are answered.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// This node's state.
    pub pulse: Pulse,
    /// This run of the node: no comparison that began with another one goes on.
    pub run: Run,
    /// Whether there is anything to share.
    pub open: bool,
    /// How far ahead of the wall clock a stamp may be.
    pub max_clock_drift: Duration,
}

/// An answer that needed only the store.
#[derive(Debug)]
pub struct Served {
    /// The answer.
    pub answer: Answer,
    /// What the asker said of itself.
    pulse: Option<Pulse>,
    /// Whether the asker is comparing, and said nothing of itself.
    compares: bool,
    /// Whether records of members came.
    members: bool,
}

impl Served {
    /// What the engine must be told, where this `peer` asked.
    pub fn inputs(&self, peer: NodeId) -> impl Iterator<Item = Input> {
        let heard = self.pulse.map(|pulse| Input::Heard { peer, pulse });
        let compares = self.compares.then_some(Input::Compares { peer });
        let members = self.members.then_some(Input::MembersChanged);
        [heard, compares, members].into_iter().flatten()
    }
}

impl Gate {
    /// Whether a node that says this of itself may be talked to.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn pass(&self, theirs: &Pulse) -> Result<(), Refusal> {
        if !self.open {
            return Err(Refusal::NotServing);
        }
        match Fence::between(&self.pulse, theirs) {
            Fence::Open => Ok(()),
            Fence::Ahead => Err(Refusal::Fenced),
            Fence::Behind | Fence::Both => Err(Refusal::Behind),
        }
    }
}

impl Gate {
    /// Whether a step of a comparison is one of a comparison with this run.
    fn check_run(&self, question: &Question) -> Result<(), Refusal> {
        let run = match question {
            Question::Compare(run, ..) | Question::Fetch(_, run, _) => Some(*run),
            Question::Push(_, run, _) => *run,
            _ => None,
        };
        run.is_none_or(|run| run == self.run).then_some(()).ok_or(Refusal::Restarted)
    }
}

/// Answers what needs only the store: compare, fetch, push and range.
///
/// # Errors
///
/// The store failed.
pub fn serve<H: Host>(
    question: Question,
    gate: &Gate,
    wall: UnixMillis,
    host: &mut H,
) -> Result<Served, H::Error> {
    let said = pulse(&question);
    let compares = matches!(question, Question::Compare(..));
    let mut members = false;
    let passed = said.map_or(Ok(()), |pulse| gate.pass(&pulse));
    let passed = passed.and_then(|()| gate.check_run(&question));
    let answer = match (passed, question) {
        (Err(refusal), _) => Answer::Refused(refusal),
        (Ok(()), Question::Compare(_, era, request)) => compare(era, &request, gate, host)?,
        (Ok(()), Question::Fetch(_, _, fetch)) => {
            let (sent, served) = wanted(&fetch, host)?;
            Answer::Fetched(gate.pulse, Parcel::pack(&sent), served)
        }
        (Ok(()), Question::Push(_, _, parcel)) => match open(&parcel, wall, gate.max_clock_drift) {
            Err(refusal) => Answer::Refused(refusal),
            Ok(versions) => {
                members = concern_members(&versions);
                host.apply(versions, &[])?;
                Answer::Pushed(gate.pulse)
            }
        },
        (Ok(()), Question::Range(_, from)) => {
            let (sent, next) = host.page(from.position, from.revisions_since, MESSAGE_BYTES)?;
            Answer::Range(gate.pulse, Parcel::pack(&sent), next)
        }
        (Ok(()), _) => Answer::Refused(Refusal::Unreadable("the question is not for here".into())),
    };
    Ok(Served { answer, pulse: said, compares, members })
}

/// What the asker says of itself.
fn pulse(question: &Question) -> Option<Pulse> {
    match question {
        Question::Fetch(pulse, ..) | Question::Push(pulse, ..) | Question::Range(pulse, _) => {
            Some(*pulse)
        }
        _ => None,
    }
}

fn compare<H: Host>(
    era: Era,
    request: &sync::Request,
    gate: &Gate,
    host: &H,
) -> Result<Answer, H::Error> {
    if !gate.open {
        return Ok(Answer::Refused(Refusal::NotServing));
    }
    if era != Era::of(gate.pulse.horizon) {
        return Ok(Answer::Refused(Refusal::Moved));
    }
    if !host.comparable() {
        return Ok(Answer::Compared(sync::Response::Rebuilding));
    }
    match sync::respond(request, host) {
        Ok(answer) => Ok(Answer::Compared(answer.response)),
        Err(sync::RespondError::Read(error)) => Err(error),
        Err(error) => Ok(Answer::Refused(Refusal::Unreadable(error.to_string()))),
    }
}

/// The wanted versions, as many as one message takes, and of how many positions they are.
fn wanted<H: Host>(fetch: &sync::Fetch, host: &H) -> Result<(Vec<Sent>, u32), H::Error> {
    let (mut sent, mut size, mut served) = (Vec::new(), 0, 0);
    for position in fetch.positions() {
        if size >= MESSAGE_BYTES {
            break;
        }
        served += 1;
        for record in sync::records_at(position, host)? {
            if let Some(version) = host.version(&record)? {
                let one = Sent { record: record.into(), version };
                size += one.size();
                sent.push(one);
            }
        }
    }
    Ok((sent, served))
}

/// Unpacks versions that came from a peer, all or none.
///
/// # Errors
///
/// One cannot be read, or is stamped too far in the future.
pub(super) fn open(
    parcel: &Parcel,
    wall: UnixMillis,
    max_clock_drift: Duration,
) -> Result<Vec<(RecordId, Version)>, Refusal> {
    let unreadable = |why: String| Refusal::Unreadable(why);
    let sent = parcel.unpack().map_err(|error| unreadable(error.to_string()))?;
    let open = |sent: &Sent| {
        let (record, version) = sent.open().map_err(|error| unreadable(error.to_string()))?;
        check_stamp(version.stamp, wall, max_clock_drift)?;
        Ok((record, version))
    };
    sent.iter().map(open).collect()
}

/// Whether a stamp is one that a node with a right clock may have given.
///
/// # Errors
///
/// It is too far in the future.
pub(super) fn check_stamp(
    stamp: Stamp,
    wall: UnixMillis,
    max_clock_drift: Duration,
) -> Result<(), Refusal> {
    let ahead_millis = stamp.millis().0.saturating_sub(wall.0);
    let limit_millis = u64::try_from(max_clock_drift.as_millis()).unwrap_or(u64::MAX);
    if ahead_millis > limit_millis {
        return Err(Refusal::ClockAhead { ahead_millis, limit_millis });
    }
    Ok(())
}

/// Whether some of these are records of members.
pub(super) fn concern_members(versions: &[(RecordId, Version)]) -> bool {
    let concerns = |record: &RecordId| {
        record.key.is_system() && record.key.as_str().starts_with(members::PREFIX)
    };
    versions.iter().any(|(record, _)| concerns(record))
}

impl Engine {
    /// Takes what a peer pushes, between two steps: were the horizon to rise after the gate was
    /// passed and before the versions are merged, one could come back that is forgotten.
    pub(super) fn take_push<H: Host>(
        &mut self,
        id: NodeId,
        push: Question,
        now: Now,
        host: &mut H,
    ) -> Result<Answer, H::Error> {
        let served = serve(push, &self.gate(host), now.wall, host)?;
        for input in served.inputs(id) {
            self.take(input, now, host)?;
        }
        Ok(served.answer)
    }

    /// Answers a peer that wants to compare: both clocks move to the greater one.
    pub(super) fn begin<H: Host>(
        &mut self,
        id: NodeId,
        pulse: Pulse,
        now: Now,
        host: &mut H,
    ) -> Result<Answer, H::Error> {
        if let Some(refusal) = self.keep_out(id, pulse, now, host)? {
            return Ok(Answer::Refused(refusal));
        }
        if let Err(refusal) = check_stamp(pulse.clock, now.wall, self.config.max_clock_drift) {
            return Ok(Answer::Refused(refusal));
        }
        let clock = host.raise_clock(pulse.clock.max(self.trusted(now).unwrap_or_default()))?;
        self.leave_to(id, now);
        if self.compare_at <= now.running {
            // This is the comparison that was due.
            self.compare_at = now.running + self.config.sync_interval;
        }
        Ok(Answer::Begun(self.agreement.pulse(clock), Run::of(self.config.boot)))
    }

    /// Leaves comparing to a peer for as long as it goes on with it.
    pub(super) fn leave_to(&mut self, id: NodeId, now: Now) {
        let until = now.running + 2 * self.config.catchup_interval;
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.compares(until);
        }
    }

    /// Takes a peer's word that a comparison is complete and on its disk, and brings it to the own.
    pub(super) fn agree<H: Host>(
        &mut self,
        id: NodeId,
        pulse: Pulse,
        run: Run,
        now: Now,
        host: &mut H,
    ) -> Result<Answer, H::Error> {
        if let Some(refusal) = self.keep_out(id, pulse, now, host)? {
            return Ok(Answer::Refused(refusal));
        }
        let clock = pulse.clock;
        if run != Run::of(self.config.boot) || clock > host.clock() {
            return Ok(Answer::Refused(Refusal::Restarted));
        }
        host.save(&[])?;
        self.agreement.agree(&self.members, id, proven(clock));
        host.save(&[Note::Agreement(self.agreement.saved())])?;
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.has_agreed();
        }
        Ok(Answer::Agreed(self.agreement.pulse(host.clock())))
    }

    fn keep_out<H: Host>(
        &mut self,
        id: NodeId,
        pulse: Pulse,
        now: Now,
        host: &mut H,
    ) -> Result<Option<Refusal>, H::Error> {
        if !self.has_data() {
            return Ok(Some(Refusal::NotServing));
        }
        self.hear(id, pulse, now, host)
    }
}
