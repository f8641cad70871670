//! Clients that write everywhere while nodes are killed, stopped, wiped and cut off and their clocks
//! go wrong, round after round: in the end every acknowledged write is there or was rightly overwritten, on all nodes.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kvs_client::{BatchItem, BatchOutcome, Client, ClientError};
use kvs_node::time::monotonic;
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::figure;
use crate::ledger::{Held, Ledger, SKEW};
use crate::look::{all_agree, all_meet, json};
use crate::network::Network;
use crate::process::Process;
use crate::seed::{self, Seed};
use crate::site::Site;
use crate::wait::DEADLINE;

const NODES: usize = 3;
const CLIENTS: u64 = 6;
/// Few enough that the same key is written on several nodes at once.
const KEYS: u32 = 150;
/// What happens in a round.
const EVENTS: usize = 5;
/// The most writes that are acknowledged between two events.
const MOST_WRITES: u64 = 150;
/// One round in so many begins with a node that lost its disk.
const WIPE_EVERY: u32 = 5;
/// A client that was refused tries elsewhere after this.
const PAUSE: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_by_kills_and_partitions() {
    let network = Network::new(u8::try_from(NODES).unwrap());
    let mut trial = Trial::new(network);
    println!("partitions: {}", trial.network.is_some());
    let rounds = seed::rounds(3);
    for round in 0..rounds {
        trial.round(round).await;
    }
    trial.tell(rounds);
}

struct Trial {
    nodes: Vec<Option<Process>>,
    homes: [Clock; NODES],
    site: Site,
    /// Nothing where there may be none: then nothing is cut.
    network: Option<Network>,
    seed: Seed,
    ledger: Arc<Ledger>,
    kills: u64,
    cuts: u64,
    jumps: u64,
    wiped: u64,
    slowest: Duration,
}

impl Trial {
    fn new(network: Option<Network>) -> Self {
        let seed = Seed::choose();
        let site = network.as_ref().map_or_else(Site::new, |network| Site::of(network.prefix));
        let mut homes = site.cluster::<NODES>("");
        if let Some(network) = &network {
            for (home, number) in homes.iter_mut().zip(1..) {
                *home = home.inside(&network.namespace(number));
            }
        }
        let homes = homes.map(Clock::of);
        let nodes = homes.iter().map(|it| Some(it.home.start())).collect();
        let ledger = Arc::new(Ledger::new(seed));
        let slowest = Duration::ZERO;
        let (kills, cuts, jumps, wiped) = (0, 0, 0, 0);
        Self { nodes, homes, site, network, seed, ledger, kills, cuts, jumps, wiped, slowest }
    }

    async fn round(&mut self, round: u64) {
        let mut random = self.seed.part(u64::MAX - round);
        self.meet().await;
        if random.random_ratio(1, WIPE_EVERY) {
            self.wipe(&mut random);
        }
        let load = Load::start(&self.nodes, &self.ledger, self.seed, round);
        for _ in 0..EVENTS {
            self.progress(&mut random).await;
            self.event(&mut random).await;
        }
        self.progress(&mut random).await;
        load.end().await;
        self.mend();
        let began = monotonic();
        self.meet().await;
        self.slowest = self.slowest.max(began.elapsed());
        self.inspect().await;
        println!(
            "round {round}: {} writes acknowledged so far, agreed {:?} after the last",
            *self.ledger.acknowledged().borrow(),
            began.elapsed()
        );
    }

    /// Waits until all nodes are one cluster again and hold the same.
    async fn meet(&self) {
        let nodes: Vec<&Process> = self.nodes.iter().flatten().collect();
        all_meet(&nodes).await;
        all_agree(&nodes).await;
    }

    /// Waits until some more writes are acknowledged.
    async fn progress(&self, random: &mut StdRng) {
        let mut acknowledged = self.ledger.acknowledged();
        let enough = *acknowledged.borrow() + random.random_range(0..MOST_WRITES);
        let waited = acknowledged.wait_for(|count| *count >= enough);
        timeout(DEADLINE, waited).await.expect("too few writes").unwrap();
    }

    /// At most one node is down at a time.
    async fn event(&mut self, random: &mut StdRng) {
        let chosen = random.random_range(0..NODES);
        let down = self.nodes.iter().position(Option::is_none);
        match (random.random_range(0..7), down, &self.network) {
            (0..=1, Some(down), _) => self.nodes[down] = Some(self.homes[down].home.start()),
            (0..=1, None, _) => {
                self.kills += 1;
                self.nodes[chosen].take().unwrap().kill();
            }
            (2, _, _) => {
                if let Some(node) = self.nodes[chosen].take() {
                    self.kills += 1;
                    node.kill();
                    self.nodes[chosen] = Some(self.homes[chosen].home.start());
                }
            }
            (3, None, _) => {
                self.nodes[chosen].take().unwrap().stop_at_any_time().await;
            }
            (3, Some(_), Some(network)) => network.heal(),
            (4, _, Some(network)) => {
                self.cuts += 1;
                network.cut_off(u8::try_from(chosen + 1).unwrap());
            }
            (5, _, Some(network)) => {
                self.cuts += 1;
                let other = (chosen + random.random_range(1..NODES)) % NODES;
                let [from, to] = [chosen, other].map(|at| u8::try_from(at + 1).unwrap());
                if random.random() { network.cut(from, to) } else { network.cut_one_way(from, to) }
            }
            _ => {
                self.jumps += 1;
                let skew = i64::try_from(SKEW).unwrap();
                self.homes[chosen].set(random.random_range(-skew..=skew));
            }
        }
    }

