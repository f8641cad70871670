//! The one next step, from what is asked for and what is there.
//!
//! [`plan`] is a function: the same arguments, the same step. Whoever carries it out may be killed
//! between any two writes: everything that a later step builds on is read again from the objects, the
//! claims and the nodes, never from what was planned before.
//!
//! One budget is shared by all that takes a node out of service: a step that does asks
//! [`gate`](Case::gate) first, which is open only while every other node serves and has agreed with
//! every other one since it began to.

mod case;
mod disks;
mod fence;
mod gate;
mod leave;
mod restore;
mod rollout;
mod set;
mod shrink;
mod step;

#[cfg(test)]
mod tests;

pub use self::gate::Shut;
pub use self::step::{Act, Kind, Plan, SetWanted, Wait};

use self::case::Case;
use crate::crd::Mode;
use crate::observed::{Identity, Observed};
use crate::wish::Wish;

/// The next step.
pub fn plan(wish: &Wish, seen: &Observed) -> Plan {
    if wish.mode == Mode::Paused {
        return Plan::default();
    }
    let has_disks = !seen.claims.is_empty();
    match &seen.identity {
        Identity::Present => {}
        Identity::Absent if has_disks => {
            return Plan::wait(Kind::Start, "start", Shut::IdentityLost);
        }
        Identity::Absent => return Plan::act(Kind::Start, Act::MakeIdentity),
        Identity::Unusable(why) => {
            return Plan::wait(Kind::Start, "start", Shut::IdentityUnusable(why.clone()));
        }
    }
    Case::new(wish, seen).plan()
}
