//! How soon what one node acknowledged is to be read on all.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{Gathering, figure, stop_all};
use crate::{
    cluster::{Acknowledged, ClusterError, Events, Node, Writers, endpoints},
    latency::{Latency, Recording},
    number::float,
    results::Unit,
    scenario::{ScenarioError, Section, Settings, VALUE_SIZE},
    target::{Endpoint, KvsSession, Session, TargetError},
};

/// Writes a second.
const RATE: f64 = 1_000.0;

/// How long after the last write all must be everywhere.
const ARRIVED_WITHIN: Duration = Duration::from_secs(10);

/// Of so many changes that are told of, one is read, to see that it can be.
const READ_ONE_OF: u64 = 50;

pub(in crate::scenario) async fn measure_visibility(
    settings: &Settings,
) -> Result<Section, ScenarioError> {
    let asked = format!(
        "three nodes; {RATE} puts of 256 B a second in an open loop, new keys, to one node and then \
         spread over all; each is timed from the moment at which its client has the \
         acknowledgement until both other nodes have told a watcher (`_changes` as a stream of \
         events) of it, which they do once it can be read; one of {READ_ONE_OF} is read there at \
         once and must be found; nothing is subtracted"
    );
    let mut section = settings.cluster_section(asked);
    let nodes = settings.three_nodes().await?;
    let nodes_seen = nodes.each_ref();
    let mut gathering = Gathering::default();
    for round in 0..settings.rounds {
        let one =
            turn(settings, &nodes_seen, &nodes_seen[..1], format!("seen/one-{round}")).await?;
        let names = [figure::VISIBLE_ONE_P50, figure::VISIBLE_ONE_P99];
        gather(&mut gathering, names, "written to one node", &one);
        let all = turn(settings, &nodes_seen, &nodes_seen, format!("seen/all-{round}")).await?;
        let names = [figure::VISIBLE_ALL_P50, figure::VISIBLE_ALL_P99];
        gather(&mut gathering, names, "written to all nodes", &all);
    }
    section.readings = gathering.finish();
    stop_all(nodes).await;
    Ok(section)
}

/// What one turn came to.
struct Turn {
    visible: Latency,
    acknowledged: Latency,
    seconds: f64,
}

fn gather(gathering: &mut Gathering, [p50, p99]: [&str; 2], written: &str, turn: &Turn) {
    gathering.add(p50, Unit::Microseconds, turn.visible.p50);
    gathering.add(p99, Unit::Microseconds, turn.visible.p99);
    let longest = format!("{written}: readable on all, longest");
    gathering.add(longest, Unit::Microseconds, turn.visible.max);
    let acknowledged = format!("{written}: acknowledged, p99 from when it was due");
    gathering.add(acknowledged, Unit::Microseconds, turn.acknowledged.p99);
    let rate = format!("{written}: writes a second");
    gathering.add(rate, Unit::PerSecond, float(turn.visible.count) / turn.seconds);
}

/// When each write was acknowledged, by which node, and when each node told of it.
type Board = Arc<Mutex<Vec<Sighting>>>;

#[derive(Debug, Clone, Copy, Default)]
struct Sighting {
    acknowledged: Option<(usize, Instant)>,
    told: [Option<Instant>; 3],
}

impl Sighting {
    /// From the acknowledgement until the last of the other nodes told of it; nothing if one has not.
    fn delay(&self) -> Option<Duration> {
        let (by, at) = self.acknowledged?;
        let others = self.told.iter().enumerate().filter(|(node, _)| *node != by);
        let last =
            others.map(|(_, told)| *told).try_fold(at, |last, told| Some(last.max(told?)))?;
        Some(last.saturating_duration_since(at))
    }
}

async fn turn(
    settings: &Settings,
    nodes: &[&Node; 3],
    written: &[&Node],
    folder: String,
) -> Result<Turn, ScenarioError> {
    let board = Board::default();
    let mut watchers = watch_all(nodes, &folder, &board).await?;
    let noted = board.clone();
    let told = move |acknowledged: Acknowledged| {
        let Acknowledged { number, node, at } = acknowledged;
        edit(&noted, number, |sighting| sighting.acknowledged = Some((node, at)));
    };
    let key = move |number| key(&folder, number);
    let writers = Writers::start(&endpoints(written), RATE, VALUE_SIZE, key, told).await?;
    sleep(settings.length / 4).await;
    let (began, first) = (Instant::now(), len(&board));
    sleep(settings.length).await;
    let (seconds, last) = (began.elapsed().as_secs_f64(), len(&board));
    let acknowledged = writers.stop().await?.figures().ok_or(ClusterError::Lost)?;
    let visible = arrived(&board, first..last, &mut watchers).await?;
    watchers.shutdown().await;
    Ok(Turn { visible, acknowledged, seconds })
}

