//! What KVS must reach, and whether it does.

use crate::{
    number::{bytes, float, grouped},
    results::{Operation, Section, Unit},
    scenario::{Scenario, attack, cluster::figure},
    stats::Spread,
    target::Protocol,
};

use Condition::{AtLeast, AtMost, Attacked, Guarded, KeysPerSecond, MemoryBelow, Slowdown, Times};

/// One bar.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    /// Where it is measured.
    pub scenario: Scenario,
    /// What must hold.
    pub condition: Condition,
}

/// What must hold.
#[derive(Debug, Clone, Copy)]
pub enum Condition {
    /// At least so many times the throughput of another server.
    Times(Operation, Protocol, f64),
    /// With everything on at least so many times the throughput with everything off.
    Guarded(Operation, f64),
    /// Under attack at least so many times the throughput without.
    Attacked(Operation, f64),
    /// At least so many keys a second.
    KeysPerSecond(Operation, f64),
    /// The p99 at the most keys at most so many times that at the fewest.
    Slowdown(Operation, f64),
    /// Resident memory below so many bytes, at the most keys.
    MemoryBelow(f64),
    /// A figure of a cluster by its name, at most so much.
    AtMost(&'static str, Unit, f64),
    /// The same, at least so much.
    AtLeast(&'static str, Unit, f64),
}

/// All bars, in the order in which they are shown.
pub const BARS: [Bar; 29] = [
    bar(Scenario::PutDisk, Times(Operation::Put, Protocol::Redis, 0.8)),
    bar(Scenario::PutDisk, Times(Operation::Put, Protocol::EtcdGrpc, 1.5)),
    bar(Scenario::PutDisk, Times(Operation::Put, Protocol::EtcdGateway, 4.0)),
    bar(Scenario::PutDisk, Times(Operation::Put, Protocol::Nats, 3.5)),
    bar(Scenario::PutTmpfs, Times(Operation::Put, Protocol::Redis, 0.8)),
    bar(Scenario::PutTmpfs, Times(Operation::Put, Protocol::EtcdGrpc, 1.5)),
    bar(Scenario::PutTmpfs, Times(Operation::Put, Protocol::EtcdGateway, 4.0)),
    bar(Scenario::PutTmpfs, Times(Operation::Put, Protocol::Nats, 3.5)),
    bar(Scenario::Get, Times(Operation::Get, Protocol::Bare, 0.85)),
    bar(Scenario::Get, Times(Operation::Get, Protocol::EtcdGrpc, 1.5)),
    bar(Scenario::Batch, KeysPerSecond(Operation::Batch, 60_000.0)),
    bar(Scenario::Growth, Slowdown(Operation::Get, 1.5)),
    bar(Scenario::Growth, Slowdown(Operation::Put, 1.5)),
    bar(Scenario::Growth, MemoryBelow(1_073_741_824.0)),
    bar(Scenario::Guarded, Guarded(Operation::Put, 0.8)),
    bar(Scenario::Guarded, Guarded(Operation::Get, 0.8)),
    bar(Scenario::Attack, Attacked(Operation::Get, 0.5)),
    bar(Scenario::Attack, AtLeast(attack::SHOWN, Unit::PerSecond, 10_000.0)),
    bar(Scenario::ClusterVisible, micros(figure::VISIBLE_ONE_P50, 5_000.0)),
    bar(Scenario::ClusterVisible, micros(figure::VISIBLE_ONE_P99, 50_000.0)),
    bar(Scenario::ClusterVisible, micros(figure::VISIBLE_ALL_P50, 5_000.0)),
    bar(Scenario::ClusterVisible, micros(figure::VISIBLE_ALL_P99, 50_000.0)),
    bar(Scenario::ClusterThroughput, AtLeast(figure::RATIO, Unit::Times, 0.45)),
    bar(Scenario::ClusterRepair, AtMost(figure::BYTES_EQUAL, Unit::Bytes, 200.0)),
    bar(Scenario::ClusterRepair, AtMost(figure::BYTES_1, Unit::Bytes, 1_500.0)),
    bar(Scenario::ClusterRepair, AtMost(figure::BYTES_100, Unit::Bytes, 70_000.0)),
    bar(Scenario::ClusterRepair, AtMost(figure::BYTES_100_000, Unit::Bytes, 14_000_000.0)),
    bar(Scenario::ClusterRepair, AtMost(figure::HEALED, Unit::Seconds, 20.0)),
    bar(Scenario::ClusterBootstrap, AtMost(figure::SERVING, Unit::Seconds, 90.0)),
];

const fn bar(scenario: Scenario, condition: Condition) -> Bar {
    Bar { scenario, condition }
}

const fn micros(name: &'static str, most: f64) -> Condition {
    AtMost(name, Unit::Microseconds, most)
}

/// A bar held against results.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Verdict {
    /// The bar in words.
    pub bar: String,
    /// What was measured, in words.
    pub measured: String,
    /// What was measured: a ratio, a rate or bytes.
    pub figure: Option<Spread>,
    /// Whether the bar is met, or nothing if it could not be measured.
    pub met: Option<bool>,
}

impl Verdict {
    /// Whether it was measured and met.
    pub fn is_met(&self) -> bool {
        self.met == Some(true)
    }
}

/// The bars of one scenario.
pub fn bars_of(scenario: Scenario) -> impl Iterator<Item = Bar> {
    BARS.into_iter().filter(move |bar| bar.scenario == scenario)
}

impl Bar {
    /// Holds this bar against the results of its scenario.
    pub fn judge(&self, section: Option<&Section>) -> Verdict {
        let figure = section.and_then(|section| self.condition.figure(section));
        Verdict {
            bar: format!("{}: {}", self.scenario, self.condition.words()),
            measured: figure.map_or_else(
                || "not measured".to_owned(),
                |figure| self.condition.spread_in_words(figure),
            ),
            figure,
            met: figure.map(|figure| self.condition.is_met(figure.median)),
        }
    }
}

impl Condition {
    fn words(self) -> String {
        match self {
            Times(operation, other, least) => {
                format!("{} at least {least} × {}", verb(operation), other.name())
            }
            Guarded(operation, least) => {
                format!("{} at least {least} × the same with all off", verb(operation))
            }
            Attacked(operation, least) => {
                format!("{} under attack at least {least} × that without", verb(operation))
            }
            KeysPerSecond(operation, least) => {
                format!("{} at least {} keys/s", verb(operation), grouped(least))
            }
            Slowdown(operation, most) => {
                format!("p99 of {} at 5M keys at most {most} × that at 1M", verb(operation))
            }
            MemoryBelow(most) => format!("resident memory at 5M keys below {}", bytes(most)),
            AtMost(name, unit, most) => format!("{name}, at most {}", unit.in_words(most)),
            AtLeast(name, unit, least) => format!("{name}, at least {}", unit.in_words(least)),
        }
    }

