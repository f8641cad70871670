//! Nodes, the network between them, and the one who decides what happens next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kvs_core::engine::{AskId, Effect, Input, Life, Now, Report};
use kvs_core::wire::{Answer, Cursor, Frame, Parcel, Question, Refusal, Route};
use kvs_core::{Format, Key, NodeId, RecordId, UnixMillis};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use crate::disk::Disk;
use crate::ledger::{self, Ledger};
use crate::node::{self, Running, Start};

/// When the simulation begins, in Unix milliseconds.
const EPOCH: u64 = 1_700_000_000_000;
/// How often it is looked who can reach whom.
const PROBE: Duration = Duration::from_millis(500);
/// How long a question waits for its answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);

pub(crate) struct World {
    pub(crate) rng: StdRng,
    pub(crate) now: Duration,
    pub(crate) places: Vec<Place>,
    pub(crate) ledger: Ledger,
    pub(crate) weather: Weather,
    events: BTreeMap<(Duration, u64), Event>,
    next_event: u64,
    streams: BTreeMap<(usize, usize), Following>,
    pub(crate) bytes: BTreeMap<&'static str, usize>,
    pub(crate) log: Vec<String>,
    pub(crate) retention: Duration,
    /// Until when somebody may believe a clock that was wrong.
    pub(crate) wrong_until: Duration,
    /// Whether nobody reaches anybody but within the island.
    pub(crate) apart: bool,
    trace: Option<Trace>,
}

/// A record that is watched: `KVS_TRACE` names its key.
struct Trace {
    row: Vec<u8>,
    seen: BTreeMap<usize, String>,
}

/// Where a node may run: a disk and a clock.
pub(crate) struct Place {
    pub(crate) disk: Arc<Disk>,
    pub(crate) running: Option<Running>,
    /// How far the wall clock is ahead, in milliseconds.
    pub(crate) skew: i64,
    /// Whether membership says that its node lives elsewhere too.
    pub(crate) twin: bool,
    /// Whether clients' writes are refused because it is to leave.
    pub(crate) leaving: bool,
    /// Whether nothing runs there any more.
    pub(crate) closed: bool,
    /// The newest format of versions that what starts there knows.
    pub(crate) newest: Format,
    /// Whom membership says it can reach.
    told: BTreeSet<NodeId>,
    unreachable_since: BTreeMap<NodeId, Duration>,
}

/// What the network does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// Of a message.
    pub(crate) loss: f64,
    pub(crate) duplicates: f64,
    pub(crate) slowest: Duration,
    /// Places that cannot reach those that are not in it.
    pub(crate) island: BTreeSet<usize>,
}

struct Following {
    epoch: u64,
    position: u64,
    /// When the last frame arrives: frames keep their order.
    arrives: Duration,
    heartbeat: Duration,
}

enum Event {
    Input { place: usize, boot: u64, input: Input },
    Question { from: usize, to: NodeId, boot: u64, ask: AskId, route: Route, bytes: Vec<u8> },
    Wake { place: usize, boot: u64 },
    Pump { client: usize, server: usize, epoch: u64 },
    Probe,
    Start { place: usize },
}

impl Place {
    pub(crate) fn new(disk: Disk) -> Self {
        Self {
            disk: Arc::new(disk),
            running: None,
            skew: 0,
            twin: false,
            leaving: false,
            closed: false,
            newest: Format::NEWEST,
            told: BTreeSet::new(),
            unreachable_since: BTreeMap::new(),
        }
    }

    /// Who lives on the disk.
    pub(crate) fn disk_id(&self) -> NodeId {
        node::identity(&self.disk)
    }

    pub(crate) fn forget_whom_it_reaches(&mut self) {
        self.told.clear();
        self.unreachable_since.clear();
        self.twin = false;
    }
}

impl World {
    pub(crate) fn new(seed: u64, count: usize, retention: Duration) -> Self {
        let mut world = Self {
            rng: StdRng::seed_from_u64(seed),
            now: Duration::ZERO,
            places: Vec::new(),
            ledger: Ledger::default(),
            weather: Weather { slowest: Duration::from_millis(5), ..Weather::default() },
            events: BTreeMap::new(),
            next_event: 0,
            streams: BTreeMap::new(),
            bytes: BTreeMap::new(),
            log: Vec::new(),
            retention,
            wrong_until: Duration::ZERO,
            apart: false,
            trace: std::env::var("KVS_TRACE").ok().map(|key| Trace {
                row: RecordId::value(Key::client(&key).unwrap()).encode(),
                seen: BTreeMap::new(),
            }),
        };
        for at in 0..count {
            world.places.push(Place::new(Disk::default()));
            world.format(at);
        }
        world.schedule(Duration::ZERO, Event::Probe);
        world
    }

