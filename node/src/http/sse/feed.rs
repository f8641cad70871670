//! What a stream sends next, and what it waits for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use kvs_core::{Prefix, Right, UnixMillis};
use tokio::sync::watch;
use tokio::time::{self, Instant};

use super::block;
use crate::caller::Caller;
use crate::http::Call;
use crate::http::streams::Place;
use crate::node::{Node, ReadError};
use crate::records::{Change, Position, View};
use crate::store::StoreError;

/// How often an idle stream says that it is there. Readers give up after a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream that has caught up does not look at the log again, at least: what is written
/// within this time comes in one chunk.
const LEAST_PACE: Duration = Duration::from_millis(1);
/// The same for each stream that is open, so that many of them do not cost each write as many
/// readings: all together look at most 10,000 times a second.
const PACE_EACH: Duration = Duration::from_micros(100);
/// How often the wall clock is asked whether the next expiry has come. It may be set forward.
const CLOCK_LOOK: Duration = Duration::from_millis(500);
/// Changes that are read at a time.
const STEP: usize = 256;

/// One reader's stream.
pub(super) struct Feed {
    node: Arc<Node>,
    caller: Caller,
    prefix: Prefix,
    at: Position,
    /// What is sent before anything else.
    opening: Option<String>,
    committed: watch::Receiver<u64>,
    /// Changes of accounts: what the reader may see changes with them.
    accounts: watch::Receiver<u64>,
    /// Whether the reader has seen everything once: before, it cannot be too slow.
    live: bool,
    /// When the next expiry may have to be told.
    expiry: Option<UnixMillis>,
    heartbeat: Instant,
    /// Until when the log is not looked at again.
    rest: Instant,
    place: Place,
}

/// What a look at the log found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    text: String,
    at: Position,
    state: State,
    expiry: Option<UnixMillis>,
}

/// How much is left behind what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing.
    CaughtUp,
    /// Something, or rows that were not looked at yet.
    More,
    /// More than may wait for one reader.
    TooMuch,
}

/// What ended a wait.
enum Woken {
    Work,
    Heartbeat,
    End,
}

impl Feed {
    pub(super) fn new(
        call: Call,
        prefix: Prefix,
        at: Position,
        opening: String,
        place: Place,
    ) -> Self {
        let now = Instant::now();
        Self {
            committed: call.node.writer().committed(),
            accounts: call.node.accounts().changes(),
            node: call.node,
            caller: call.caller,
            prefix,
            at,
            opening: Some(opening),
            live: false,
            expiry: None,
            heartbeat: now + HEARTBEAT,
            rest: now,
            place,
        }
    }

    /// The chunks of the stream.
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::unfold(Some(self), |feed| async { feed?.next().await })
    }

    /// The next chunk, and the stream without it; without the stream if it is the last one.
    async fn next(mut self) -> Option<(io::Result<Bytes>, Option<Self>)> {
        if let Some(opening) = self.opening.take() {
            return Some((Ok(opening.into()), Some(self)));
        }
        while !self.node.stopping().is_cancelled() && self.may_go_on() {
            let found = match self.look().await {
                Ok(found) => found,
                Err(error) => return Some((Err(broken(&error)), None)),
            };
            self.take_note(&found);
            if !found.text.is_empty() {
                let last = found.state == State::TooMuch;
                return Some((Ok(found.text.into()), (!last).then_some(self)));
            }
            let woken = match found.state {
                State::CaughtUp => self.wait().await,
                _ if self.heartbeat <= Instant::now() => Woken::Heartbeat,
                _ => Woken::Work,
            };
            match woken {
                Woken::Work => {}
                Woken::Heartbeat => {
                    self.heartbeat = Instant::now() + HEARTBEAT;
                    return Some((Ok(block::heartbeat(&self.at).into()), Some(self)));
                }
                Woken::End => return None,
            }
        }
        None
    }

    /// Whether the reader's token is still good. What it permits may have changed.
    fn may_go_on(&mut self) -> bool {
        self.accounts.borrow_and_update();
        let Some(bearer) = self.caller.token() else { return true };
        match self.node.accounts().renew(bearer, self.node.now()) {
            Ok(bearer) => {
                self.caller = self.caller.renewed(bearer);
                self.caller.denied_everywhere(Right::Read).is_none()
            }
            Err(_ended) => false,
        }
    }

    /// When the reader's token ends.
    fn ends(&self) -> Option<UnixMillis> {
        self.caller.token().map(|bearer| bearer.claims.exp.millis())
    }

    fn take_note(&mut self, found: &Found) {
        let now = Instant::now();
        self.at = found.at;
        self.expiry = found.expiry;
        if found.state == State::CaughtUp {
            self.live = true;
            self.rest = now + pace(self.place.open());
        }
        if !found.text.is_empty() {
            self.heartbeat = now + HEARTBEAT;
        }
    }

    /// Reads the log on a thread that may wait.
    async fn look(&mut self) -> Result<Found, ReadError> {
        time::sleep_until(self.rest).await;
        // What is committed from here on wakes the next wait.
        self.committed.borrow_and_update();
        let (prefix, at, live) = (self.prefix.clone(), self.at, self.live);
        let backlog = self.node.settings().limits.stream_backlog.as_len();
        self.node.view(&self.caller, move |view| find(view, &prefix, at, live, backlog)).await
    }

    async fn wait(&mut self) -> Woken {
        let (stopping, ends) = (self.node.stopping().clone(), self.ends());
        tokio::select! {
            biased;
            () = stopping.cancelled() => Woken::End,
            // The writer is gone only when the node is.
            changed = self.committed.changed() => {
                if changed.is_ok() { Woken::Work } else { Woken::End }
            }
            () = expired(&self.node, self.expiry) => Woken::Work,
            // Then it is seen whether the stream may go on.
            () = expired(&self.node, ends) => Woken::Work,
            Ok(()) = self.accounts.changed() => Woken::Work,
            () = time::sleep_until(self.heartbeat) => Woken::Heartbeat,
        }
    }
}

