//! The thread's loop: one step for whatever happens next.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use kvs_core::NodeId;
use kvs_core::membership::{DATAGRAM, Effect, Event, Incarnation, Input, Membership};
use kvs_core::seal::{KeyRing, Sealer};
use tokio::net::UdpSocket;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Parts;
use super::figures::{Figures, Refusal, RefusalLog};
use super::outside::Outside;
use super::view::View;
use crate::time::WallClock;

/// Longest age of a published view: suspicions and times of last hearing come with it.
const REFRESH: Duration = Duration::from_secs(1);

/// Pause after the socket failed, so that a lasting failure does not take a core.
const PAUSE: Duration = Duration::from_millis(100);

/// How long it is not said again of a node that it restarted: two processes of one node restart it
/// in turn, many times a second.
const QUIET: Duration = Duration::from_secs(10);

/// What the thread is to do.
#[derive(Debug)]
pub(super) enum Order {
    Take(Input),
    Rotate(KeyRing, oneshot::Sender<()>),
    Leave(oneshot::Sender<()>),
}

pub(super) struct Driver {
    socket: UdpSocket,
    is_v6: bool,
    membership: Membership,
    sealer: Sealer,
    outside: Outside,
    clock: Arc<dyn WallClock>,
    stopping: CancellationToken,
    started: Instant,
    refresh: Instant,
    /// The own incarnation as published.
    published: Incarnation,
    figures: Arc<Figures>,
    refusals: RefusalLog,
    /// When it was last logged of each node that it restarted.
    restarts: HashMap<NodeId, Instant>,
    events: broadcast::Sender<Event>,
    view: watch::Sender<Arc<View>>,
}

impl Driver {
    pub(super) fn new(
        parts: Parts,
        outside: Outside,
        figures: Arc<Figures>,
        events: broadcast::Sender<Event>,
        view: watch::Sender<Arc<View>>,
    ) -> io::Result<Self> {
        let now = Instant::now();
        let config = parts.config();
        Ok(Self {
            is_v6: parts.socket.local_addr()?.is_ipv6(),
            socket: UdpSocket::from_std(parts.socket)?,
            sealer: Sealer::new(parts.ring, parts.me.boot),
            published: parts.me.incarnation,
            membership: Membership::new(parts.me, config, rand::random()),
            outside,
            clock: parts.clock,
            stopping: parts.stopping,
            started: now,
            refresh: now + REFRESH,
            figures,
            refusals: RefusalLog::new(),
            restarts: HashMap::new(),
            events,
            view,
        })
    }

    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let stopping = self.stopping.clone();
        // One byte more than is allowed, to tell what is longer.
        let mut buffer = [0; DATAGRAM + 1];
        self.step(Input::Wake).await;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((length, from)) => self.datagram(plain(from), &buffer[..length]).await,
                    Err(error) => self.socket_failed(&error).await,
                },
                Some(order) = orders.recv() => self.order(order).await,
                () = sleep_until(self.wake()) => self.step(Input::Wake).await,
            }
        }
    }

    fn wake(&self) -> Instant {
        let due = self.membership.next_wake().map(|due| self.started + due);
        due.map_or(self.refresh, |due| due.min(self.refresh))
    }

    async fn order(&mut self, order: Order) {
        match order {
            Order::Take(input) => self.step(input).await,
            // Whoever asked for these may have given up waiting.
            Order::Rotate(ring, done) => {
                self.sealer.rotate(ring);
                let _ = done.send(());
            }
            Order::Leave(done) => {
                self.step(Input::Leave).await;
                let _ = done.send(());
            }
        }
    }

    async fn datagram(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.figures.received(bytes.len());
        match self.sealer.open(bytes) {
            Ok(payload) => {
                let payload = Bytes::from(payload);
                self.step(Input::Datagram { from, payload }).await;
            }
            Err(error) => self.refuse(from, error.into(), &error.to_string()),
        }
    }

    fn refuse(&mut self, from: SocketAddr, why: Refusal, detail: &str) {
        self.figures.refuse(why);
        self.refusals.log(from, why, detail);
    }

    async fn socket_failed(&mut self, error: &io::Error) {
        tracing::debug!(%error, "no datagram could be received");
        sleep(PAUSE).await;
    }

    async fn step(&mut self, input: Input) {
        let effects = self.membership.step(input, self.started.elapsed());
        let mut told = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { to, payload } => self.send(to, &payload).await,
                Effect::Resolve { seed } => self.outside.resolve(seed),
                Effect::Pull { from } => self.outside.pull(from, self.membership.me().clone()),
                Effect::Malformed { from } => {
                    self.refuse(from, Refusal::Malformed, "it was opened and not understood");
                }
                Effect::Tell(event) => told.push(event),
            }
        }
        self.publish(!told.is_empty());
        for event in told {
            self.log(&event);
            // Nobody need listen.
            let _ = self.events.send(event);
        }
    }

    async fn send(&mut self, to: SocketAddr, payload: &[u8]) {
        let datagram = self.sealer.seal(rand::random(), payload);
        match self.socket.send_to(&datagram, self.reachable(to)).await {
            Ok(bytes) => self.figures.sent(bytes),
            Err(error) => {
                self.figures.unsent.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%to, %error, "a datagram could not be sent");
            }
        }
    }

    /// A socket for both families speaks to IPv4 by addresses of IPv6 that stand for it.
    fn reachable(&self, to: SocketAddr) -> SocketAddr {
        match to {
            SocketAddr::V4(to) if self.is_v6 => (to.ip().to_ipv6_mapped(), to.port()).into(),
            to => to,
        }
    }

    fn log(&mut self, event: &Event) {
        if let Event::Changed(member) = event {
            let now = Instant::now();
            if self.restarts.get(&member.node).is_some_and(|last| now < *last + QUIET) {
                return;
            }
            self.restarts.insert(member.node, now);
        }
        log(event);
    }

    /// Publishes the view where something happened that others wait for, and now and then.
    fn publish(&mut self, told: bool) {
        let now = Instant::now();
        let mine = self.membership.me().incarnation;
        if !told && mine == self.published && now < self.refresh {
            return;
        }
        (self.published, self.refresh) = (mine, now + REFRESH);
        let elapsed = self.started.elapsed();
        let view = Arc::new(View::of(&self.membership, elapsed, self.clock.now()));
        self.view.send_if_modified(|published| {
            let changed = !published.says_the_same(&view);
            *published = view;
            changed
        });
    }
}

/// The address without that detour.
fn plain(from: SocketAddr) -> SocketAddr {
    SocketAddr::new(from.ip().to_canonical(), from.port())
}

fn log(event: &Event) {
    match event {
        Event::Up(member) => {
            tracing::info!(node = %member.node, name = member.name, peer = %member.peer, "member up");
        }
        Event::Changed(member) => {
            tracing::info!(
                node = %member.node, name = member.name, peer = %member.peer, "member restarted"
            );
        }
        Event::Down(member) => {
            tracing::warn!(node = %member.node, name = member.name, "member down");
        }
        Event::TwinSeen(twin) => {
            tracing::error!(
                boot = %twin.boot, gossip = %twin.gossip,
                "another process runs under this node's id, most likely from a copy of its disk"
            );
        }
    }
}