    /// Gives a place an empty disk with a node of its own.
    pub(crate) fn format(&mut self, at: usize) {
        let disk = Arc::new(Disk::default());
        let id = NodeId::from_bytes(self.rng.random());
        node::format(&disk, id, self.wall(at));
        self.places[at].disk = disk;
    }

    pub(crate) fn wall(&self, at: usize) -> UnixMillis {
        let millis = EPOCH + u64::try_from(self.now.as_millis()).unwrap();
        UnixMillis(millis.saturating_add_signed(self.places[at].skew))
    }

    pub(crate) fn clock(&self, at: usize) -> Now {
        let started = self.places[at].running.as_ref().map_or(self.now, |node| node.started);
        Now { wall: self.wall(at), running: self.now.saturating_sub(started) }
    }

    pub(crate) fn start_within(&mut self, at: usize, within: Duration) {
        let delay = within.mul_f64(self.rng.random());
        self.schedule(delay, Event::Start { place: at });
    }

    fn start(&mut self, at: usize) {
        if self.places[at].running.is_some() || self.places[at].closed {
            return;
        }
        let boot = self.rng.next_u64();
        let wall = self.wall(at);
        // An earlier release refuses this disk, and says so: somebody starts the later one.
        self.places[at].newest = self.places[at].newest.max(node::format_of(&self.places[at].disk));
        let seeds = self.places.len() > 1;
        let disk = self.places[at].disk.clone();
        let (now, retention) = (self.now, self.retention);
        let start = Start { boot, at: now, wall, retention, newest: self.places[at].newest };
        let node = Running::start(&disk, start, seeds);
        self.places[at].running = Some(node);
        self.step(at, Input::Tick);
    }

    /// Ends a node without a word; what was not on its disk may be lost.
    pub(crate) fn crash(&mut self, at: usize) {
        let place = &mut self.places[at];
        if place.running.take().is_none() {
            return;
        }
        let kept = self.rng.random_range(0..=place.disk.pending());
        place.disk.crash(kept);
        place.forget_whom_it_reaches();
        self.say(at, "crashed");
    }

    pub(crate) fn say(&mut self, at: usize, what: impl std::fmt::Display) {
        let line = format!("{:>9.3} {at} {what}", self.now.as_secs_f64());
        self.log.push(line);
    }

    pub(crate) fn is_up(&self, at: usize) -> bool {
        self.places[at].running.is_some()
    }

    pub(crate) fn life(&self, at: usize) -> Option<Life> {
        self.places[at].running.as_ref().map(|node| node.engine.life())
    }

