//! Which of two versions of one record wins: on every node, in whatever order they arrive.
//!
//! Laws, each a property test below: `merge` is commutative, associative and idempotent, and the
//! winner is never older than either side.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::VersionId;
use crate::stamp::{Stamp, UnixMillis};

/// All that the order of versions looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// When it was written.
    pub stamp: Stamp,
    /// When the node that accepted it first started.
    pub origin_joined: UnixMillis,
    /// The version's identity.
    pub uuid: VersionId,
}

impl Ord for Rank {
    /// Later stamp, then *earlier* origin (the oldest-node rule), then greater UUID.
    fn cmp(&self, other: &Self) -> Ordering {
        self.stamp
            .cmp(&other.stamp)
            .then_with(|| other.origin_joined.cmp(&self.origin_joined))
            .then_with(|| self.uuid.cmp(&other.uuid))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Why the losing version lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Superseded {
    /// It was written earlier.
    Older,
    /// Written at the same stamp, by a node that joined later.
    YoungerOrigin,
    /// Same stamp, same age of the node, smaller UUID.
    Uuid,
}

impl Superseded {
    /// Every reason, in the order in which `merge` asks.
    pub const ALL: [Self; 3] = [Self::Older, Self::YoungerOrigin, Self::Uuid];

    /// The reason as the API and the metrics spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Older => "older",
            Self::YoungerOrigin => "younger-origin",
            Self::Uuid => "uuid",
        }
    }
}

impl fmt::Display for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What `merge` decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// The first wins; the second lost for this reason.
    First(Superseded),
    /// The second wins; the first lost for this reason.
    Second(Superseded),
    /// Both are the same version.
    Same,
}

/// Decides between two versions of one record, from the two alone.
pub fn merge(first: &Rank, second: &Rank) -> Outcome {
    let reason = if first.stamp != second.stamp {
        Superseded::Older
    } else if first.origin_joined != second.origin_joined {
        Superseded::YoungerOrigin
    } else {
        Superseded::Uuid
    };
    match first.cmp(second) {
        Ordering::Greater => Outcome::First(reason),
        Ordering::Less => Outcome::Second(reason),
        Ordering::Equal => Outcome::Same,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    /// Few distinct values, so that ties of every depth happen often.
    fn rank() -> impl Strategy<Value = Rank> {
        (0u64..4, 0u64..3, 0u128..4).prop_map(|(stamp, joined, uuid)| Rank {
            stamp: Stamp::from_bits(stamp),
            origin_joined: UnixMillis(joined),
            uuid: VersionId::new(Uuid::from_u128(uuid)),
        })
    }

    fn winner(first: Rank, second: Rank) -> Rank {
        match merge(&first, &second) {
            Outcome::First(_) | Outcome::Same => first,
            Outcome::Second(_) => second,
        }
    }

    proptest! {
        #[test]
        fn commutative(a in rank(), b in rank()) {
            prop_assert_eq!(winner(a, b), winner(b, a));
        }

        #[test]
        fn associative(a in rank(), b in rank(), c in rank()) {
            prop_assert_eq!(winner(winner(a, b), c), winner(a, winner(b, c)));
        }

        #[test]
        fn idempotent(a in rank()) {
            prop_assert_eq!(merge(&a, &a), Outcome::Same);
        }

        #[test]
        fn never_backwards(a in rank(), b in rank()) {
            prop_assert!(winner(a, b).stamp >= a.stamp.max(b.stamp));
        }

        #[test]
        fn the_reason_names_the_first_difference(a in rank(), b in rank()) {
            let expected = if a.stamp != b.stamp {
                Superseded::Older
            } else if a.origin_joined != b.origin_joined {
                Superseded::YoungerOrigin
            } else {
                Superseded::Uuid
            };
            match merge(&a, &b) {
                Outcome::Same => prop_assert_eq!(a, b),
                Outcome::First(reason) | Outcome::Second(reason) => prop_assert_eq!(reason, expected),
            }
        }
    }

    #[test]
    fn the_oldest_node_wins_a_tie_of_stamps() {
        let of = |joined, uuid| Rank {
            stamp: Stamp::from_bits(9),
            origin_joined: UnixMillis(joined),
            uuid: VersionId::new(Uuid::from_u128(uuid)),
        };
        assert_eq!(merge(&of(1, 1), &of(2, 2)), Outcome::First(Superseded::YoungerOrigin));
        assert_eq!(merge(&of(1, 1), &of(1, 2)), Outcome::Second(Superseded::Uuid));
    }
}