    /// Takes a node's disk away. All hold the same: nothing is lost with it.
    fn wipe(&mut self, random: &mut StdRng) {
        let chosen = random.random_range(0..NODES);
        self.nodes[chosen].take().unwrap().kill();
        fs::remove_dir_all(self.homes[chosen].home.data()).unwrap();
        fs::create_dir(self.homes[chosen].home.data()).unwrap();
        self.nodes[chosen] = Some(self.homes[chosen].home.start());
        self.wiped += 1;
    }

    fn mend(&mut self) {
        self.network.iter().for_each(Network::heal);
        for (node, it) in self.nodes.iter_mut().zip(&self.homes) {
            node.get_or_insert_with(|| it.home.start());
        }
    }

    /// Compares everything that the nodes hold with what was acknowledged.
    async fn inspect(&self) {
        let mut all = Vec::new();
        for node in self.nodes.iter().flatten() {
            all.push(read(&node.client(), &self.ledger).await);
        }
        for held in &all[1..] {
            assert_eq!(held, &all[0], "two nodes differ, and their roots do not");
        }
        for (key, held) in &all[0] {
            self.ledger.check(key, *held).unwrap_or_else(|why| panic!("lost: {why}"));
        }
    }

    fn tell(&self, rounds: u64) {
        let figure = serde_json::json!({
            "seed": self.seed.0.to_string(),
            "rounds": rounds,
            "nodes": NODES,
            "partitions": self.network.is_some(),
            "writes_acknowledged": *self.ledger.acknowledged().borrow(),
            "kills": self.kills,
            "cuts": self.cuts,
            "clock_jumps": self.jumps,
            "disks_lost": self.wiped,
            "slowest_agreement_ms": u64::try_from(self.slowest.as_millis()).unwrap(),
        });
        figure::tell("chaos", &figure);
        assert!(self.site.path("cluster.kvs").exists());
    }
}

/// Reads every key of the ledger.
async fn read(client: &Client, ledger: &Ledger) -> Vec<(String, Held)> {
    let mut found = Vec::new();
    for keys in ledger.names().chunks(50) {
        let items = keys.iter().map(BatchItem::get).collect();
        let results = client.batch(items).await.unwrap();
        for (key, result) in keys.iter().zip(results) {
            let held = match result.outcome {
                BatchOutcome::Read(stored) => {
                    let number = ledger.number(stored.value.as_bytes());
                    let number = number.unwrap_or_else(|why| panic!("{key}: {why}"));
                    Held::Value(number, stored.timestamp)
                }
                BatchOutcome::Failed { .. } if result.status == 404 => absent(client, key).await,
                other => panic!("a read failed: {other:?}"),
            };
            found.push((key.clone(), held));
        }
    }
    found
}

/// Since when there is nothing at a key.
async fn absent(client: &Client, key: &str) -> Held {
    let error = client.get(key).await.unwrap_err();
    let since = error.problem().and_then(|problem| problem.since);
    since.map_or(Held::Nothing, Held::Deleted)
}

/// Clients at work.
struct Load {
    clients: JoinSet<()>,
    ended: Arc<AtomicBool>,
}

impl Load {
    fn start(nodes: &[Option<Process>], ledger: &Arc<Ledger>, seed: Seed, round: u64) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let targets: Vec<Client> = nodes.iter().flatten().map(Process::client).collect();
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let (targets, ledger, ended) = (targets.clone(), ledger.clone(), ended.clone());
            let random = seed.part(round * CLIENTS + number);
            clients.spawn(Worker { targets, ledger, random, ended }.work());
        }
        Self { clients, ended }
    }

    async fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        timeout(DEADLINE, self.clients.join_all()).await.expect("a client hangs");
    }
}

struct Worker {
    targets: Vec<Client>,
    ledger: Arc<Ledger>,
    random: StdRng,
    ended: Arc<AtomicBool>,
}

impl Worker {
    async fn work(mut self) {
        while !self.ended.load(Ordering::Relaxed) {
            let target = self.targets[self.random.random_range(0..self.targets.len())].clone();
            let key = format!("chaos/{}", self.random.random_range(0..KEYS));
            let done = match self.random.random_range(0..5) {
                0 => self.delete(&target, &key).await,
                _ => self.put(&target, &key).await,
            };
            if done.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn put(&self, target: &Client, key: &str) -> Result<(), ClientError> {
        let number = self.ledger.begin(key, false);
        let written = target.put(key, json(&self.ledger.text(number))).await?;
        self.ledger.acknowledge(key, number, Some(written.timestamp));
        Ok(())
    }

    /// A delete of what is not there is refused, and so never acknowledged.
    async fn delete(&self, target: &Client, key: &str) -> Result<(), ClientError> {
        let number = self.ledger.begin(key, true);
        target.delete(key).await?;
        self.ledger.acknowledge(key, number, None);
        Ok(())
    }
}