    /// Lets `span` of time pass.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(entry) = self.events.first_entry()
            && entry.key().0 <= end
        {
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            self.happen(event);
            self.look_at_trace();
        }
        self.now = end;
    }

    /// Says what became of the watched record.
    fn look_at_trace(&mut self) {
        let Some(mut trace) = self.trace.take() else { return };
        for at in 0..self.places.len() {
            let head = ledger::head(&*self.places[at].disk, &trace.row);
            let shown =
                head.map_or("nothing".into(), |head| format!("{:?} {:?}", head.stamp, head.body));
            if trace.seen.insert(at, shown.clone()).as_ref() != Some(&shown) {
                let gate = self.places[at].running.as_ref().map(|node| node.gate().pulse);
                self.say(at, format_args!("has {shown}, {gate:?}"));
            }
        }
        self.trace = Some(trace);
    }

    fn schedule(&mut self, after: Duration, event: Event) {
        self.next_event += 1;
        self.events.insert((self.now + after, self.next_event), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input { place, boot, input } => {
                if self.boots(place, boot) {
                    self.step(place, input);
                }
            }
            Event::Question { from, to, boot, ask, route, bytes } => {
                self.question(from, to, boot, ask, route, &bytes);
            }
            Event::Wake { place, boot } => {
                if self.boots(place, boot) {
                    if let Some(node) = &mut self.places[place].running {
                        node.wakes = Duration::MAX;
                    }
                    self.step(place, Input::Tick);
                }
            }
            Event::Pump { client, server, epoch } => self.pump(client, server, epoch),
            Event::Probe => self.probe(),
            Event::Start { place } => self.start(place),
        }
    }

    fn boots(&self, at: usize, boot: u64) -> bool {
        self.places[at].running.as_ref().is_some_and(|node| node.boot == boot)
    }

    pub(crate) fn step(&mut self, at: usize, input: Input) {
        let _reply = self.step_for_reply(at, input);
    }

    fn step_for_reply(&mut self, at: usize, input: Input) -> Option<Answer> {
        let (now, random) = (self.clock(at), self.rng.next_u64());
        let Some(node) = &mut self.places[at].running else { return None };
        let before = node.head();
        let effects = node.step(input, now, random);
        let grown = node.head() != before;
        let mut reply = None;
        for effect in effects {
            match effect {
                Effect::Reply(answer) => reply = Some(answer),
                effect => self.carry_out(at, effect),
            }
        }
        if grown {
            self.pump_all(at);
        }
        self.wake(at);
        reply
    }

    fn wake(&mut self, at: usize) {
        let Some(node) = &mut self.places[at].running else { return };
        let due = node.started.saturating_add(node.engine.wake_at());
        // A wish for the past would have time stand still.
        let due = due.max(self.now + Duration::from_millis(1));
        if due < node.wakes && due < Duration::from_hours(100) {
            node.wakes = due;
            let boot = node.boot;
            self.schedule(due.saturating_sub(self.now), Event::Wake { place: at, boot });
        }
    }

    fn carry_out(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Ask { ask, peer, question } => self.ask(at, ask, peer, &question),
            Effect::Follow { peer, cursor } => self.follow(at, peer, cursor),
            Effect::Unfollow { peer } => {
                for server in 0..self.places.len() {
                    if self.id(server) == Some(peer) {
                        self.streams.remove(&(at, server));
                    }
                }
            }
            Effect::Fenced { held, given_up } => self.fenced(at, held, given_up),
            Effect::Report(Report::Failed(error)) => panic!("{at}: the store failed: {error}"),
            Effect::Report(Report::Broken { how, .. }) => panic!("{at}: {how}"),
            Effect::Report(report) => self.say(at, format_args!("{report:?}")),
            Effect::Gone { node, standing } => self.say(at, format_args!("{node} {standing:?}")),
            Effect::Forgot(done) => self.say(at, format_args!("forgot: {done:?}")),
            Effect::Upgraded(done) => self.say(at, format_args!("upgraded: {done:?}")),
            Effect::Left => self.left(at),
            Effect::Reply(_) => unreachable!("replies are taken where they are asked for"),
        }
    }

    fn fenced(&mut self, at: usize, held: kvs_core::Stamp, given_up: bool) {
        self.say(at, format_args!("fenced, given up: {given_up}"));
        let disk = self.places[at].disk.clone();
        let node = self.places[at].running.take();
        let horizon = node.as_ref().map_or(held, |node| node.gate().pulse.horizon);
        self.ledger.rescue(&*disk, held, horizon);
        let origin = node.as_ref().map(Running::origin);
        self.places[at].forget_whom_it_reaches();
        self.format(at);
        if let Some(origin) = origin.filter(|_| !given_up) {
            let disk = Arc::new(Disk::default());
            node::format(&disk, origin.node, origin.joined);
            self.places[at].disk = disk;
        }
        self.schedule(Duration::from_millis(100), Event::Start { place: at });
    }

    /// A node that left stops; its disk is still there.
    fn left(&mut self, at: usize) {
        self.say(at, "left");
        self.places[at].running = None;
        self.places[at].forget_whom_it_reaches();
        self.places[at].closed = true;
    }

    /// Where a place finds a node: of two that live under one id, either.
    fn find(&mut self, from: usize, id: NodeId) -> Option<usize> {
        let places = 0..self.places.len();
        let found: Vec<usize> = places
            .filter(|at| *at != from && self.id(*at) == Some(id) && self.connected(from, *at))
            .collect();
        match found.len() {
            0 | 1 => found.first().copied(),
            several => found.get(self.rng.random_range(0..several)).copied(),
        }
    }

    pub(crate) fn id(&self, at: usize) -> Option<NodeId> {
        self.places[at].running.as_ref().map(|node| node.id)
    }

    pub(crate) fn connected(&self, one: usize, other: usize) -> bool {
        let island = &self.weather.island;
        let (one_is_in, other_is_in) = (island.contains(&one), island.contains(&other));
        let together = one_is_in == other_is_in && (one_is_in || !self.apart);
        self.is_up(one) && self.is_up(other) && together
    }

    fn delay(&mut self) -> Duration {
        let slowest = self.weather.slowest.as_micros().max(2);
        let slowest = u64::try_from(slowest).unwrap();
        Duration::from_micros(self.rng.random_range(1..slowest))
    }

    fn is_lost(&mut self) -> bool {
        let loss = self.weather.loss;
        self.rng.random_bool(loss)
    }

    fn ask(&mut self, from: usize, ask: AskId, peer: NodeId, question: &Question) {
        let boot = self.places[from].running.as_ref().map_or(0, |node| node.boot);
        if self.find(from, peer).is_some() && !self.is_lost() {
            let to = peer;
            let route = question.route();
            let bytes = question.encode();
            *self.bytes.entry(route.name()).or_default() += bytes.len();
            if self.rng.random_bool(self.weather.duplicates) {
                let (delay, bytes) = (self.delay() * 3, bytes.clone());
                // The answer to a repeated question finds nobody who waits for it.
                let ask = AskId(u64::MAX);
                self.schedule(delay, Event::Question { from, to, boot, ask, route, bytes });
            }
            let delay = self.delay();
            self.schedule(delay, Event::Question { from, to, boot, ask, route, bytes });
        } else {
            self.unanswered(from, boot, ask);
        }
    }

    fn unanswered(&mut self, from: usize, boot: u64, ask: AskId) {
        let input = Input::Answered { ask, answer: Err("timed out".into()) };
        self.schedule(PATIENCE, Event::Input { place: from, boot, input });
    }

    fn question(
        &mut self,
        from: usize,
        to: NodeId,
        boot: u64,
        ask: AskId,
        route: Route,
        bytes: &[u8],
    ) {
        // A connection ends with the node at its other end, whatever lives there next.
        let Some(to) = self.find(from, to) else { return self.unanswered(from, boot, ask) };
        let question = Question::decode(route, bytes).unwrap();
        let answer = self.boots(from, boot).then(|| self.answer(from, to, question)).flatten();
        let lost = self.is_lost() || !self.connected(from, to);
        match answer.filter(|_| !lost) {
            Some(answer) => {
                let bytes = answer.encode();
                *self.bytes.entry(route.name()).or_default() += bytes.len();
                let answer = Ok(Answer::decode(&bytes).unwrap());
                let delay = self.delay();
                let input = Input::Answered { ask, answer };
                self.schedule(delay, Event::Input { place: from, boot, input });
            }
            None => self.unanswered(from, boot, ask),
        }
    }

    fn answer(&mut self, from: usize, to: usize, question: Question) -> Option<Answer> {
        let peer = self.places[from].running.as_ref()?.id;
        let wall = self.wall(to);
        match question {
            Question::Hello(_)
            | Question::Begin(_)
            | Question::Agree(..)
            | Question::Join(_)
            | Question::Push(..) => self.step_for_reply(to, Input::Asked { peer, question }),
            question => {
                let served = self.places[to].running.as_mut()?.serve(question, wall);
                if let Some(pulse) = served.pulse {
                    self.step(to, Input::Heard { peer, pulse });
                }
                if served.members {
                    self.step(to, Input::MembersChanged);
                }
                self.pump_all(to);
                Some(served.answer)
            }
        }
    }

    fn follow(&mut self, client: usize, peer: NodeId, cursor: Cursor) {
        let Some(server) = self.find(client, peer) else {
            return self.end(client, peer, Err("unreachable".into()));
        };
        let pulse = self.places[client].running.as_ref().map(|node| node.gate().pulse);
        let node = self.places[server].running.as_ref().unwrap();
        if let Err(refusal) = pulse.map_or(Ok(()), |pulse| node.gate().pass(&pulse)) {
            return self.end(client, peer, Ok(refusal));
        }
        let position = node.resume(cursor);
        let epoch = self.next_event;
        let (arrives, heartbeat) = (self.now, self.now);
        let following = Following { epoch, position, arrives, heartbeat };
        self.streams.insert((client, server), following);
        let delay = self.delay();
        self.schedule(delay, Event::Pump { client, server, epoch });
    }

    fn end(&mut self, client: usize, peer: NodeId, why: Result<Refusal, String>) {
        let Some(node) = &self.places[client].running else { return };
        let (boot, input) = (node.boot, Input::Ended { peer, why });
        let delay = self.delay();
        self.schedule(delay, Event::Input { place: client, boot, input });
    }

    /// Sends what a server has to all who follow it.
    pub(crate) fn pump_all(&mut self, server: usize) {
        let followed = self.streams.iter().filter(|((_, of), _)| *of == server);
        let clients: Vec<(usize, u64)> =
            followed.map(|((client, _), following)| (*client, following.epoch)).collect();
        for (client, epoch) in clients {
            self.send(client, server, epoch);
        }
    }

    fn pump(&mut self, client: usize, server: usize, epoch: u64) {
        if self.send(client, server, epoch) {
            self.schedule(HEARTBEAT, Event::Pump { client, server, epoch });
        }
    }

    /// Sends what is new, or that there is nothing new; says whether the stream goes on.
    fn send(&mut self, client: usize, server: usize, epoch: u64) -> bool {
        let key = (client, server);
        let Some(following) = self.streams.get(&key).filter(|one| one.epoch == epoch) else {
            return false;
        };
        let (position, beats) = (following.position, following.heartbeat <= self.now);
        if !self.connected(client, server) || self.is_lost() {
            self.streams.remove(&key);
            if let Some(peer) = self.places[server].running.as_ref().map(|node| node.id) {
                self.end(client, peer, Err("broken".into()));
            }
            return false;
        }
        let wall = self.wall(server);
        let node = self.places[server].running.as_ref().unwrap();
        let (sent, reached) = node.after(position);
        if sent.is_empty() && !beats {
            return true;
        }
        let frame = Frame {
            pulse: node.gate().pulse,
            wall,
            incarnation: node.incarnation(),
            position: reached,
            head: node.head(),
            waiting: 0,
            versions: Parcel::pack(&sent),
        };
        let peer = node.id;
        let bytes = frame.encode();
        *self.bytes.entry("stream").or_default() += bytes.len();
        let frame = Box::new(Frame::decode(&bytes).unwrap());
        let delay = self.delay();
        let now = self.now;
        let following = self.streams.get_mut(&key).unwrap();
        following.position = reached;
        following.arrives = following.arrives.max(now + delay);
        following.heartbeat = now + HEARTBEAT;
        let arrives = following.arrives;
        if let Some(boot) = self.places[client].running.as_ref().map(|node| node.boot) {
            let input = Input::Frame { peer, frame };
            self.schedule(arrives.saturating_sub(now), Event::Input { place: client, boot, input });
        }
        true
    }

    /// Membership as an oracle: what it says is true, a while later.
    fn probe(&mut self) {
        for at in 0..self.places.len() {
            for other in 0..self.places.len() {
                if at != other && self.is_up(at) {
                    self.probe_pair(at, other);
                }
            }
            self.probe_gone(at);
            self.probe_twin(at);
        }
        self.schedule(PROBE, Event::Probe);
    }

    fn probe_pair(&mut self, at: usize, other: usize) {
        let connected = self.connected(at, other);
        let Some(id) = self.places[other].running.as_ref().map(|node| node.id) else { return };
        if self.id(at) == Some(id) {
            return;
        }
        let place = &mut self.places[at];
        if connected {
            place.unreachable_since.remove(&id);
            if place.told.insert(id) {
                self.step(at, Input::Reachable(id));
            }
        }
    }

    fn probe_gone(&mut self, at: usize) {
        let told: Vec<NodeId> = self.places[at].told.iter().copied().collect();
        for id in told {
            if self.find(at, id).is_some() || !self.is_up(at) {
                continue;
            }
            let now = self.now;
            let since = *self.places[at].unreachable_since.entry(id).or_insert(now);
            if now >= since + Duration::from_secs(2) {
                self.places[at].told.remove(&id);
                self.places[at].unreachable_since.remove(&id);
                self.step(at, Input::Unreachable(id));
            }
        }
    }

    /// Who lives twice hears of it from whoever can reach both.
    fn probe_twin(&mut self, at: usize) {
        let mut others = 0..self.places.len();
        let twin = others.any(|other| {
            other != at
                && self.is_up(at)
                && self.id(other) == self.id(at)
                && self.connected(at, other)
        });
        if twin && !self.places[at].twin {
            self.say(at, "is told that it lives twice");
        }
        self.places[at].twin = twin;
    }

    /// What all serving nodes must agree in.
    pub(crate) fn roots(&self) -> Vec<kvs_core::digest::Summary> {
        let nodes = self.places.iter().filter_map(|place| place.running.as_ref());
        nodes.map(Running::checked_root).collect()
    }

    /// Whether all nodes run, serve and are equal.
    pub(crate) fn is_settled(&self) -> bool {
        let mut open = (0..self.places.len()).filter(|at| !self.places[*at].closed);
        let serving = open.all(|at| self.life(at) == Some(Life::Serving));
        serving && self.roots().windows(2).all(|pair| pair[0] == pair[1])
    }
}
