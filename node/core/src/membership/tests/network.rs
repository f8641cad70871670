//! A cluster from a seed, in virtual time: real nodes, and a network that loses and delays.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::membership::{
    BootId, Config, DATAGRAM, Effect, Event, Incarnation, Input, Member, Membership, Twin,
};
use crate::{NodeId, UnixMillis, seal};

/// Time between two looks at a condition.
const LOOK: Duration = Duration::from_millis(50);

/// How long a connection to nobody takes to fail.
const CONNECT: Duration = Duration::from_secs(1);

pub(super) struct Network {
    seed: u64,
    pub(super) now: Duration,
    pub(super) nodes: Vec<Node>,
    queue: BinaryHeap<Reverse<Entry>>,
    order: u64,
    /// Who listens where: a position in `nodes`.
    listeners: HashMap<SocketAddr, usize>,
    /// Positions whose present addresses the seeds' names stand for.
    seeds: Vec<usize>,
    rng: SmallRng,
    loss: f64,
    next_address: u32,
    /// Bytes of sealed datagrams sent.
    pub(super) bytes: usize,
}

pub(super) struct Node {
    pub(super) membership: Membership,
    started: Duration,
    wake: Duration,
    pub(super) runs: bool,
    /// Nodes in different parts do not reach each other.
    part: u8,
    /// Whom it was told to be up, and where.
    pub(super) up: BTreeMap<NodeId, SocketAddr>,
    pub(super) downs: usize,
    pub(super) twins: Vec<Twin>,
}

enum What {
    Wake(usize),
    Datagram { from: SocketAddr, to: SocketAddr, payload: Bytes },
    Resolved { node: usize, seed: usize },
    Pull { node: usize, from: SocketAddr },
    Pulled { node: usize, from: SocketAddr, members: Option<Vec<Member>> },
}

struct Entry(Duration, u64, What);

impl Network {
    pub(super) fn new(seed: u64, loss: f64, seeds: Vec<usize>) -> Self {
        Self {
            seed,
            now: Duration::ZERO,
            nodes: Vec::new(),
            queue: BinaryHeap::new(),
            order: 0,
            listeners: HashMap::new(),
            seeds,
            rng: SmallRng::seed_from_u64(seed),
            loss,
            next_address: 0,
            bytes: 0,
        }
    }

    /// Starts a node that was never there before; returns its position.
    pub(super) fn start(&mut self) -> usize {
        let number = u8::try_from(self.nodes.len()).unwrap();
        self.launch(number, 1)
    }

    /// Starts another process of a node, elsewhere; returns its position.
    pub(super) fn launch(&mut self, number: u8, start: u64) -> usize {
        let at = self.nodes.len();
        let node = self.fresh(number, start);
        self.listeners.insert(node.membership.me().gossip, at);
        self.nodes.push(node);
        self.happen(at, Input::Wake);
        at
    }

    /// Starts a node again that was killed, at a new address.
    pub(super) fn restart(&mut self, at: usize, start: u64) {
        let number = self.nodes[at].membership.me().node.as_bytes()[0];
        self.nodes[at] = self.fresh(number, start);
        self.listeners.insert(self.nodes[at].membership.me().gossip, at);
        self.happen(at, Input::Wake);
    }

    pub(super) fn kill(&mut self, at: usize) {
        self.nodes[at].runs = false;
    }

    pub(super) fn leave(&mut self, at: usize) {
        self.happen(at, Input::Leave);
        self.kill(at);
    }

    /// Puts each node into a part; none reaches a node of another.
    pub(super) fn split(&mut self, part: impl Fn(usize) -> u8) {
        for (at, node) in self.nodes.iter_mut().enumerate() {
            node.part = part(at);
        }
    }