/// How long a stream rests between two looks at the log, where so many are `open`.
fn pace(open: usize) -> Duration {
    PACE_EACH.saturating_mul(u32::try_from(open).unwrap_or(u32::MAX)).max(LEAST_PACE)
}

/// Ends once the wall clock has come to `expiry`; never if there is none.
async fn expired(node: &Node, expiry: Option<UnixMillis>) {
    let Some(expiry) = expiry else { return std::future::pending().await };
    loop {
        let left = Duration::from_millis(expiry.0.saturating_sub(node.now().0));
        if left.is_zero() {
            return;
        }
        time::sleep(left.min(CLOCK_LOOK)).await;
    }
}

fn broken(error: &ReadError) -> io::Error {
    tracing::error!(%error, "a stream of changes broke off");
    // What the reader sees of it is a connection that breaks off.
    io::Error::other("the stream broke off")
}

/// What comes after `at`. Of a reader that is `live`, everything: if that is more than `backlog`
/// bytes, it gets those and is cut off. Of one that reads history, a chunk.
fn find(
    view: &View<'_>,
    prefix: &Prefix,
    at: Position,
    live: bool,
    backlog: usize,
) -> Result<Found, StoreError> {
    let mut gathered = Gathered { text: String::new(), at, backlog };
    loop {
        let (page, more) = view.changes_after(prefix, gathered.at, STEP)?;
        if !page.items.iter().all(|change| gathered.add(change)) {
            return Ok(gathered.cut(live));
        }
        gathered.at = page.next.unwrap_or(gathered.at);
        // A page that is not full ends at the bound of rows that may be looked at in one go.
        if !more || !live || page.items.len() < STEP {
            return gathered.end(view, more);
        }
    }
}

/// Blocks up to the bound, and where the last of them stands.
struct Gathered {
    text: String,
    at: Position,
    backlog: usize,
}

impl Gathered {
    /// Adds a change, unless it is one too much. Expiries of one instant share a position and are
    /// not torn apart, since nobody could resume between them.
    fn add(&mut self, change: &Change<Position>) -> bool {
        let block = block::change(change);
        let full = !self.text.is_empty() && self.text.len() + block.len() > self.backlog;
        if full && change.position != self.at {
            return false;
        }
        self.text.push_str(&block);
        self.at = change.position;
        true
    }

    fn cut(mut self, live: bool) -> Found {
        let state = if live { State::TooMuch } else { State::More };
        if live {
            self.text.push_str(&block::cut_off(&self.at, self.backlog));
        }
        Found { text: self.text, at: self.at, state, expiry: None }
    }

    fn end(self, view: &View<'_>, more: bool) -> Result<Found, StoreError> {
        let Self { text, at, .. } = self;
        if more {
            return Ok(Found { text, at, state: State::More, expiry: None });
        }
        Ok(Found { text, at, state: State::CaughtUp, expiry: view.next_expiry(at)? })
    }
}

#[cfg(test)]
mod tests;
