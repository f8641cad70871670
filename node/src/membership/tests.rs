use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kvs_core::UnixMillis;
use kvs_core::membership::{BootId, Incarnation, State};
use kvs_core::seal::Sealer;
use tokio::time::timeout;

use super::*;
use crate::time::SystemClock;

const CLUSTER: [u8; 16] = [1; 16];
const SECRET: [u8; 32] = [2; 32];
const OTHER_SECRET: [u8; 32] = [3; 32];

/// No condition takes longer, however slow the machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// The peer ports of the nodes of a test: who listens where.
#[derive(Clone, Debug, Default)]
struct PeerPorts(Arc<Mutex<HashMap<SocketAddr, Membership>>>);

impl Pull for PeerPorts {
    fn pull(&self, from: SocketAddr, me: Member) -> BoxFuture<'_, Result<Vec<Member>, PullError>> {
        let there = self.0.lock().unwrap().get(&from).cloned();
        async move {
            let there = there.ok_or("nobody is there")?;
            there.met(me).await;
            Ok(there.view().introductions.clone())
        }
        .boxed()
    }
}

/// A cluster of one process.
#[derive(Default)]
struct Cluster {
    ports: PeerPorts,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Cluster {
    /// Starts a node that knows the seeds' ports.
    fn node(&self, number: u8, seeds: &[&Node]) -> Node {
        self.node_on(Ipv4Addr::LOCALHOST.into(), number, seeds)
    }

    fn node_on(&self, bind_to: IpAddr, number: u8, seeds: &[&Node]) -> Node {
        let socket = bind(SocketAddr::from((bind_to, 0))).unwrap();
        let port = socket.local_addr().unwrap().port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let me = member(number, address);
        let seeds = seeds.iter().map(|seed| format!("peer://{}", seed.address).parse().unwrap());
        let stopping = self.stopping.child_token();
        let membership = start(Parts {
            socket,
            me,
            seeds: seeds.collect(),
            gossip_interval: Duration::from_millis(100),
            ring: KeyRing::new(CLUSTER, &SECRET, &[]),
            pull: Arc::new(self.ports.clone()),
            clock: Arc::new(SystemClock),
            stopping: stopping.clone(),
            tasks: self.tasks.clone(),
        });
        let membership = membership.unwrap();
        self.ports.0.lock().unwrap().insert(address, membership.clone());
        Node { address, membership, stopping }
    }

    async fn stop(self) {
        self.stopping.cancel();
        self.tasks.close();
        timeout(DEADLINE, self.tasks.wait()).await.unwrap();
    }
}

struct Node {
    address: SocketAddr,
    membership: Membership,
    stopping: CancellationToken,
}

impl Node {
    async fn until(&self, holds: impl Fn(&View) -> bool) -> Arc<View> {
        let mut view = self.membership.watch();
        let held = timeout(DEADLINE, view.wait_for(|view| holds(view))).await;
        held.expect("not in time").unwrap().clone()
    }

    /// Waits until it sees exactly these, with their states.
    async fn sees(&self, expected: &[(u8, State)]) {
        self.until(|view| {
            let seen = view.members.iter().map(|seen| (seen.member.node, seen.state));
            seen.eq(expected.iter().map(|(number, state)| (node_id(*number), *state)))
        })
        .await;
    }