fn key(folder: &str, number: u64) -> String {
    format!("{folder}/{number:08}")
}

fn edit(board: &Board, number: u64, edit: impl FnOnce(&mut Sighting)) {
    let mut sightings = board.lock().unwrap_or_else(PoisonError::into_inner);
    let place = usize::try_from(number).unwrap_or(0);
    if sightings.len() <= place {
        sightings.resize(place + 1, Sighting::default());
    }
    edit(&mut sightings[place]);
}

fn len(board: &Board) -> usize {
    board.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// The delays of these writes, once all of them are everywhere.
async fn arrived(
    board: &Board,
    counted: Range<usize>,
    watchers: &mut Watchers,
) -> Result<Latency, ClusterError> {
    let deadline = Instant::now() + ARRIVED_WITHIN;
    loop {
        if let Some(ended) = watchers.try_join_next() {
            ended.map_err(|_panicked| ClusterError::Lost)??;
        }
        let sightings =
            board.lock().unwrap_or_else(PoisonError::into_inner)[counted.clone()].to_vec();
        let delays: Option<Vec<Duration>> = sightings.iter().map(Sighting::delay).collect();
        if let Some(delays) = delays {
            let mut recording = Recording::new();
            for delay in delays {
                recording.add(delay);
            }
            return recording.figures().ok_or(ClusterError::Lost);
        }
        if Instant::now() > deadline {
            let missing = sightings.iter().filter(|sighting| sighting.delay().is_none()).count();
            let (what, after) = ("every write is everywhere", ARRIVED_WITHIN);
            return Err(ClusterError::NotWithin { what, after, seen: format!("{missing} miss") });
        }
        sleep(Duration::from_millis(20)).await;
    }
}

type Watchers = JoinSet<Result<(), TargetError>>;

async fn watch_all(
    nodes: &[&Node; 3],
    folder: &str,
    board: &Board,
) -> Result<Watchers, TargetError> {
    let mut watchers = JoinSet::new();
    for (place, endpoint) in endpoints(nodes).into_iter().enumerate() {
        let events = Events::below(folder, endpoint.address).await?;
        let (to_read, reading) = mpsc::unbounded_channel();
        watchers.spawn(watch(events, place, board.clone(), to_read));
        watchers.spawn(read_each(endpoint, folder.to_owned(), reading));
    }
    Ok(watchers)
}

async fn watch(
    mut events: Events,
    place: usize,
    board: Board,
    to_read: mpsc::UnboundedSender<u64>,
) -> Result<(), TargetError> {
    loop {
        let numbers = events.next().await?;
        let now = Instant::now();
        for number in numbers {
            edit(&board, number, |sighting| sighting.told[place] = Some(now));
            if number.is_multiple_of(READ_ONE_OF) {
                // Nobody reads any more once the turn is over.
                to_read.send(number).ok();
            }
        }
    }
}

/// Reads what a node told of; that it is not there is an error.
async fn read_each(
    endpoint: Endpoint,
    folder: String,
    mut numbers: mpsc::UnboundedReceiver<u64>,
) -> Result<(), TargetError> {
    let mut session = KvsSession::connect(endpoint.address).await?;
    while let Some(number) = numbers.recv().await {
        session.get(&key(&folder, number)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_everywhere_once_the_last_of_the_others_told_of_it() {
        let at = Instant::now();
        let later = |millis| Some(at + Duration::from_millis(millis));
        let mut sighting =
            Sighting { acknowledged: Some((0, at)), told: [later(90), later(3), None] };
        assert_eq!(sighting.delay(), None);
        sighting.told[2] = later(7);
        assert_eq!(sighting.delay(), Some(Duration::from_millis(7)));
        sighting.told = [None, Some(at), Some(at)];
        assert_eq!(sighting.delay(), Some(Duration::ZERO));
    }
}
