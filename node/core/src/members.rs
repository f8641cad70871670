//! The durable members of a cluster: who counts for agreement, whether or not it can be reached.
//!
//! Each member is a record of its own, `_system/members/{node id}`, replicated like any other. Who
//! can be reached at the moment is another matter, and never decides what counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::key::{Key, KeyError, RecordId};
use crate::stamp::UnixMillis;

/// Below which prefix the records of members lie.
pub const PREFIX: &str = "_system/members";

/// What a node is to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It holds data and is waited for.
    Joined,
    /// It handed over what it had and went.
    Left,
    /// An operator gave it up. What it alone had is lost to the cluster.
    Forgotten,
}

/// A member as its record says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which node.
    pub node: NodeId,
    /// Its display name.
    pub name: String,
    /// When it first started.
    pub joined: UnixMillis,
    /// Drawn anew whenever the node is taken in with an empty store: what was agreed with it before
    /// no longer counts.
    pub admission: u64,
    /// What it is to the cluster.
    pub standing: Standing,
}

impl Member {
    /// The record of a member.
    ///
    /// # Errors
    ///
    /// Never for a well-formed id; the type of the key's constructor says so.
    pub fn record(node: NodeId) -> Result<RecordId, KeyError> {
        Key::system(&format!("{PREFIX}/{node}")).map(RecordId::value)
    }

    /// The member that a record's value describes; nothing if it is none.
    pub fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// The value of its record.
    pub fn to_json(&self) -> Vec<u8> {
        // A struct of numbers, strings and a unit enum always serializes.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Names a list of members: two nodes that publish under the same name count the same nodes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ListId(pub u64);

/// All members ever, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(BTreeMap<NodeId, Member>);

/// What a node knows of who belongs to the cluster: what two that meet again are judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// Who counts, and by which admission.
    pub counted: Vec<(NodeId, u64)>,
    /// Who left or was given up.
    pub gone: Vec<NodeId>,
    /// When the oldest of those that count first started.
    pub oldest: UnixMillis,
}

/// Whether two nodes that have data are of one cluster, and if not, which of them it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Kinship {
    /// Both are.
    Same,
    /// This node; the other one must go.
    Stays,
    /// The other one; this node must go.
    Goes,
}

impl Kinship {
    /// Judges two nodes by what each knows, so that both come to the same verdict. Who was given up
    /// goes. Halves that gave each other up, and clusters that were born apart, have members that
    /// know nothing of what the others deleted: only one of the two can stay, the weightier one.
    pub fn between(me: (NodeId, &Census), other: (NodeId, &Census)) -> Self {
        let ((my_id, mine), (their_id, theirs)) = (me, other);
        let (given_up, gave_up) = (theirs.gave_up(my_id), mine.gave_up(their_id));
        let apart = mine.is_apart_from(theirs);
        let each_other = mine.gave_up_some_of(theirs) && theirs.gave_up_some_of(mine);
        let go = match (given_up, gave_up) {
            (false, false) if !apart => return Self::Same,
            (true, false) if !apart && !each_other => true,
            (false, true) if !apart && !each_other => false,
            _ => (mine.rank(), my_id) < (theirs.rank(), their_id),
        };
        if go { Self::Goes } else { Self::Stays }
    }
}

impl Census {
    /// Whether no member, by the same admission, counts for both.
    pub fn is_apart_from(&self, other: &Self) -> bool {
        !self.counted.iter().any(|member| other.counted.contains(member))
    }

    fn gave_up(&self, node: NodeId) -> bool {
        self.gone.contains(&node)
    }

    fn gave_up_some_of(&self, other: &Self) -> bool {
        other.counted.iter().any(|(node, _)| self.gave_up(*node))
    }

    /// More members weigh more, else the oldest member; else any order does, if it is one.
    fn rank(&self) -> (usize, u64, &[(NodeId, u64)]) {
        (self.counted.len(), u64::MAX - self.oldest.0, &self.counted)
    }
}

impl Members {
    /// Takes over what a record says.
    pub fn put(&mut self, member: Member) {
        self.0.insert(member.node, member);
    }

    /// What is known of a node.
    pub fn get(&self, node: NodeId) -> Option<&Member> {
        self.0.get(&node)
    }

    /// Every member ever, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.0.values()
    }

    /// Those that count.
    pub fn joined(&self) -> impl Iterator<Item = &Member> {
        self.iter().filter(|member| member.standing == Standing::Joined)
    }

    /// Whether a node counts.
    pub fn counts(&self, node: NodeId) -> bool {
        self.get(node).is_some_and(|member| member.standing == Standing::Joined)
    }

    /// The name of the list of those that count.
    pub fn list(&self) -> ListId {
        let mut hasher = blake3::Hasher::new();
        for member in self.joined() {
            hasher.update(member.node.as_bytes()).update(&member.admission.to_le_bytes());
        }
        let (first, _) = hasher
            .finalize()
            .as_bytes()
            .split_first_chunk()
            .map_or_else(|| ([0; 8], [].as_slice()), |(first, rest)| (*first, rest));
        ListId(u64::from_le_bytes(first))
    }

    /// Whether a node was a member and is none any more.
    pub fn is_gone(&self, node: NodeId) -> bool {
        self.get(node).is_some_and(|member| member.standing != Standing::Joined)
    }

    /// What others judge this list by.
    pub fn census(&self) -> Census {
        let gone = self.iter().filter(|member| member.standing != Standing::Joined);
        Census {
            counted: self.joined().map(|member| (member.node, member.admission)).collect(),
            gone: gone.map(|member| member.node).collect(),
            oldest: self.joined().map(|member| member.joined).min().unwrap_or_default(),
        }
    }
}

