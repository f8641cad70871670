//! What clients do, and what happens to nodes meanwhile.

use std::time::Duration;

use kvs_core::engine::Life;
use kvs_core::members::Standing;
use kvs_core::{
    Body, Command, Condition, ContentType, Expiry, Key, RecordId, Value, Version, VersionId,
};
use kvs_node::writer::{Applied, Write};
use rand::RngExt as _;
use uuid::Uuid;

use crate::world::{Weather, World};

/// Keys that clients write; few, so that they meet.
const KEYS: u32 = 24;
/// Far more than peers accept, in milliseconds.
const HOUR: i64 = 3_600_000;

impl World {
    /// Has somebody write something somewhere.
    pub(crate) fn client(&mut self) {
        let at = self.rng.random_range(0..self.places.len());
        if self.life(at) != Some(Life::Serving) || self.refuses_writes(at) {
            return;
        }
        let key = format!("k/{}", self.rng.random_range(0..KEYS));
        let record = RecordId::value(Key::client(&key).unwrap());
        let command = self.command();
        let wall = self.wall(at);
        let Some(node) = &mut self.places[at].running else { return };
        if let Ok(Applied::Committed(_)) =
            node.write(Write { record: record.clone(), command }, wall)
        {
            let disk = self.places[at].disk.clone();
            self.ledger.note(&record, &*disk);
            self.pump_all(at);
        }
    }

    fn command(&mut self) -> Command {
        let uuid = VersionId::new(Uuid::from_u128(self.rng.random()));
        if self.rng.random_bool(0.3) {
            return Command::Delete { condition: Condition::Always, uuid };
        }
        let text = format!("{}", self.rng.random::<u64>());
        let body = Body::Value(Value::plain(ContentType::JSON, text.into()));
        let expiry = if self.rng.random_bool(0.2) {
            Expiry::After(Duration::from_secs(self.rng.random_range(1..10)))
        } else {
            Expiry::Never
        };
        Command::Put { body, expiry, condition: Condition::Always, uuid, author: None }
    }

    /// What a node does whose clock is ahead of its peers'.
    fn refuses_writes(&self, at: usize) -> bool {
        let node = self.places[at].running.as_ref();
        let place = &self.places[at];
        let barred = place.twin || place.leaving;
        barred || node.is_none_or(|node| node.engine.watch().check(self.clock(at)).is_err())
    }

    /// Lets `span` pass while clients write and, with `trouble`, things break.
    pub(crate) fn live(&mut self, span: Duration, trouble: bool) {
        let end = self.now + span;
        while self.now < end {
            let pause = Duration::from_millis(self.rng.random_range(1..60));
            self.run(pause);
            self.client();
            if trouble && self.rng.random_bool(0.02) {
                self.trouble();
            }
        }
    }

    fn trouble(&mut self) {
        let at = self.rng.random_range(0..self.places.len());
        match self.rng.random_range(0..6) {
            0 | 1 => {
                self.crash(at);
                self.set_clock(at, self.places[at].skew % HOUR);
                self.start_within(at, Duration::from_secs(8));
            }
            2 => {
                let all = 0..self.places.len();
                self.weather.island = all.filter(|_| self.rng.random_bool(0.5)).collect();
                let island = format!("island {:?}", self.weather.island);
                self.say(at, island);
            }
            3 => self.weather.island.clear(),
            4 => {
                // A majority of wrong clocks is right; one that starts wrong and alone is not found out.
                // What a node was last told of another's clock is believed a little longer.
                let right = self.now > self.wrong_until
                    && self.places.iter().all(|place| place.skew < HOUR);
                // Who gave all others up asks nobody, and is right by itself.
                let counts = |other: &usize| {
                    let standing = self.standing(at, self.places[*other].disk_id());
                    self.life(*other) == Some(Life::Serving) && standing == Some(Standing::Joined)
                };
                let others = (0..self.places.len()).filter(|other| *other != at).filter(counts);
                let alone = !self.is_up(at) || self.places.len() < 3 || others.count() == 0;
                let skew: i64 = if right && !alone && self.rng.random_bool(0.3) {
                    HOUR
                } else {
                    self.rng.random_range(-10_000..10_000)
                };
                self.set_clock(at, skew);
                self.say(at, format_args!("clock {skew} ms ahead"));
            }
            _ => {
                self.weather.loss = [0.0, 0.01, 0.2][self.rng.random_range(0..3)];
                self.weather.duplicates = [0.0, 0.1][self.rng.random_range(0..2)];
                let slowest = [2, 20, 400][self.rng.random_range(0..3)];
                self.weather.slowest = Duration::from_millis(slowest);
            }
        }
    }

    /// Has a node accept a version that a client could have made it accept.
    pub(crate) fn put(&mut self, at: usize, record: &RecordId, version: Version) {
        let wall = self.wall(at);
        let Some(node) = &mut self.places[at].running else { return };
        let write = Write { record: record.clone(), command: Command::Merge(version) };
        node.write(write, wall).unwrap();
        self.pump_all(at);
    }

    /// Has clients write on one node, all at once, without anybody taking note.
    pub(crate) fn write_all(&mut self, at: usize, writes: Vec<Write>) {
        let wall = self.wall(at);
        let Some(node) = &mut self.places[at].running else { return };
        node.write_all(writes, wall);
        self.pump_all(at);
    }

    pub(crate) fn set_clock(&mut self, at: usize, skew: i64) {
        if self.places[at].skew >= HOUR {
            self.wrong_until = self.now + Duration::from_secs(5);
        }
        self.places[at].skew = skew;
    }

    /// Ends all trouble and waits until the nodes agree.
    pub(crate) fn calm(&mut self, within: Duration) -> Result<(), String> {
        self.weather = Weather { slowest: Duration::from_millis(5), ..Weather::default() };
        for at in 0..self.places.len() {
            self.set_clock(at, 0);
            self.start_within(at, Duration::from_millis(100));
        }
        let end = self.now + within;
        while self.now < end {
            self.run(Duration::from_millis(500));
            if self.is_settled() {
                return Ok(());
            }
        }
        let lives: Vec<_> = (0..self.places.len()).map(|at| self.life(at)).collect();
        Err(format!("not settled within {within:?}: {lives:?}, roots {:?}", self.roots()))
    }

    /// Says what is wrong once the nodes agree.
    pub(crate) fn faults(&self) -> Vec<String> {
        let of = |place: &crate::world::Place| {
            let node = place.running.as_ref()?;
            Some(self.ledger.faults(&*place.disk, node.gate().pulse.horizon))
        };
        self.places.iter().filter_map(of).flatten().collect()
    }
}