    fn fresh(&mut self, number: u8, start: u64) -> Node {
        self.next_address += 1;
        let address = SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + self.next_address), 9080));
        let me = Member {
            node: NodeId::from_bytes([number; 16]),
            name: format!("node-{number:02}"),
            boot: BootId(self.rng.random()),
            incarnation: Incarnation::of_start(start),
            gossip: address,
            peer: address,
            client: address,
            joined: UnixMillis(1),
            zone: None,
            protocol: 1,
            release: "0".into(),
        };
        let config = Config { gossip_interval: Duration::from_secs(1), seeds: self.seeds.len() };
        Node {
            membership: Membership::new(me, config, self.rng.random()),
            started: self.now,
            wake: Duration::MAX,
            runs: true,
            part: 0,
            up: BTreeMap::new(),
            downs: 0,
            twins: Vec::new(),
        }
    }

    /// Runs until the condition holds, which must be within the limit.
    pub(super) fn until(&mut self, holds: impl Fn(&Self) -> bool, limit: Duration) {
        let latest = self.now + limit;
        while !holds(self) {
            let seed = self.seed;
            assert!(self.now < latest, "seed {seed}: not in {limit:?}: {}", self.describe());
            self.run(LOOK);
        }
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.queue.peek().is_some_and(|Reverse(Entry(due, ..))| *due <= end) {
            let Some(Reverse(Entry(due, _, what))) = self.queue.pop() else { break };
            self.now = due;
            self.carry_out(what);
        }
        self.now = end;
    }

    /// Whether every running node holds exactly the running ones to be up, where they are.
    pub(super) fn is_one(&self) -> bool {
        let running = || self.nodes.iter().filter(|node| node.runs);
        let all: BTreeMap<_, _> = running().map(Node::place).collect();
        running().all(|node| {
            node.up.len() + 1 == all.len()
                && node.up.iter().all(|(id, address)| all.get(id) == Some(address))
        })
    }

    fn describe(&self) -> String {
        let running = self.nodes.iter().enumerate().filter(|(_, node)| node.runs);
        let counts: Vec<_> = running.map(|(at, node)| format!("{at}:{}", node.up.len())).collect();
        counts.join(" ")
    }

    fn carry_out(&mut self, what: What) {
        match what {
            What::Wake(node) => {
                if self.nodes[node].wake <= self.now {
                    self.happen(node, Input::Wake);
                }
            }
            What::Datagram { from, to, payload } => {
                if let Some(node) = self.reach(from, to) {
                    self.happen(node, Input::Datagram { from, payload });
                }
            }
            What::Resolved { node, seed } => {
                let there = &self.nodes[self.seeds[seed]];
                let addresses = vec![there.membership.me().gossip];
                self.happen(node, Input::Resolved { seed, addresses });
            }
            What::Pull { node, from } => self.answer(node, from),
            What::Pulled { node, from, members: Some(members) } => {
                self.happen(node, Input::Pulled { from, members });
            }
            What::Pulled { node, from, members: None } => {
                self.happen(node, Input::PullFailed { from });
            }
        }
    }

    /// Who listens at an address that can be reached from another.
    fn reach(&self, from: SocketAddr, to: SocketAddr) -> Option<usize> {
        let (sender, receiver) = (*self.listeners.get(&from)?, *self.listeners.get(&to)?);
        let here = |at: usize, address| self.nodes[at].membership.me().gossip == address;
        let connected = self.nodes[sender].part == self.nodes[receiver].part;
        (connected && self.nodes[receiver].runs && here(receiver, to)).then_some(receiver)
    }

    fn answer(&mut self, node: usize, from: SocketAddr) {
        let me = self.nodes[node].membership.me().clone();
        let Some(there) = self.reach(me.gossip, from) else {
            return self.plan(CONNECT, What::Pulled { node, from, members: None });
        };
        self.happen(there, Input::Met(me));
        let members = Some(self.nodes[there].membership.introductions());
        let delay = self.delay();
        self.plan(delay, What::Pulled { node, from, members });
    }

    fn happen(&mut self, at: usize, input: Input) {
        if !self.nodes[at].runs {
            return;
        }
        let (node, now) = (&mut self.nodes[at], self.now);
        let effects = node.membership.step(input, now.saturating_sub(node.started));
        for effect in effects {
            self.effect(at, effect);
        }
        let node = &mut self.nodes[at];
        let wake = node.membership.next_wake().map_or(Duration::MAX, |due| node.started + due);
        if wake != Duration::MAX && (wake < node.wake || node.wake <= now) {
            node.wake = wake;
            self.plan(wake.saturating_sub(now), What::Wake(at));
        }
    }

    fn effect(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Send { to, payload } => self.send(at, to, payload),
            Effect::Resolve { seed } => {
                let delay = self.delay();
                self.plan(delay, What::Resolved { node: at, seed });
            }
            Effect::Pull { from } => {
                let delay = self.delay();
                self.plan(delay, What::Pull { node: at, from });
            }
            Effect::Malformed { from } => panic!("{from} sent what is not understood"),
            Effect::Tell(event) => self.nodes[at].told(event),
        }
    }

    fn send(&mut self, at: usize, to: SocketAddr, payload: Bytes) {
        let sealed = payload.len() + seal::OVERHEAD;
        assert!(sealed <= DATAGRAM, "a datagram of {sealed} bytes");
        self.bytes += sealed;
        let from = self.nodes[at].membership.me().gossip;
        if self.rng.random::<f64>() >= self.loss {
            let delay = self.delay();
            self.plan(delay, What::Datagram { from, to, payload });
        }
    }

    fn delay(&mut self) -> Duration {
        Duration::from_micros(self.rng.random_range(200..40_000))
    }

    fn plan(&mut self, after: Duration, what: What) {
        self.order += 1;
        self.queue.push(Reverse(Entry(self.now + after, self.order, what)));
    }
}

impl Node {
    fn place(&self) -> (NodeId, SocketAddr) {
        (self.membership.me().node, self.membership.me().gossip)
    }

    fn told(&mut self, event: Event) {
        let place = |member: Arc<Member>| (member.node, member.gossip);
        match event {
            Event::Up(member) => {
                let (node, address) = place(member);
                assert_eq!(self.up.insert(node, address), None, "up twice");
            }
            Event::Changed(member) => {
                let (node, address) = place(member);
                assert!(self.up.insert(node, address).is_some(), "changed, and was not up");
            }
            Event::Down(member) => {
                self.downs += 1;
                assert!(self.up.remove(&member.node).is_some(), "down twice");
            }
            Event::TwinSeen(twin) => self.twins.push(twin),
        }
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}
