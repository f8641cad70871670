//! What people have told a running node to do, beside its settings.

use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;
use tokio::sync::watch;

/// How far a node is that was told to leave its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// The others do not have all yet that it has.
    Leaving,
    /// They do, and it is no member any more.
    Left,
}

impl Departure {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leaving => "leaving",
            Self::Left => "left",
        }
    }
}

/// The configuration says `read_only`, and it counts more than what the node is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this node's configuration says `read_only: true`, and that counts more; change it there")]
pub struct ReadOnlyByConfiguration;

/// What a node was told to do.
#[derive(Debug)]
pub struct Duty {
    read_only: AtomicBool,
    draining: AtomicBool,
    departure: watch::Sender<Option<Departure>>,
}

impl Duty {
    /// As the last run left it.
    pub fn new(read_only: bool) -> Self {
        let (departure, draining) = (watch::Sender::new(None), AtomicBool::new(false));
        Self { read_only: AtomicBool::new(read_only), draining, departure }
    }

    /// Whether it is to refuse clients' writes.
    pub fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Acquire)
    }

    /// Whether it asks for no more requests.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// How far it is, if it was told to leave.
    pub fn departure(&self) -> Option<Departure> {
        *self.departure.borrow()
    }

    pub(crate) fn set_read_only(&self, read_only: bool) {
        self.read_only.store(read_only, Ordering::Release);
    }

    pub(crate) fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Ordering::Release);
    }

    /// Goes on to leave, or to have left; never back.
    pub(crate) fn depart(&self, departure: Departure) {
        self.departure.send_modify(|now| {
            if *now != Some(Departure::Left) {
                *now = Some(departure);
            }
        });
    }
}
