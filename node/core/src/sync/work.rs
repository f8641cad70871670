//! What is still to be looked at, and the part of it that is asked about next.

use super::message::{Compare, Comparison, Digest, Explore, List};
use super::node::{Node, Span, sum, suspect};
use super::page::{Names, Page, Width};
use super::{LIST_UNDER, Listed, MAX_COMPARED, MAX_LISTED, MAX_LISTS, Replica};
use crate::digest::{FANOUT, Summary};

/// Something that differs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// The children of a tree node are to be compared.
    Compare(Node),
    /// The records of a range are to be listed.
    List(Span, Width),
}

impl Work {
    /// What to do with a tree node that differs, in a tree of `depth`.
    pub(super) fn on(node: Node, depth: u32, replica: &impl Replica) -> Self {
        if node.level() >= depth || node.summary(replica).count < LIST_UNDER {
            Self::List(Span::Node(node), Width::Short)
        } else {
            Self::Compare(node)
        }
    }
}

/// What one message asks.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) compare: Vec<Node>,
    pub(super) lists: Vec<Offer>,
    listed: usize,
}

/// A range and what this side has in it.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) span: Span,
    pub(super) width: Width,
    pub(super) mine: Vec<Listed>,
    /// The tree node, if the tree does not say of it what is listed.
    pub(super) suspect: Option<Node>,
}

impl Offer {
    /// What the other side should have of this, too, by its own account.
    pub(super) fn common(&self, answer: &Comparison) -> Summary {
        let kept = |(at, entry): &(usize, &Listed)| answer.has(*at, entry.position);
        sum(self.mine.iter().enumerate().filter(kept).map(|(_, entry)| entry))
    }
}

impl Batch {
    /// Takes from the end of `work` what fits into a message. The last came first, so that `work`
    /// never holds more than one message's findings for each level of the tree.
    pub(super) fn take<R: Replica>(work: &mut Vec<Work>, replica: &R) -> Result<Self, R::Error> {
        let mut batch = Self::default();
        while let Some(next) = work.pop() {
            if let Some(rest) = batch.add(next, replica)? {
                work.push(rest);
                break;
            }
        }
        Ok(batch)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.compare.is_empty() && self.lists.is_empty()
    }

    /// Adds what fits; gives back what does not.
    fn add<R: Replica>(&mut self, work: Work, replica: &R) -> Result<Option<Work>, R::Error> {
        match work {
            Work::Compare(_) if self.compare.len() == MAX_COMPARED => Ok(Some(work)),
            Work::Compare(node) => {
                self.compare.push(node);
                Ok(None)
            }
            Work::List(..) if self.lists.len() == MAX_LISTS => Ok(Some(work)),
            Work::List(span, width) => self.list(span, width, replica),
        }
    }

    fn list<R: Replica>(
        &mut self,
        span: Span,
        width: Width,
        replica: &R,
    ) -> Result<Option<Work>, R::Error> {
        let Page { entries, cut } = Page::read(replica, span, MAX_LISTED - self.listed)?;
        let Some(cut) = cut else {
            self.offer(span, width, entries, replica);
            return Ok(None);
        };
        // A range that would fit into a message of its own is not worth cutting.
        if self.lists.is_empty() && span.range().0 < cut {
            self.offer(span.before(cut), width, entries, replica);
            return Ok(Some(Work::List(span.after(cut), width)));
        }
        Ok(Some(Work::List(span, width)))
    }

    fn offer(&mut self, span: Span, width: Width, mine: Vec<Listed>, replica: &impl Replica) {
        self.listed += mine.len();
        // Compared at once: later, writes would have changed the tree.
        let suspect = suspect(span, sum(&mine), replica);
        self.lists.push(Offer { span, width, mine, suspect });
    }

    /// The batch as it travels.
    pub(super) fn message(&self, replica: &impl Replica) -> Explore {
        let compare = self.compare.iter().map(|node| compare(*node, replica));
        let list =
            |offer: &Offer| List { span: offer.span, names: Names::of(offer.width, &offer.mine) };
        Explore { compare: compare.collect(), lists: self.lists.iter().map(list).collect() }
    }
}

fn compare(node: Node, replica: &impl Replica) -> Compare {
    let mut children = [Digest::of(Summary::default()); FANOUT];
    for (digest, child) in children.iter_mut().zip(node.children()) {
        *digest = Digest::of(child.summary(replica));
    }
    Compare { node, children }
}