    fn figure(self, section: &Section) -> Option<Spread> {
        match self {
            Times(operation, other, _) => ratio(section, operation, other),
            Guarded(operation, _) => share(section, operation),
            Attacked(operation, _) => endurance(section, operation),
            KeysPerSecond(operation, _) => ours(section, operation)?.throughput(),
            Slowdown(operation, _) => slowdown(section, operation),
            MemoryBelow(_) => memory(section),
            AtMost(name, ..) | AtLeast(name, ..) => of_full_size(section)?.reading(name),
        }
    }

    fn is_met(self, figure: f64) -> bool {
        match self {
            Times(_, _, least)
            | Guarded(_, least)
            | Attacked(_, least)
            | KeysPerSecond(_, least)
            | AtLeast(_, _, least) => figure >= least,
            Slowdown(_, most) | AtMost(_, _, most) => figure <= most,
            MemoryBelow(most) => figure < most,
        }
    }

    fn spread_in_words(self, spread: Spread) -> String {
        let Spread { median, min, max } = spread;
        let one = |figure| self.in_words(figure);
        format!("{} ({} – {})", one(median), one(min), one(max))
    }

    fn in_words(self, figure: f64) -> String {
        match self {
            Times(..) | Guarded(..) | Attacked(..) | Slowdown(..) => format!("{figure:.2} ×"),
            KeysPerSecond(..) => format!("{}/s", grouped(figure)),
            MemoryBelow(_) => bytes(figure),
            AtMost(_, unit, _) | AtLeast(_, unit, _) => unit.in_words(figure),
        }
    }
}

fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Get => "GET",
        Operation::Put => "durable PUT",
        Operation::Batch => "durable puts in batches",
    }
}

fn ours(section: &Section, operation: Operation) -> Option<&crate::results::Measurement> {
    let point = *section.points(operation).last()?;
    section.find(Protocol::Kvs, operation, point)
}

/// What was measured with fewer keys than a bar is about says nothing of the bar.
fn of_full_size(section: &Section) -> Option<&Section> {
    section.keys.is_none_or(|keys| keys == crate::scenario::cluster::KEYS).then_some(section)
}

/// Our throughput by another's, round by round.
pub fn ratio(section: &Section, operation: Operation, other: Protocol) -> Option<Spread> {
    let ours = ours(section, operation)?;
    let theirs = section.find(other, operation, ours.point)?;
    Spread::of_ratios(&ours.throughputs(), &theirs.throughputs())
}

/// Our throughput with everything on by that with everything off, round by round.
pub fn share(section: &Section, operation: Operation) -> Option<Spread> {
    let open = ours(section, operation)?;
    let guarded = section.find(Protocol::KvsGuarded, operation, open.point)?;
    Spread::of_ratios(&guarded.throughputs(), &open.throughputs())
}

/// Our throughput under the strongest attack by that without, round by round.
pub fn endurance(section: &Section, operation: Operation) -> Option<Spread> {
    let points = section.points(operation);
    let at = |point| section.find(Protocol::KvsGuarded, operation, point);
    let (calm, attacked) = (at(*points.first()?)?, at(*points.last()?)?);
    Spread::of_ratios(&attacked.throughputs(), &calm.throughputs())
}

/// Rounds at different sizes are no pairs, so the quotient of two medians has to do.
fn slowdown(section: &Section, operation: Operation) -> Option<Spread> {
    let points = section.points(operation);
    let at = |point| section.find(Protocol::Kvs, operation, point)?.p99();
    let (small, large) = (at(*points.first()?)?, at(*points.last()?)?);
    let complete = points.len() > 1 && small.min > 0.0;
    complete.then(|| Spread {
        median: large.median / small.median,
        min: large.min / small.max,
        max: large.max / small.min,
    })
}

/// The most that was seen at the largest number of keys counts.
fn memory(section: &Section) -> Option<Spread> {
    let most_keys = section.memory.iter().map(|memory| memory.keys).max()?;
    let there = section.memory.iter().filter(|memory| memory.keys == most_keys);
    let spread = Spread::of(there.map(|memory| float(memory.bytes)))?;
    Some(Spread { median: spread.max, ..spread })
}

#[cfg(test)]
mod tests;