impl FromIterator<Member> for Members {
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> Self {
        Self(members.into_iter().map(|member| (member.node, member)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u8, joined: u64) -> Member {
        Member {
            node: NodeId::from_bytes([id; 16]),
            name: format!("node-{id}"),
            joined: UnixMillis(joined),
            admission: 7,
            standing: Standing::Joined,
        }
    }

    #[test]
    fn a_record_reads_back() {
        let member = member(1, 5);
        assert_eq!(Member::parse(&member.to_json()), Some(member.clone()));
        assert_eq!(Member::parse(b"{}"), None);
        let key = Member::record(member.node).unwrap().key;
        assert_eq!(key.as_str(), format!("{PREFIX}/{}", member.node));
    }

    #[test]
    fn the_list_is_named_by_who_counts_and_how_often_it_was_admitted() {
        let all: Members = [member(1, 5), member(2, 3)].into_iter().collect();
        let name = all.list();
        let with = |change: fn(&mut Member)| {
            let mut members = all.clone();
            let mut second = member(2, 3);
            change(&mut second);
            members.put(second);
            members.list()
        };
        assert_eq!(with(|member| member.name = "other".into()), name);
        assert_ne!(with(|member| member.standing = Standing::Left), name);
        assert_ne!(with(|member| member.admission = 8), name);
    }

    /// A census of members that count and joined at such times, and of nodes that are gone.
    fn census(counted: &[(u8, u64)], gone: &[u8]) -> Census {
        let standing = |standing| move |member| Member { standing, ..member };
        let counted = counted.iter().map(|(id, joined)| member(*id, *joined));
        let gone = gone.iter().map(|id| member(*id, 1)).map(standing(Standing::Forgotten));
        counted.chain(gone).collect::<Members>().census()
    }

    /// What two nodes make of each other, which must be the same.
    fn judged(first: (u8, &Census), second: (u8, &Census)) -> Kinship {
        let id = |id| NodeId::from_bytes([id; 16]);
        let (first, second) = ((id(first.0), first.1), (id(second.0), second.1));
        let verdict = Kinship::between(first, second);
        let opposite = match verdict {
            Kinship::Same => Kinship::Same,
            Kinship::Stays => Kinship::Goes,
            Kinship::Goes => Kinship::Stays,
        };
        assert_eq!(Kinship::between(second, first), opposite);
        verdict
    }

    #[test]
    fn who_was_given_up_goes_however_many_it_counts() {
        let (many, few) = (census(&[(1, 1), (2, 2), (3, 3)], &[]), census(&[(3, 3)], &[1, 2]));
        assert_eq!(judged((1, &many), (3, &few)), Kinship::Goes);
        let rest = census(&[(2, 2), (3, 3)], &[1]);
        assert_eq!(judged((2, &rest), (1, &many)), Kinship::Stays);
        assert_eq!(judged((2, &rest), (3, &many)), Kinship::Same);
    }

    #[test]
    fn of_two_halves_that_gave_each_other_up_the_weightier_stays() {
        let pair = census(&[(1, 9), (2, 8)], &[3]);
        let one = census(&[(3, 1)], &[1, 2]);
        assert_eq!(judged((1, &pair), (3, &one)), Kinship::Stays);
        let (old, young) = (census(&[(1, 1)], &[2]), census(&[(2, 2)], &[1]));
        assert_eq!(judged((1, &old), (2, &young)), Kinship::Stays);
        assert_ne!(
            judged((1, &census(&[(1, 1)], &[2])), (2, &census(&[(2, 1)], &[1]))),
            Kinship::Same
        );
    }

    #[test]
    fn who_joined_one_of_the_halves_later_is_judged_as_that_half() {
        let (ours, theirs) = (census(&[(1, 1), (4, 4)], &[2, 3]), census(&[(2, 2), (3, 3)], &[1]));
        assert_eq!(judged((4, &ours), (2, &theirs)), judged((1, &ours), (3, &theirs)));
    }

    #[test]
    fn clusters_born_apart_never_mix() {
        let (ours, theirs) = (census(&[(1, 1), (4, 4)], &[]), census(&[(2, 2)], &[]));
        assert_eq!(judged((4, &ours), (2, &theirs)), Kinship::Stays);
    }

    #[test]
    fn a_member_that_another_has_not_heard_of_is_one() {
        let (ours, theirs) =
            (census(&[(1, 1), (2, 2), (4, 4)], &[]), census(&[(1, 1), (2, 2)], &[]));
        assert_eq!(judged((4, &ours), (2, &theirs)), Kinship::Same);
    }
}
