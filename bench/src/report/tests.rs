use super::*;
use crate::{results::fixture, scenario::Scenario, target::Protocol};

fn results() -> Results {
    let mut results = Results::default();
    results.sections.insert(Scenario::Get, fixture::section());
    let mut curve = fixture::section();
    curve.measurements.push(fixture::measurement(Protocol::Kvs, 1, &[100.0]));
    results.sections.insert(Scenario::Connections, curve);
    results.sections.insert(Scenario::ClusterRepair, fixture::section());
    results
}

fn page() -> String {
    page::render(&results(), &plots::draw(&results()))
}

fn assert_line(line: &str) {
    let page = page();
    assert!(page.lines().any(|other| other == line), "no line {line:?} in\n{page}");
}

#[test]
fn bars_are_listed_with_what_was_measured() {
    assert_line("| get: GET at least 0.85 × bare axum handler | 1.00 × (0.90 × – 1.10 ×) | met |");
    assert_line("| put-disk: durable PUT at least 0.8 × Redis | not measured | — |");
}

#[test]
fn a_comparison_has_a_row_for_each_server() {
    assert_line("| KVS | 1,000 | (900 – 1,100) | 1.00 ms | 2.00 ms | — | 0 |");
    let ratio = "2.00 (1.80 – 2.20)";
    assert_line(&format!("| etcd, gRPC | 500 | (500 – 500) | 2.00 ms | 4.00 ms | {ratio} | 0 |"));
}

#[test]
fn a_curve_has_a_column_for_each_point() {
    assert_line("| GET: requests/s, p99 | 1 | 64 |");
    assert_line("| KVS | 100, 20.00 ms | 1,000, 2.00 ms |");
    assert_line("| etcd, gRPC | — | 500, 4.00 ms |");
}

#[test]
fn a_figure_of_a_cluster_has_a_row_with_its_spread() {
    assert_line("| bytes of nothing | 100 B | (90 B – 1,100 B) |");
}

#[test]
fn what_was_left_out_and_how_it_was_measured_is_said() {
    assert_line("Left out: NATS: there is no Go compiler.");
    assert_line(
        "Measured 2026-01-02 03:04 UTC at commit 0123456789ab on ext4 on /dev/vda: 3 rounds of \
         4 s each, client threads: 1, load average before: 0.25; `kvs-bench run`.",
    );
    assert_line("A processor, 2 cores, 24.00 GiB of memory, Debian, Linux 6.1.");
    assert_line("| KVS | kvs 0.1.0 | `durability: sync` |");
}

#[test]
fn every_plot_on_the_page_is_a_file_beside_it() {
    let docs = tempfile::tempdir().expect("a folder is to be had");
    write(&results(), docs.path()).expect("it is written");
    let page = fs::read_to_string(docs.path().join(PAGE)).expect("it is there");
    let links: Vec<&str> =
        page.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert_eq!(links.len(), 4);
    assert!(links.iter().all(|link| docs.path().join(link).is_file()), "{links:?}");
}

#[test]
fn the_same_results_make_the_same_page() {
    assert_eq!(page(), page());
}
