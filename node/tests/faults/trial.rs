//! Rounds of load and a sudden end.

use std::sync::Arc;
use std::time::Duration;

use kvs_node::time::monotonic;
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::timeout;

use crate::audit;
use crate::figure::Figure;
use crate::follower::Follower;
use crate::ledger::{Allowance, Ledger};
use crate::load::Load;
use crate::process::{Home, Process};
use crate::seed::Seed;
use crate::simulated_power::Power;
use crate::wait::{self, DEADLINE};

/// The most writes that are acknowledged in a round.
const MOST_WRITES: u64 = 1_500;
/// The same where a round must last for several times the window.
const MOST_WRITES_WITH_A_WINDOW: u64 = 8_000;
/// One round in so many begins with a start that is itself killed.
const BROKEN_START_EVERY: u32 = 4;
/// One round in so many begins with a clean stop, and a look at the stopped store.
const STOP_EVERY: u64 = 5;
/// Keys per round whose history is read.
const HISTORIES: usize = 5;

/// A node that is ended again and again.
#[derive(Debug)]
pub(crate) struct Trial {
    home: Home,
    power: Option<Power>,
    /// How long before the end an acknowledged write may be lost.
    window: Duration,
    seed: Seed,
    ledger: Arc<Ledger>,
    follower: Follower,
    allowance: Allowance,
    figure: Figure,
}

impl Trial {
    /// A trial that may lose what was acknowledged less than `window` before the end: with zero,
    /// nothing.
    pub(crate) fn new(home: Home, power: Option<Power>, window: Duration) -> Self {
        let seed = Seed::choose();
        Self {
            home,
            power,
            window,
            seed,
            ledger: Arc::new(Ledger::new(seed)),
            follower: Follower::default(),
            allowance: Allowance { end: monotonic(), window },
            figure: Figure::of(seed),
        }
    }

    /// Runs `rounds` of them, looks a last time, and answers what was seen.
    pub(crate) async fn run(mut self, rounds: u64) -> Figure {
        for round in 0..rounds {
            let mut random = self.seed.part(u64::MAX - round);
            self.break_a_start(&mut random);
            let mut process = self.start();
            self.inspect(&process, &mut random).await;
            if round % STOP_EVERY == STOP_EVERY - 1 {
                self.stop_and_look(process);
                process = self.start();
            }
            self.load_and_end(process, round, &mut random).await;
        }
        let process = self.start();
        self.inspect(&process, &mut self.seed.part(u64::MAX - rounds)).await;
        self.stop_and_look(process);
        self.figure.rounds = rounds;
        self.figure
    }

    /// Ends the node as it should end, and looks at the store. A clean stop leaves nothing that a power
    /// cut could take. The look is not taken under the shim, which would not know of the files that
    /// it makes: it begins anew with what is there then.
    fn stop_and_look(&self, process: Process) {
        process.stop();
        self.power.iter().for_each(|power| power.cut(None));
        audit::offline(&self.home.data());
    }

    fn start(&self) -> Process {
        let mut command = self.home.command();
        self.power.iter().for_each(|power| power.connect(&mut command));
        Process::start(command)
    }

    /// Now and then, ends a start while it is still opening the store.
    fn break_a_start(&self, random: &mut StdRng) {
        if !random.random_ratio(1, BROKEN_START_EVERY) {
            return;
        }
        let mut command = self.home.command();
        self.power.iter().for_each(|power| power.connect(&mut command));
        let process = Process::spawn(command);
        let pid = process.pid().to_string();
        let lock = self.home.data().join("kvs.lock");
        wait::until("the start has the lock", || {
            let held = std::fs::read_to_string(&lock).is_ok_and(|text| text.trim() == pid);
            held.then_some(())
        });
        self.end(process, random);
    }

    /// Compares everything that the node holds with what it acknowledged.
    async fn inspect(&mut self, process: &Process, random: &mut StdRng) {
        let client = process.client();
        let found = audit::read(&client, &self.ledger).await;
        let lost = audit::settle(&found, &self.ledger, self.allowance);
        self.figure.note(lost);
        for _ in 0..HISTORIES.min(found.len()) {
            let at = random.random_range(0..found.len());
            audit::history(&client, &self.ledger, &found[at]).await;
        }
        self.follower.catch_up(&client).await.unwrap();
        if self.window.is_zero() {
            let version = |stored: &kvs_client::Stored| stored.uuid;
            let check = |(key, stored): &audit::Found| {
                self.follower.check(key, stored.as_ref().map(version))
            };
            found.iter().try_for_each(check).unwrap();
        }
    }

    async fn load_and_end(&mut self, process: Process, round: u64, random: &mut StdRng) {
        let client = process.client();
        let mut acknowledged = self.ledger.acknowledged();
        let before = *acknowledged.borrow();
        let strict = self.window.is_zero();
        let most = if strict { MOST_WRITES } else { MOST_WRITES_WITH_A_WINDOW };
        let enough = before + random.random_range(0..most);
        let following =
            std::mem::take(&mut self.follower).follow(client.clone(), self.ledger.acknowledged());
        let ending = async {
            let load = Load::start(&client, &self.ledger, self.seed, round);
            let waited = acknowledged.wait_for(|count| *count >= enough);
            timeout(DEADLINE, waited).await.expect("too few writes").unwrap();
            let end = monotonic();
            self.end(process, random);
            load.ended().await;
            // Wakes the follower, which then meets the end too.
            self.ledger.announce();
            end
        };
        let (follower, end) = timeout(2 * DEADLINE, async { tokio::join!(following, ending) })
            .await
            .expect("the follower hangs");
        let window = self.window;
        (self.follower, self.allowance) = (follower, Allowance { end, window });
        self.figure.acknowledged += *self.ledger.acknowledged().borrow() - before;
    }

    fn end(&self, process: Process, random: &mut StdRng) {
        process.kill();
        if let Some(power) = &self.power {
            // Half the time the disk keeps a part of what was not synced, as a real one may.
            power.cut(random.random::<bool>().then(|| random.random_range(1..u64::MAX)));
        }
    }
}
