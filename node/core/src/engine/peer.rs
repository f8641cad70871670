//! What the engine knows of another node.

use std::collections::HashSet;
use std::mem::Discriminant;
use std::time::Duration;

use crate::engine::view::Stream;
use crate::engine::{AskId, Now};
use crate::stamp::UnixMillis;
use crate::wire::{Hello, Refusal};

/// Another node, as far as it was met since this one started.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// Whether it can be reached.
    pub(super) reachable: bool,
    /// What it said of itself when it was last greeted, or greeted this node.
    pub(super) hello: Option<Hello>,
    /// A greeting that is on its way.
    pub(super) greeting: Option<AskId>,
    /// To be greeted although it was met: it knows this node as it was before.
    pub(super) outdated: bool,
    /// Not before this is it greeted.
    pub(super) greet_at: Duration,
    /// Why the two do not talk.
    pub(super) refusal: Option<Refusal>,
    /// What was reported of it since the two last agreed.
    pub(super) reported: HashSet<Reported>,
    pub(super) stream: Stream,
    /// Not before this is its log followed again.
    pub(super) follow_at: Duration,
    pub(super) accord: Accord,
    /// How much a comparison with it is wanted.
    pub(super) compare: Wanted,
    /// Not before this are the two compared again, after a failure.
    pub(super) compare_at: Duration,
    /// The last position of its log.
    pub(super) head: u64,
    /// At least so many bytes of it had not come yet with the last piece.
    pub(super) waiting: u64,
    /// What its clock showed when this engine was made, so that own clock settings do not matter.
    pub(super) epoch: Option<UnixMillis>,
}

/// Whether comparing with a node has led to anything since the two met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Accord {
    /// Not yet.
    #[default]
    Open,
    /// The two have agreed.
    Reached,
    /// It failed for a reason that does not go away by itself.
    Unfit,
}

/// How much a comparison is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// As much as with anybody, when it is time.
    #[default]
    Sometime,
    /// As soon as possible.
    Soon,
    /// The same, begun by this node, even if the two agree meanwhile: somebody asked for it.
    AskedFor,
}

/// Something of a node that was reported, and is not again until the two agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reported {
    /// A refusal of this kind, and whether it was this node's.
    Refusal(Discriminant<Refusal>, bool),
    /// It broke the protocol.
    Broken,
}

impl Peer {
    /// When something may be to be done about it.
    pub(super) fn plans(&self) -> impl Iterator<Item = Duration> {
        let times = [self.greet_at, self.follow_at, self.compare_at];
        times.into_iter().filter(|_| self.reachable)
    }

    /// Whether it is to be greeted, by `now` in running time.
    pub(super) fn is_to_be_greeted(&self, now: Duration) -> bool {
        let due = self.reachable && self.greeting.is_none() && self.greet_at <= now;
        due && (self.outdated || self.hello.is_none())
    }

    /// Whether the two have met and may talk.
    pub(super) fn is_met(&self) -> bool {
        self.reachable && self.hello.is_some() && self.refusal.is_none()
    }

    /// Notes what its clock shows.
    pub(super) fn shows(&mut self, wall: UnixMillis, now: Now) {
        self.epoch = Some(wall.before(now.running));
    }

    /// How far its clock is ahead of the own one, in milliseconds.
    pub(super) fn offset(&self, now: Now) -> Option<i64> {
        let shows = self.epoch?.after(now.running);
        i64::try_from(i128::from(shows.0) - i128::from(now.wall.0)).ok()
    }

    /// Whether it has anything to share.
    pub(super) fn has_data(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| super::meeting::has_data(hello.life))
    }

    /// Whether it said that it has nothing to share yet.
    pub(super) fn has_nothing(&self) -> bool {
        self.hello.is_some() && !self.has_data()
    }

    /// Whether it can be reached, but nothing can be agreed with it.
    pub(super) const fn is_in_the_way(&self) -> bool {
        self.hello.is_none() || matches!(self.accord, Accord::Unfit)
    }

    /// Notes that it is busy comparing itself with this node: doing the same the other way round
    /// would find, and send, every difference twice.
    pub(super) fn compares(&mut self, until: Duration) {
        self.compare_at = self.compare_at.max(until);
    }

    /// Notes that the two hold the same.
    pub(super) fn has_agreed(&mut self) {
        self.accord = Accord::Reached;
        if self.compare == Wanted::Soon {
            self.compare = Wanted::Sometime;
        }
        self.reported.clear();
    }

    /// Forgets what holds for one meeting.
    pub(super) fn part(&mut self) {
        self.hello = None;
        self.greeting = None;
        self.stream = Stream::Off;
        self.accord = Accord::Open;
    }
}
