//! The side that is asked. It remembers nothing from one message to the next.

use thiserror::Error;

use super::message::{Compare, Comparison, Digest, Explore, Explored, Extra, List, Root};
use super::node::{Node, sum, suspect, without};
use super::page::Page;
use super::{Fetch, Listed, MAX_SEARCHED, Replica, Request, Response};
use crate::digest::Position;

/// More records than this never share a position, of which there are 2^64.
const AT_ONE_POSITION: usize = 16;

/// What [`respond`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What to send.
    pub response: Response,
    /// Nodes of the own tree that do not say what the index does: to be rebuilt from it.
    pub suspects: Vec<Node>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum RespondError<E> {
    /// The index cannot be read.
    #[error("cannot list the records of a range")]
    Read(#[source] E),
    /// The peer asks for more than the tree has.
    #[error("asked to compare the children of level {level} in a tree of depth {depth}")]
    TooDeep {
        /// The level asked for.
        level: u32,
        /// The own tree's depth.
        depth: u32,
    },
}

/// Answers a request, unless the tree is being rebuilt: then the answer is
/// [`Response::Rebuilding`].
///
/// # Errors
///
/// The index cannot be read, or the peer asks for what is not there.
pub fn respond<R: Replica>(
    request: &Request,
    replica: &R,
) -> Result<Answer, RespondError<R::Error>> {
    let mut suspects = Vec::new();
    let response = match request {
        Request::Root(_) => Response::Root(Root::new(replica.depth(), Node::ROOT.summary(replica))),
        Request::Explore(explore) => Response::Explored(search(explore, replica, &mut suspects)?),
    };
    Ok(Answer { response, suspects })
}

/// The rows of the records that a peer wants, in its order. One that is no longer there is left out.
///
/// # Errors
///
/// The index cannot be read.
pub fn resolve<R: Replica>(fetch: &Fetch, replica: &R) -> Result<Vec<Vec<u8>>, R::Error> {
    let mut records = Vec::with_capacity(fetch.positions().len());
    for position in fetch.positions() {
        records.extend(records_at(position, replica)?);
    }
    Ok(records)
}

/// The rows of the records at a position: hardly ever more than one.
///
/// # Errors
///
/// The index cannot be read.
pub fn records_at<R: Replica>(position: Position, replica: &R) -> Result<Vec<Vec<u8>>, R::Error> {
    let next = position.0.checked_add(1).map(Position);
    let found = replica.list(position, next, AT_ONE_POSITION)?;
    Ok(found.into_iter().map(|entry| entry.record).collect())
}

fn search<R: Replica>(
    explore: &Explore,
    replica: &R,
    suspects: &mut Vec<Node>,
) -> Result<Explored, RespondError<R::Error>> {
    let differing = explore.compare.iter().map(|asked| children(asked, replica));
    let differing = differing.collect::<Result<_, _>>()?;
    let mut left = MAX_SEARCHED;
    let mut lists = Vec::with_capacity(explore.lists.len());
    for list in &explore.lists {
        lists.push(compare(list, replica, &mut left, suspects).map_err(RespondError::Read)?);
    }
    Ok(Explored { differing, lists })
}

fn children<R: Replica>(asked: &Compare, replica: &R) -> Result<u16, RespondError<R::Error>> {
    let (level, depth) = (asked.node.level(), replica.depth());
    if level >= depth {
        return Err(RespondError::TooDeep { level, depth });
    }
    let pairs = asked.node.children().zip(asked.children).enumerate();
    let differs = |(child, theirs): (Node, _)| Digest::of(child.summary(replica)) != theirs;
    Ok(pairs.filter(|(_, pair)| differs(*pair)).fold(0, |bits, (at, _)| bits | 1 << at))
}

fn compare<R: Replica>(
    list: &List,
    replica: &R,
    left: &mut usize,
    suspects: &mut Vec<Node>,
) -> Result<Comparison, R::Error> {
    let Page { entries, cut } = Page::read(replica, list.span, *left)?;
    *left -= entries.len();
    let all = sum(&entries);
    let (missing, extra) = list.names.compare(entries);
    // Asked because it differs: if no record does, a tree is wrong.
    if cut.is_none() && missing.is_empty() && extra.is_empty() {
        suspects.extend(suspect(list.span, all, replica));
    }
    let common = Digest::of(without(all, &extra));
    let extra = extra.iter().map(|entry: &Listed| Extra::new(entry.position, entry.entry.stamp));
    Ok(Comparison { cut: cut.map(|cut| cut.0), missing, extra: extra.collect(), common })
}
