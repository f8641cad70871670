//! The page of the report.

use std::fmt::Write;

use super::{PLOTS, plots::Plot, table::Table};
use crate::{
    bar::BARS,
    machine::Machine,
    number::{bytes, float, grouped, latency, short},
    results::{About, Measurement, Operation, Results, Section},
    scenario::{Scenario, locked_version},
    stats::Spread,
    target::Protocol,
};

const HEAD: &str = "\
# Benchmarks

Everything on this page is written by `make bench`; nothing is typed by hand, and
`kvs-bench report` writes it again from `bench/results/latest.json`. All servers run on the
machine that also makes the load, over loopback, with the same keys and values, and take turns
round by round. Figures are medians of the rounds, with the least and the greatest in brackets;
ratios are taken within each round. Every server is told to make a write durable before it
acknowledges it.

";

/// The libraries through which the servers are talked to.
const CLIENTS: [&str; 4] = ["hyper", "redis", "etcd-client", "async-nats"];

pub(super) fn render(results: &Results, plots: &[Plot]) -> String {
    let mut page = HEAD.to_owned();
    page += &bars(results);
    for (&scenario, section) in &results.sections {
        page += &chapter(scenario, section, plots);
    }
    page + &surroundings(results)
}

fn bars(results: &Results) -> String {
    let mut table = Table::of_text(["bar", "measured", ""]);
    for bar in BARS {
        let verdict = bar.judge(results.sections.get(&bar.scenario));
        let mark = match verdict.met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "—",
        };
        table.row([verdict.bar, verdict.measured, mark.to_owned()]);
    }
    format!("## Bars\n\n{}\n", table.finish())
}

fn chapter(scenario: Scenario, section: &Section, plots: &[Plot]) -> String {
    let mut text = format!("## {}\n\n{}.\n\n", title(scenario), capital(&section.asked));
    for plot in plots.iter().filter(|plot| plot.scenario == scenario) {
        writeln!(text, "![{}]({PLOTS}/{})\n", plot.title, plot.file_name()).ok();
    }
    text += &match scenario {
        Scenario::Connections | Scenario::Keys => curve(section),
        Scenario::Growth => growth(section),
        Scenario::Guarded => guarded(section),
        Scenario::Attack => attacked(section),
        Scenario::ClusterVisible
        | Scenario::ClusterThroughput
        | Scenario::ClusterRepair
        | Scenario::ClusterBootstrap => readings(section),
        _ => comparison(section),
    };
    text += &remarks(section);
    text
}

fn title(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::PutDisk => "Durable PUT on disk",
        Scenario::PutTmpfs => "Durable PUT in memory (tmpfs)",
        Scenario::Get => "GET",
        Scenario::Batch => "Batches of durable puts",
        Scenario::Connections => "Over the number of connections",
        Scenario::Keys => "Over the number of keys",
        Scenario::Growth => "Growth",
        Scenario::Guarded => "Authentication, modes, limits and the tamper-evident log",
        Scenario::Attack => "Beside wrong tokens",
        Scenario::ClusterVisible => "Three nodes: visible everywhere",
        Scenario::ClusterThroughput => "Three nodes: throughput",
        Scenario::ClusterRepair => "Three nodes: repair",
        Scenario::ClusterBootstrap => "An empty node beside a full one",
    }
}

fn comparison(section: &Section) -> String {
    let mut table = Table::of_figures([
        "server",
        "keys/s",
        "(least – greatest)",
        "p50",
        "p99",
        "KVS ÷ it",
        "failed",
    ]);
    for one in &section.measurements {
        table.row([
            one.protocol.name().to_owned(),
            median(one.throughput(), grouped),
            range(one.throughput(), grouped),
            median(one.p50(), latency),
            median(one.p99(), latency),
            against(section, one),
            grouped(float(one.failures())),
        ]);
    }
    table.finish() + "\n"
}

fn against(section: &Section, other: &Measurement) -> String {
    if other.protocol == Protocol::Kvs {
        return "—".to_owned();
    }
    let ratio = crate::bar::ratio(section, other.operation, other.protocol);
    let one = |figure: f64| format!("{figure:.2}");
    format!("{} {}", median(ratio, one), range(ratio, one))
}

fn curve(section: &Section) -> String {
    [Operation::Put, Operation::Get].map(|operation| curve_of(section, operation)).concat()
}

/// One row for each server, one column for each point.
fn curve_of(section: &Section, operation: Operation) -> String {
    let points = section.points(operation);
    let verb = format!("{operation:?}").to_uppercase();
    let mut text = format!("| {verb}: requests/s, p99 |");
    for &point in &points {
        write!(text, " {} |", short(point)).ok();
    }
    write!(text, "\n| --- |{}\n", " ---: |".repeat(points.len())).ok();
    for protocol in protocols(section, operation) {
        write!(text, "| {} |", protocol.name()).ok();
        for &point in &points {
            write!(text, " {} |", cell(section.find(protocol, operation, point))).ok();
        }
        text.push('\n');
    }
    text + "\n"
}

fn protocols(section: &Section, operation: Operation) -> Vec<Protocol> {
    let mut protocols: Vec<Protocol> = Vec::new();
    for one in section.measurements.iter().filter(|one| one.operation == operation) {
        if !protocols.contains(&one.protocol) {
            protocols.push(one.protocol);
        }
    }
    protocols
}