    /// Waits until this many datagrams were refused for a reason.
    async fn refuses(&self, why: Refusal, count: u64) {
        let counted = async {
            while self.membership.figures().refused(why) < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, counted).await.expect("not in time");
        assert_eq!(self.membership.figures().refused(why), count);
    }
}

const fn node_id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn member(number: u8, address: SocketAddr) -> Member {
    Member {
        node: node_id(number),
        name: format!("node-{number}"),
        boot: BootId(u64::from(number)),
        incarnation: Incarnation::of_start(1),
        gossip: address,
        peer: address,
        client: address,
        joined: UnixMillis(1),
        zone: None,
        protocol: 1,
        release: "0.1.0".into(),
    }
}

const UP: State = State::Alive;

#[tokio::test]
async fn three_nodes_find_each_other_through_one_seed_and_see_one_leave() {
    let cluster = Cluster::default();
    let a = cluster.node(1, &[]);
    let mut events = a.membership.events();
    let (b, c) = (cluster.node(2, &[&a]), cluster.node(3, &[&a]));
    a.sees(&[(2, UP), (3, UP)]).await;
    b.sees(&[(1, UP), (3, UP)]).await;
    c.sees(&[(1, UP), (2, UP)]).await;
    assert!(b.until(|view| view.joined).await.members[0].last_seen > UnixMillis(1));
    c.membership.leave().await;
    a.sees(&[(2, UP), (3, State::Down)]).await;
    b.sees(&[(1, UP), (3, State::Down)]).await;
    let mut happened = Vec::new();
    while happened.len() < 3 {
        happened.push(timeout(DEADLINE, events.recv()).await.unwrap().unwrap());
    }
    let left = Event::Down(member(3, c.address).into());
    assert_eq!(happened.iter().position(|event| *event == left), Some(2));
    let figures = a.membership.figures();
    for counted in [&figures.datagrams_in, &figures.datagrams_out] {
        assert!(counted.load(Ordering::Relaxed) > 0);
    }
    assert_eq!(Refusal::ALL.map(|why| figures.refused(why)), [0; 6]);
    cluster.stop().await;
}

#[tokio::test]
async fn a_socket_for_both_families_reaches_addresses_of_ipv4() {
    let cluster = Cluster::default();
    let a = cluster.node(1, &[]);
    let b = cluster.node_on(Ipv6Addr::UNSPECIFIED.into(), 2, &[&a]);
    a.sees(&[(2, UP)]).await;
    b.until(|view| view.joined).await;
    assert_eq!(b.membership.figures().unsent.load(Ordering::Relaxed), 0);
    cluster.stop().await;
}

#[tokio::test]
async fn a_node_that_ends_without_a_word_is_down_in_the_end() {
    let cluster = Cluster::default();
    let a = cluster.node(1, &[]);
    let b = cluster.node(2, &[&a]);
    a.sees(&[(2, UP)]).await;
    b.sees(&[(1, UP)]).await;
    cluster.ports.0.lock().unwrap().remove(&b.address);
    b.stopping.cancel();
    timeout(DEADLINE, b.membership.ended()).await.unwrap();
    a.sees(&[(2, State::Down)]).await;
    a.membership.forget(node_id(2)).await;
    a.sees(&[]).await;
    cluster.stop().await;
}

#[tokio::test]
async fn a_node_with_another_secret_is_refused_and_counted() {
    let cluster = Cluster::default();
    let a = cluster.node(1, &[]);
    let stranger = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let ring = KeyRing::new(CLUSTER, &OTHER_SECRET, &[]);
    let mut sealer = Sealer::new(ring.clone(), BootId(9));
    stranger.send_to(&sealer.seal([0; 24], b"anything"), a.address).unwrap();
    a.refuses(Refusal::UnknownKey, 1).await;
    a.membership.rotate(ring).await;
    stranger.send_to(&sealer.seal([1; 24], b"anything"), a.address).unwrap();
    a.refuses(Refusal::Malformed, 1).await;
    a.refuses(Refusal::UnknownKey, 1).await;
    cluster.stop().await;
}

#[tokio::test]
async fn forged_repeated_and_senseless_datagrams_have_no_effect() {
    let cluster = Cluster::default();
    let a = cluster.node(1, &[]);
    let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let mut sealer = Sealer::new(KeyRing::new(CLUSTER, &SECRET, &[]), BootId(9));
    let good = sealer.seal([0; 24], b"senseless");
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut newer = good.clone();
    newer[0] = 2;
    for datagram in [&forged, &good, &good, &newer, &good[..60].to_vec(), &vec![1; 5_000]] {
        socket.send_to(datagram, a.address).unwrap();
    }
    a.refuses(Refusal::Forged, 1).await;
    a.refuses(Refusal::Malformed, 1).await;
    a.refuses(Refusal::Replayed, 1).await;
    a.refuses(Refusal::UnknownVersion, 1).await;
    a.refuses(Refusal::TooShort, 1).await;
    a.refuses(Refusal::UnknownKey, 1).await;
    assert_eq!(*a.membership.view(), View::alone(member(1, a.address)));
    cluster.stop().await;
}
