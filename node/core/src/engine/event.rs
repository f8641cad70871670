//! What happens to the engine, and what it wants done.

use std::time::Duration;

use super::ClockAhead;
use crate::agreement::Pulse;
use crate::format::Format;
use crate::id::NodeId;
use crate::members::Standing;
use crate::stamp::{Stamp, UnixMillis};
use crate::wire::{Answer, Cursor, Frame, Life, Question, Refusal};

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
    /// Somebody goes on comparing with this node, which answered without the engine.
    Compares {
        /// Who.
        peer: NodeId,
    },
    /// Records of members may have changed.
    MembersChanged,
    /// Compare with all others now.
    CompareAll,
    /// Whoever made all nodes says that this one is alone: it founds the cluster, if it has met nobody.
    Found,
    /// An operator gives a node up; answered by [`Effect::Forgot`].
    Forget(NodeId),
    /// The cluster is to write in the next format; answered by [`Effect::Upgraded`].
    Upgrade,
    /// This node is to go for good. Clients' writes are refused from here on by whoever says so;
    /// [`Effect::Left`] says when everything it had is elsewhere.
    Leave,
}

/// Why a node is not given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgetError {
    /// It is this node.
    #[error("a node cannot give itself up; ask another member, or let it leave")]
    Itself,
    /// No such node was ever a member.
    #[error("no member of that id is known here")]
    Unknown,
    /// This node is no member itself, or none any more.
    #[error("this node is not a member of a cluster")]
    NoMember,
    /// Others would not take what this node writes now.
    #[error(transparent)]
    Clock(#[from] ClockAhead),
}

/// Why a cluster does not write in the next format yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// A member cannot be asked.
    #[error("{0} cannot be reached, so nobody knows whether it understands the next format")]
    Away(String),
    /// A member is of an older release.
    #[error("{name} understands formats up to {newest}; start a newer release there first")]
    Older {
        /// Its name.
        name: String,
        /// The newest format that it understands.
        newest: u8,
    },
    /// This node is no member itself, or none any more.
    #[error("this node is not a member of a cluster")]
    NoMember,
    /// Others would not take what this node writes now.
    #[error(transparent)]
    Clock(#[from] ClockAhead),
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
    /// This node has missed what nobody remembers, or is none of the cluster any more: put what it
    /// alone may have aside, empty the store, and start over.
    Fenced {
        /// What is stamped later may be this node's alone; nothing is if this is the last stamp.
        held: Stamp,
        /// Whether it was given up, and so must come back as another node.
        given_up: bool,
    },
    /// The answer to [`Input::Forget`] of this step: the node's record says it, on disk.
    Forgot(Result<(), ForgetError>),
    /// The answer to [`Input::Upgrade`] of this step: the format that is in force from here on, which
    /// is the one from before if no later one is known.
    Upgraded(Result<Format, UpgradeError>),
    /// A member left or was given up: it need not be looked for any more.
    Gone {
        /// Which.
        node: NodeId,
        /// Which of the two.
        standing: Standing,
    },
    /// This node is no member any more, the others have what it had, and know: it is to stop.
    Left,
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
