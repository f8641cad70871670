//! Nodes that showed their log once and show it no more: so may one that would be found out.

use std::collections::BTreeMap;

use kvs_core::{NodeId, UnixMillis};

/// How often in a row a node that answers otherwise may fail to show its log before that is said: a
/// connection may break, or the node restart, between two questions.
const ROUNDS: u32 = 3;

/// Who has not shown their log, for how many questions.
#[derive(Debug, Default)]
pub(super) struct Silences {
    missed: BTreeMap<NodeId, Missed>,
}

#[derive(Clone, Copy, Debug)]
struct Missed {
    rounds: u32,
    since: UnixMillis,
}

impl Silences {
    /// Notes one round of questions: of each node that was asked and is known to keep a log, whether it
    /// showed it. One that was not asked is down, which is said elsewhere. Returns who is silent from
    /// this round on.
    pub(super) fn note(&mut self, asked: &BTreeMap<NodeId, bool>, now: UnixMillis) -> Vec<NodeId> {
        self.missed.retain(|node, _| asked.get(node) == Some(&false));
        let missing = asked.iter().filter(|(_, shown)| !**shown);
        let turned = missing.filter(|(node, _)| {
            let missed = self.missed.entry(**node).or_insert(Missed { rounds: 0, since: now });
            missed.rounds = missed.rounds.saturating_add(1);
            missed.rounds == ROUNDS
        });
        turned.map(|(node, _)| *node).collect()
    }

    /// Who is silent, and since when.
    pub(super) fn all(&self) -> BTreeMap<NodeId, UnixMillis> {
        let silent = self.missed.iter().filter(|(_, missed)| missed.rounds >= ROUNDS);
        silent.map(|(node, missed)| (*node, missed.since)).collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_who_is_asked_again_and_again_in_vain_is_silent() {
        let [liar, busy] = [1, 2].map(|number| NodeId::new(Uuid::from_u128(number)));
        let mut silences = Silences::default();
        let mut round = |shown: &[(NodeId, bool)], at| {
            let turned = silences.note(&shown.iter().copied().collect(), UnixMillis(at));
            (turned, silences.all())
        };
        let none = (vec![], BTreeMap::new());
        assert_eq!(round(&[(liar, false), (busy, false)], 1), none);
        assert_eq!(round(&[(liar, false), (busy, true)], 2), none);
        let silent = BTreeMap::from([(liar, UnixMillis(1))]);
        assert_eq!(round(&[(liar, false), (busy, false)], 3), (vec![liar], silent.clone()));
        assert_eq!(round(&[(liar, false), (busy, false)], 4), (vec![], silent));
        assert_eq!(round(&[(liar, true)], 5), none);
        assert_eq!(round(&[(liar, false), (busy, false)], 6), none);
    }
}
