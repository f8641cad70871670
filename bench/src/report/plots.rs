//! The plots of the scenarios that vary something.

use super::chart::{Chart, Line, Scale};
use crate::{
    number::{grouped, latency, short},
    results::{Measurement, Operation, Results, Section},
    scenario::Scenario,
    target::Protocol,
};

/// A drawn plot.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) scenario: Scenario,
    pub(super) title: String,
    name: String,
    pub(super) svg: String,
}

impl Plot {
    pub(super) fn file_name(&self) -> String {
        format!("{}.svg", self.name)
    }
}

/// What is drawn of a measurement.
#[derive(Clone, Copy)]
struct Subject {
    name: &'static str,
    upward: &'static str,
    scale: Scale,
    spelled: fn(f64) -> String,
    value: fn(&Measurement) -> Option<f64>,
}

const THROUGHPUT: Subject = Subject {
    name: "throughput",
    upward: "requests a second",
    scale: Scale::Linear,
    spelled: grouped,
    value: |measurement| measurement.throughput().map(|spread| spread.median),
};

const P99: Subject = Subject {
    name: "p99",
    upward: "99 of 100 are answered within",
    scale: Scale::Decades,
    spelled: |micros| latency(micros).replace(".00", ""),
    value: |measurement| measurement.p99().map(|spread| spread.median),
};

const COLOURS: [(Protocol, &str); 7] = [
    (Protocol::Kvs, "#cf222e"),
    (Protocol::KvsGuarded, "#bf3989"),
    (Protocol::Bare, "#8c959f"),
    (Protocol::Redis, "#0969da"),
    (Protocol::EtcdGrpc, "#1a7f37"),
    (Protocol::EtcdGateway, "#9a6700"),
    (Protocol::Nats, "#8250df"),
];

/// All plots that there are results for.
pub(super) fn draw(results: &Results) -> Vec<Plot> {
    let varied = [(Scenario::Connections, "connections"), (Scenario::Keys, "keys")];
    let mut plots = Vec::new();
    for (scenario, along) in varied {
        if let Some(section) = results.sections.get(&scenario) {
            plots.extend(plots_of(scenario, along, section));
        }
    }
    plots
}

fn plots_of(
    scenario: Scenario,
    along: &'static str,
    section: &Section,
) -> impl Iterator<Item = Plot> {
    let kinds = [Operation::Put, Operation::Get]
        .into_iter()
        .flat_map(|operation| [(operation, THROUGHPUT), (operation, P99)]);
    kinds.map(move |(operation, subject)| {
        let verb = if operation == Operation::Get { "get" } else { "put" };
        let title = format!("{} {} over {along}", verb.to_uppercase(), subject.name);
        let name = format!("{verb}-{}-over-{along}", subject.name);
        let svg = chart(&title, along, operation, subject, section).svg();
        Plot { scenario, title, name, svg }
    })
}

fn chart(
    title: &str,
    along: &'static str,
    operation: Operation,
    subject: Subject,
    section: &Section,
) -> Chart {
    let points = section.points(operation);
    let lines = COLOURS.into_iter().filter_map(|(protocol, colour)| {
        let value = |&point| (subject.value)(section.find(protocol, operation, point)?);
        let values: Vec<Option<f64>> = points.iter().map(value).collect();
        let name = protocol.name().to_owned();
        values.iter().any(Option::is_some).then_some(Line { name, colour, values })
    });
    Chart {
        title: title.to_owned(),
        along,
        upward: subject.upward,
        lines: lines.collect(),
        points: points.iter().copied().map(short).collect(),
        scale: subject.scale,
        spelled: subject.spelled,
    }
}
