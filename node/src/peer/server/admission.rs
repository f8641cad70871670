//! Bounds how many may be connected, and how many of these without having said who they are: a
//! handshake costs us more than it costs them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::peer::{PeerLimits, RefusalReason};

/// Who may come in.
#[derive(Debug)]
pub(super) struct Admission {
    connections: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    by_address: Arc<ByAddress>,
}

/// A connection's place among all.
pub(super) type Place = OwnedSemaphorePermit;

/// A connection's place among those that have not said who they are.
#[derive(Debug)]
pub(super) struct Stranger {
    _total: OwnedSemaphorePermit,
    by_address: Arc<ByAddress>,
    address: IpAddr,
}

#[derive(Debug)]
struct ByAddress {
    counts: Mutex<HashMap<IpAddr, usize>>,
    most: usize,
}

impl Admission {
    pub(super) fn new(limits: &PeerLimits) -> Self {
        let counts = Mutex::default();
        Self {
            connections: Arc::new(Semaphore::new(limits.connections)),
            strangers: Arc::new(Semaphore::new(limits.strangers)),
            by_address: Arc::new(ByAddress { counts, most: limits.strangers_per_address }),
        }
    }

    /// Lets somebody in who has yet to say who it is.
    pub(super) fn admit(&self, address: IpAddr) -> Result<(Place, Stranger), RefusalReason> {
        let place = self.connections.clone().try_acquire_owned();
        let place = place.map_err(|_none_left| RefusalReason::TooManyConnections)?;
        let total = self.strangers.clone().try_acquire_owned();
        let total = total.map_err(|_none_left| RefusalReason::TooManyStrangers)?;
        if !self.by_address.enter(address) {
            return Err(RefusalReason::TooManyStrangers);
        }
        Ok((place, Stranger { _total: total, by_address: self.by_address.clone(), address }))
    }
}

impl ByAddress {
    fn enter(&self, address: IpAddr) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        let fits = *count < self.most;
        *count += usize::from(fits);
        fits
    }

    fn leave(&self, address: IpAddr) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.by_address.leave(self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, strangers: usize, strangers_per_address: usize) -> Admission {
        let limits =
            PeerLimits { connections, strangers, strangers_per_address, ..PeerLimits::default() };
        Admission::new(&limits)
    }

    fn from(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn one_address_cannot_take_the_places_of_others() {
        let admission = admission(9, 3, 2);
        let first = admission.admit(from(1)).unwrap();
        let _second = admission.admit(from(1)).unwrap();
        assert_eq!(admission.admit(from(1)).unwrap_err(), RefusalReason::TooManyStrangers);
        let other = admission.admit(from(2)).unwrap();
        assert_eq!(admission.admit(from(2)).unwrap_err(), RefusalReason::TooManyStrangers);
        drop((first, other));
        let _again = admission.admit(from(1)).unwrap();
        assert_eq!(admission.by_address.counts.lock().unwrap().len(), 1, "nothing is kept");
    }

    #[test]
    fn who_has_said_who_it_is_still_counts_as_a_connection() {
        let admission = admission(1, 9, 9);
        let (place, stranger) = admission.admit(from(1)).unwrap();
        drop(stranger);
        assert_eq!(admission.admit(from(2)).unwrap_err(), RefusalReason::TooManyConnections);
        drop(place);
        let _admitted = admission.admit(from(2)).unwrap();
    }
}
