//! What the peer port counts, and what it logs of those that it turns away.

mod reason;
mod window;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

pub use self::reason::RefusalReason;

use self::window::Window;
use super::PeerRoute;

type Counters<const N: usize> = [AtomicU64; N];

const fn counters<const N: usize>() -> Counters<N> {
    [const { AtomicU64::new(0) }; N]
}

/// Figures of the peer port, both of what others ask here and of what this node asks elsewhere.
#[derive(Debug)]
pub struct PeerFigures {
    bytes_in: Counters<{ PeerRoute::COUNT }>,
    bytes_out: Counters<{ PeerRoute::COUNT }>,
    /// What was said to those whose route is not known.
    bytes_astray: AtomicU64,
    answered: Counters<{ PeerRoute::COUNT }>,
    asked: Counters<{ PeerRoute::COUNT }>,
    refusals: Counters<{ RefusalReason::ALL.len() }>,
    connections: AtomicU64,
    links: AtomicU64,
    log: Mutex<Window>,
}

impl Default for PeerFigures {
    fn default() -> Self {
        Self {
            bytes_in: counters(),
            bytes_out: counters(),
            bytes_astray: AtomicU64::new(0),
            answered: counters(),
            asked: counters(),
            refusals: counters(),
            connections: AtomicU64::new(0),
            links: AtomicU64::new(0),
            log: Mutex::new(Window::default()),
        }
    }
}

impl PeerFigures {
    /// Bytes of bodies that came in: requests from peers and their answers. Framing and TLS are not
    /// counted.
    pub fn bytes_in(&self) -> u64 {
        PeerRoute::all().map(|route| self.route_bytes_in(route)).sum()
    }

    /// Bytes of bodies that went out.
    pub fn bytes_out(&self) -> u64 {
        let astray = self.bytes_astray.load(Ordering::Relaxed);
        PeerRoute::all().map(|route| self.route_bytes_out(route)).sum::<u64>() + astray
    }

    /// Those of [`Self::bytes_in`] on one route.
    pub fn route_bytes_in(&self, route: PeerRoute) -> u64 {
        read(&self.bytes_in, route.place())
    }

    /// Those of [`Self::bytes_out`] on one route.
    pub fn route_bytes_out(&self, route: PeerRoute) -> u64 {
        read(&self.bytes_out, route.place())
    }

    /// Requests of others that reached the handler.
    pub fn answered(&self, route: PeerRoute) -> u64 {
        read(&self.answered, route.place())
    }

    /// Requests of this node to others.
    pub fn asked(&self, route: PeerRoute) -> u64 {
        read(&self.asked, route.place())
    }

    /// How often somebody was turned away for this reason.
    pub fn refusals(&self, reason: RefusalReason) -> u64 {
        read(&self.refusals, reason as usize)
    }

    /// Connections of others that are open.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Connections to others that are open.
    pub fn links(&self) -> u64 {
        self.links.load(Ordering::Relaxed)
    }

    pub(super) fn came_in(&self, route: PeerRoute, bytes: usize) {
        add(&self.bytes_in, route.place(), bytes as u64);
    }

    pub(super) fn went_out(&self, route: Option<PeerRoute>, bytes: usize) {
        match route {
            Some(route) => add(&self.bytes_out, route.place(), bytes as u64),
            None => drop(self.bytes_astray.fetch_add(bytes as u64, Ordering::Relaxed)),
        }
    }

    pub(super) fn answers(&self, route: PeerRoute) {
        add(&self.answered, route.place(), 1);
    }

    pub(super) fn asks(&self, route: PeerRoute) {
        add(&self.asked, route.place(), 1);
    }

    pub(super) fn connection(self: &Arc<Self>) -> Open {
        Open::new(self.clone(), |figures| &figures.connections)
    }

    pub(super) fn link(self: &Arc<Self>) -> Open {
        Open::new(self.clone(), |figures| &figures.links)
    }

    /// Counts and logs that somebody was turned away.
    pub(super) fn refuse(
        &self,
        reason: RefusalReason,
        address: SocketAddr,
        detail: impl fmt::Display,
    ) {
        add(&self.refusals, reason as usize, 1);
        let admitted =
            self.log.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now());
        if let Some(left_out) = admitted {
            let reason = reason.name();
            tracing::warn!(%address, reason, %detail, left_out, "a peer was turned away");
        }
    }
}

fn add<const N: usize>(counters: &Counters<N>, at: usize, count: u64) {
    if let Some(counter) = counters.get(at) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

fn read<const N: usize>(counters: &Counters<N>, at: usize) -> u64 {
    counters.get(at).map_or(0, |counter| counter.load(Ordering::Relaxed))
}

/// Counts as open until it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    figures: Arc<PeerFigures>,
    gauge: fn(&PeerFigures) -> &AtomicU64,
}

impl Open {
    fn new(figures: Arc<PeerFigures>, gauge: fn(&PeerFigures) -> &AtomicU64) -> Self {
        gauge(&figures).fetch_add(1, Ordering::Relaxed);
        Self { figures, gauge }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        (self.gauge)(&self.figures).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_and_a_name_of_its_own() {
        let figures = PeerFigures::default();
        for (at, reason) in RefusalReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
            figures.refuse(reason, ([127, 0, 0, 1], 1).into(), "");
            assert_eq!(figures.refusals(reason), 1, "{}", reason.name());
        }
    }
}
