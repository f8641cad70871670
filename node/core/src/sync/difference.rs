//! What each side has of a record in which they differ, and who sends what.

use std::collections::BTreeMap;

use super::message::{Comparison, Extra};
use super::work::Offer;
use crate::digest::Position;
use crate::stamp::Stamp;

/// One position at which the sides differ.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Rows and stamps of what only this side has.
    mine: Vec<(Vec<u8>, Stamp)>,
    /// Stamps of what only the other side has.
    theirs: Vec<Stamp>,
}

/// Who sends what.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody: what differs may still be on its way.
    InFlight,
    /// These records go to the other side, and its own come here if `fetch`.
    Travel { push: Vec<Vec<u8>>, fetch: bool },
}

impl Difference {
    /// Decides, where what is stamped after `agreed` may be on its way.
    ///
    /// Such a version travels nevertheless if the other side has one up to `agreed`: between the two
    /// there may have been a third, a deletion for instance, that was replaced before it could be
    /// seen here, and that the other side must not be thought to know.
    pub(super) fn verdict(self, agreed: Stamp) -> Verdict {
        // Two records at one position cannot be told apart from here: everything travels.
        let crowded = self.mine.len() > 1 || self.theirs.len() > 1;
        let mine = self.mine.iter().map(|(_, stamp)| *stamp).max();
        let theirs = self.theirs.iter().copied().max();
        let settled = |stamp: Option<Stamp>| stamp.is_some_and(|stamp| stamp <= agreed);
        if !crowded && !settled(mine) && !settled(theirs) {
            return Verdict::InFlight;
        }
        let push = if crowded || mine >= theirs { self.mine } else { Vec::new() };
        let fetch = theirs.is_some() && (crowded || theirs >= mine);
        Verdict::Travel { push: push.into_iter().map(|(record, _)| record).collect(), fetch }
    }
}

/// The positions at which the sides differ, as far as the other side has looked.
pub(super) fn differences(offer: Offer, answer: &Comparison) -> BTreeMap<Position, Difference> {
    let mut found = BTreeMap::<_, Difference>::new();
    for (at, entry) in offer.mine.into_iter().enumerate() {
        if answer.lacks(at, entry.position) {
            let mine = (entry.record, entry.entry.stamp);
            found.entry(entry.position).or_default().mine.push(mine);
        }
    }
    for extra in &answer.extra {
        found.entry(extra.position()).or_default().theirs.push(Extra::stamp(*extra));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(mine: &[u64], theirs: &[u64]) -> Verdict {
        let stamp = |bits: &u64| Stamp::from_bits(*bits);
        let mine = mine.iter().map(|bits| (vec![7], stamp(bits))).collect();
        let difference = Difference { mine, theirs: theirs.iter().map(stamp).collect() };
        difference.verdict(Stamp::from_bits(10))
    }

    fn travel(push: usize, fetch: bool) -> Verdict {
        Verdict::Travel { push: vec![vec![7]; push], fetch }
    }

    #[test]
    fn the_later_version_travels_and_of_equal_stamps_both() {
        assert_eq!(verdict(&[5], &[]), travel(1, false));
        assert_eq!(verdict(&[], &[5]), travel(0, true));
        assert_eq!(verdict(&[6], &[5]), travel(1, false));
        assert_eq!(verdict(&[5], &[6]), travel(0, true));
        assert_eq!(verdict(&[5], &[5]), travel(1, true));
    }

    #[test]
    fn what_may_be_on_its_way_is_left_alone_unless_it_may_hide_what_is_not() {
        assert_eq!(verdict(&[10], &[]), travel(1, false));
        assert_eq!(verdict(&[11], &[]), Verdict::InFlight);
        assert_eq!(verdict(&[], &[11]), Verdict::InFlight);
        assert_eq!(verdict(&[12], &[11]), Verdict::InFlight);
        assert_eq!(verdict(&[11], &[11]), Verdict::InFlight);
        assert_eq!(verdict(&[10], &[11]), travel(0, true));
        assert_eq!(verdict(&[11], &[10]), travel(1, false));
    }

    #[test]
    fn two_records_at_one_position_all_travel() {
        assert_eq!(verdict(&[5, 3], &[4]), travel(2, true));
        assert_eq!(verdict(&[5], &[11, 3]), travel(1, true));
        assert_eq!(verdict(&[5, 3], &[]), travel(2, false));
    }
}
