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

/// How two halves of a cluster that gave each other up are ranked: the greater one stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// How many members it counts.
    pub members: u32,
    /// When the oldest of them first started.
    pub oldest: UnixMillis,
    /// The list itself, so that no two weights are equal.
    pub list: ListId,
}

impl Weight {
    /// Whether a half of this weight stays when it meets one of `other`: more members, else the
    /// oldest member, else the greater name.
    pub fn outweighs(&self, other: &Self) -> bool {
        let rank = |weight: &Self| (weight.members, u64::MAX - weight.oldest.0, weight.list);
        rank(self) > rank(other)
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

    /// How this list ranks against one that gave it up.
    pub fn weight(&self) -> Weight {
        let members = u32::try_from(self.joined().count()).unwrap_or(u32::MAX);
        let oldest = self.joined().map(|member| member.joined).min().unwrap_or_default();
        Weight { members, oldest, list: self.list() }
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

    #[test]
    fn of_two_halves_exactly_one_stays() {
        let weight = |members: &[(u8, u64)]| {
            members.iter().map(|(id, joined)| member(*id, *joined)).collect::<Members>().weight()
        };
        let (pair, one) = (weight(&[(1, 9), (2, 8)]), weight(&[(3, 1)]));
        assert!(pair.outweighs(&one) && !one.outweighs(&pair));
        let (old, young) = (weight(&[(4, 1)]), weight(&[(5, 2)]));
        assert!(old.outweighs(&young) && !young.outweighs(&old));
        let (this, that) = (weight(&[(6, 2)]), weight(&[(7, 2)]));
        assert!(this.outweighs(&that) != that.outweighs(&this));
        assert!(!this.outweighs(&this));
    }
}