fn cell(measurement: Option<&Measurement>) -> String {
    measurement.map_or_else(
        || "—".to_owned(),
        |one| format!("{}, {}", median(one.throughput(), grouped), median(one.p99(), latency)),
    )
}

fn growth(section: &Section) -> String {
    let mut table = Table::of_figures(["keys", "operation", "at keys/s", "p50", "p99", "failed"]);
    for one in &section.measurements {
        table.row([
            short(one.point),
            format!("{:?}", one.operation).to_uppercase(),
            median(one.throughput(), grouped),
            both(one.p50(), latency),
            both(one.p99(), latency),
            grouped(float(one.failures())),
        ]);
    }
    let mut text = table.finish();
    for memory in &section.memory {
        let keys = short(memory.keys);
        write!(text, "\nResident memory at {keys} keys: {}.\n", bytes(float(memory.bytes))).ok();
    }
    text + "\n"
}

fn guarded(section: &Section) -> String {
    let mut table = Table::of_figures([
        "server",
        "operation",
        "keys/s",
        "(least – greatest)",
        "p50",
        "p99",
        "it ÷ KVS",
        "failed",
    ]);
    for one in &section.measurements {
        let is_ours = one.protocol == Protocol::Kvs;
        let share = crate::bar::share(section, one.operation).filter(|_| !is_ours);
        table.row([
            one.protocol.name().to_owned(),
            format!("{:?}", one.operation).to_uppercase(),
            median(one.throughput(), grouped),
            range(one.throughput(), grouped),
            median(one.p50(), latency),
            median(one.p99(), latency),
            both(share, |figure| format!("{figure:.2}")),
            grouped(float(one.failures())),
        ]);
    }
    table.finish() + "\n"
}

fn attacked(section: &Section) -> String {
    let mut table = Table::of_figures([
        "wrong tokens/s",
        "reads/s",
        "(least – greatest)",
        "p50",
        "p99",
        "failed",
    ]);
    for one in &section.measurements {
        table.row([
            grouped(float(one.point)),
            median(one.throughput(), grouped),
            range(one.throughput(), grouped),
            median(one.p50(), latency),
            median(one.p99(), latency),
            grouped(float(one.failures())),
        ]);
    }
    table.finish() + "\n" + &readings(section)
}

fn readings(section: &Section) -> String {
    let mut table = Table::of_figures(["", "median", "(least – greatest)"]);
    for reading in &section.readings {
        let spell = |figure| reading.unit.in_words(figure);
        let spread = reading.spread();
        table.row([
            reading.name.clone(),
            spread.map_or_else(|| "—".to_owned(), |spread| spell(spread.median)),
            spread.map_or_else(String::new, |spread| {
                format!("({} – {})", spell(spread.min), spell(spread.max))
            }),
        ]);
    }
    table.finish() + "\n"
}

fn remarks(section: &Section) -> String {
    let mut text = String::new();
    if let Some(syncs) = Spread::of(section.syncs.iter().copied()) {
        let (rate, range) = (grouped(syncs.median), range(Some(syncs), grouped));
        writeln!(text, "The filesystem alone, one sync after another: {rate} syncs/s {range}.\n")
            .ok();
    }
    for left_out in &section.left_out {
        writeln!(text, "Left out: {}: {}.\n", left_out.name, left_out.reason).ok();
    }
    let Section { origin, rounds, seconds, filesystem, threads, .. } = section;
    let busy = section.load_average.map(|load| format!(", load average before: {load}"));
    let busy = busy.unwrap_or_default();
    writeln!(
        text,
        "Measured {} at commit {} on {filesystem}: {rounds} rounds of {seconds} s each, client \
         threads: {threads}{busy}; `{}`.\n",
        origin.date,
        origin.short_commit(),
        origin.command
    )
    .ok();
    text
}

fn surroundings(results: &Results) -> String {
    let mut text = "## Machine, versions and settings\n\n".to_owned();
    for machine in different(results.sections.values().map(|section| &section.machine)) {
        text += &about_machine(machine);
    }
    let mut table = Table::of_text(["server", "version", "settings"]);
    for About { name, version, settings } in
        different(results.sections.values().flat_map(|section| &section.servers))
    {
        table.row([name.clone(), version.clone(), settings.clone()]);
    }
    let clients = CLIENTS.map(|client| format!("`{client}` {}", locked_version(client)));
    text + &table.finish() + &format!("\nClients: {}.\n", clients.join(", "))
}

fn about_machine(machine: &Machine) -> String {
    let Machine { cpu, cores, memory, kernel, system } = machine;
    format!("{cpu}, {cores} cores, {memory} of memory, {system}, Linux {kernel}.\n\n")
}

fn different<'a, T: PartialEq>(all: impl Iterator<Item = &'a T>) -> Vec<&'a T> {
    let mut kept: Vec<&T> = Vec::new();
    for one in all {
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    kept
}

fn median(spread: Option<Spread>, spelled: fn(f64) -> String) -> String {
    spread.map_or_else(|| "—".to_owned(), |spread| spelled(spread.median))
}

fn range(spread: Option<Spread>, spelled: fn(f64) -> String) -> String {
    let spell = |spread: Spread| format!("({} – {})", spelled(spread.min), spelled(spread.max));
    spread.map_or_else(String::new, spell)
}

fn both(spread: Option<Spread>, spelled: fn(f64) -> String) -> String {
    format!("{} {}", median(spread, spelled), range(spread, spelled))
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
