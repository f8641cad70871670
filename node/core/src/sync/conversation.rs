//! The side that drives.

use std::mem;

use super::difference::{Verdict, differences};
use super::message::{Comparison, Digest, Explored, Root};
use super::node::Node;
use super::page::Width;
use super::turn::{Counts, Next, Turn, TurnError};
use super::work::{Batch, Offer, Work};
use super::{IN_FLIGHT, LOPSIDED_FROM, Replica, Request, Response};
use crate::digest::Position;
use crate::stamp::{Stamp, UnixMillis};

/// One conversation with one peer, from its first request to [`Next::Agreed`].
#[derive(Debug)]
pub struct Conversation {
    /// What is stamped later may be on its way.
    agreed: Stamp,
    /// Of the shallower tree.
    depth: u32,
    asked: Asked,
    work: Vec<Work>,
    counts: Counts,
}

#[derive(Debug)]
enum Asked {
    Root(Root),
    Explore(Batch),
    Nothing,
}

impl Conversation {
    /// Begins a conversation at `clock`, which is the greater of the two sides' clocks and at which
    /// both now stand.
    pub fn start(clock: Stamp, replica: &impl Replica) -> (Self, Request) {
        let depth = replica.depth();
        let root = Root::new(depth, Node::ROOT.summary(replica));
        let asked = Asked::Root(root.clone());
        let agreed = before(clock);
        let conversation =
            Self { agreed, depth, asked, work: Vec::new(), counts: Counts::default() };
        (conversation, Request::Root(root))
    }

    /// Takes the peer's answer to the last request.
    ///
    /// # Errors
    ///
    /// The index cannot be read, or the answer is none to the request.
    pub fn turn<R: Replica>(
        &mut self,
        response: Response,
        replica: &R,
    ) -> Result<Turn, TurnError<R::Error>> {
        let mut turn = Turn::new(self.agreed);
        match (mem::replace(&mut self.asked, Asked::Nothing), response) {
            (Asked::Root(mine), Response::Root(theirs)) => {
                turn.next = self.meet(&mine, &theirs, replica)?;
            }
            (Asked::Explore(batch), Response::Explored(answer)) => {
                self.settle(batch, &answer, replica, &mut turn)?;
                turn.next = self.ask(replica)?;
            }
            (_, Response::Rebuilding) => return Err(TurnError::Rebuilding),
            _ => return Err(TurnError::Unfit("it is of another kind")),
        }
        Ok(turn)
    }

    /// What has been seen so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Compares the roots.
    fn meet<R: Replica>(
        &mut self,
        mine: &Root,
        theirs: &Root,
        replica: &R,
    ) -> Result<Next, TurnError<R::Error>> {
        let (ours, others) = (mine.summary(), theirs.summary());
        if ours == others {
            return Ok(Next::Agreed(self.agreed));
        }
        if lopsided(ours.count, others.count) {
            return Ok(Next::Lopsided { mine: ours.count, theirs: others.count });
        }
        self.depth = self.depth.min(theirs.depth.into());
        self.work.push(Work::on(Node::ROOT, self.depth, replica));
        self.ask(replica)
    }

    /// The next request, or the end.
    fn ask<R: Replica>(&mut self, replica: &R) -> Result<Next, TurnError<R::Error>> {
        let batch = Batch::take(&mut self.work, replica).map_err(TurnError::Read)?;
        if batch.is_empty() && self.work.is_empty() {
            return Ok(Next::Agreed(self.agreed));
        }
        if batch.is_empty() {
            return Err(TurnError::Crowded);
        }
        let request = Request::Explore(batch.message(replica));
        self.asked = Asked::Explore(batch);
        Ok(Next::Ask(request))
    }

    /// Takes in what the peer says to each part of a batch.
    fn settle<R: Replica>(
        &mut self,
        batch: Batch,
        answer: &Explored,
        replica: &R,
        turn: &mut Turn,
    ) -> Result<(), TurnError<R::Error>> {
        if (batch.compare.len(), batch.lists.len()) != (answer.differing.len(), answer.lists.len())
        {
            return Err(TurnError::Unfit("it has another number of parts"));
        }
        check(&batch.lists, &answer.lists)?;
        let mut found = Vec::new();
        for (offer, comparison) in batch.lists.into_iter().zip(&answer.lists) {
            found.extend(self.compare(offer, comparison, turn));
        }
        for (node, bits) in batch.compare.into_iter().zip(&answer.differing) {
            let differing = node.children().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
            found.extend(differing.map(|(_, child)| Work::on(child, self.depth, replica)));
        }
        // Backwards, because what was found last is asked about first: positions then rise.
        self.work.extend(found.into_iter().rev());
        Ok(())
    }

    /// Judges what differs in a range, and says what is left to be done there.
    fn compare(&mut self, offer: Offer, answer: &Comparison, turn: &mut Turn) -> Option<Work> {
        if offer.width == Width::Short && answer.common != Digest::of(offer.common(answer)) {
            return Some(Work::List(offer.span, Width::Full));
        }
        self.counts.compared += offer.mine.len() as u64;
        if answer.is_empty() {
            // Asked about because it differs: if no record does, a tree is wrong.
            turn.suspects.extend(offer.suspect);
        }
        let rest = answer.cut.map(|cut| Work::List(offer.span.after(Position(cut)), Width::Short));
        for (position, difference) in differences(offer, answer) {
            self.judge(position, difference.verdict(self.agreed), turn);
        }
        rest
    }

    fn judge(&mut self, position: Position, verdict: Verdict, turn: &mut Turn) {
        let Verdict::Travel { push, fetch } = verdict else {
            self.counts.in_flight += 1;
            return;
        };
        self.counts.differing += 1;
        self.counts.pushed += push.len() as u64;
        turn.push.extend(push);
        if fetch {
            self.counts.fetched += 1;
            turn.fetch.push(position);
        }
    }
}

/// The last stamp that is not in flight at `clock`.
fn before(clock: Stamp) -> Stamp {
    let span = Stamp::at(UnixMillis(0).after(IN_FLIGHT));
    Stamp::from_bits(clock.bits().saturating_sub(span.bits()))
}

fn lopsided(mine: u32, theirs: u32) -> bool {
    let (less, more) = (mine.min(theirs), mine.max(theirs));
    more >= LOPSIDED_FROM && u64::from(less) * 2 < u64::from(more)
}

/// Refuses an answer that names what was not asked for, or that would let the conversation go on
/// for ever.
fn check<E>(offers: &[Offer], answers: &[Comparison]) -> Result<(), TurnError<E>> {
    for (at, (offer, answer)) in offers.iter().zip(answers).enumerate() {
        let start = offer.span.range().0.0;
        if answer.cut.is_some_and(|cut| cut < start || (at == 0 && cut == start)) {
            return Err(TurnError::Unfit("it does not get on"));
        }
        let seen = match answer.cut.map(Position) {
            Some(cut) if !offer.span.holds(cut) => return Err(TurnError::Unfit("it goes too far")),
            Some(cut) => offer.span.before(cut),
            None => offer.span,
        };
        if !answer.extra.iter().all(|extra| seen.holds(extra.position())) {
            return Err(TurnError::Unfit("it names records of another range"));
        }
    }
    Ok(())
}
