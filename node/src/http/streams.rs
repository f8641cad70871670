//! Places for answers that stay open: so many for each caller, so many in all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Problem;
use super::shared::Peer;

/// The places of a node.
#[derive(Debug)]
pub struct Streams {
    open: Arc<Mutex<Open>>,
    per_caller: usize,
    total: usize,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    /// Only callers that have some.
    by_caller: HashMap<Peer, usize>,
}

/// A taken place; dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    open: Arc<Mutex<Open>>,
    caller: Peer,
}

impl Streams {
    /// Places that are all free.
    pub fn new(per_caller: usize, total: usize) -> Self {
        Self { open: Arc::default(), per_caller, total }
    }

    /// How many are taken.
    pub fn open(&self) -> usize {
        lock(&self.open).total
    }

    /// Takes a place.
    ///
    /// # Errors
    ///
    /// The caller has as many as allowed, or all are taken.
    pub fn take(&self, caller: Peer) -> Result<Place, Problem> {
        let full = |whose, limit| Err(Problem::TooManyStreams { whose, limit });
        let mut open = lock(&self.open);
        if open.by_caller.get(&caller).is_some_and(|count| *count >= self.per_caller) {
            return full("this caller", self.per_caller);
        }
        if open.total >= self.total {
            return full("this node", self.total);
        }
        open.total += 1;
        *open.by_caller.entry(caller).or_default() += 1;
        Ok(Place { open: self.open.clone(), caller })
    }
}

impl Place {
    /// How many are taken, this one among them.
    pub fn open(&self) -> usize {
        lock(&self.open).total
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        open.total -= 1;
        if let Some(count) = open.by_caller.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.by_caller.remove(&self.caller);
            }
        }
    }
}

/// Counting cannot be left half done, so a panic elsewhere does not spoil it.
fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn peer(last: u8) -> Peer {
        IpAddr::from(Ipv4Addr::new(10, 0, 0, last)).into()
    }

    #[test]
    fn a_caller_gets_its_places_and_not_one_more() {
        let streams = Streams::new(2, 9);
        let held = [streams.take(peer(1)).unwrap(), streams.take(peer(1)).unwrap()];
        let refused = streams.take(peer(1)).unwrap_err().to_string();
        assert_eq!(refused, "this caller has 2 streams open, the most that is allowed; close one");
        assert!(streams.take(peer(2)).is_ok());
        drop(held);
        assert!(streams.take(peer(1)).is_ok());
    }

    #[test]
    fn all_callers_together_get_the_total_and_not_one_more() {
        let streams = Streams::new(2, 3);
        let held: Vec<_> = (1..=3).map(|last| streams.take(peer(last)).unwrap()).collect();
        assert_eq!(streams.open(), 3);
        let refused = streams.take(peer(4)).unwrap_err().to_string();
        assert!(refused.starts_with("this node has 3 streams open"), "{refused}");
        drop(held);
        assert_eq!(streams.open(), 0);
        assert!(lock(&streams.open).by_caller.is_empty());
    }
}
