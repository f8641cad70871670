use super::*;
use crate::results::{Memory, fixture};

fn judged(condition: Condition, section: &Section) -> Verdict {
    bar(Scenario::Get, condition).judge(Some(section))
}

#[test]
fn a_ratio_is_judged_by_the_median_of_its_rounds() {
    let verdict = judged(Times(Operation::Get, Protocol::Bare, 0.85), &fixture::section());
    assert_eq!(verdict.bar, "get: GET at least 0.85 × bare axum handler");
    assert_eq!(verdict.measured, "1.00 × (0.90 × – 1.10 ×)");
    assert_eq!(verdict.met, Some(true));
}

#[test]
fn a_bar_is_met_exactly_at_its_height_and_not_below() {
    let met =
        |least| judged(Times(Operation::Get, Protocol::EtcdGrpc, least), &fixture::section()).met;
    assert_eq!((met(2.0), met(2.01)), (Some(true), Some(false)));
}

#[test]
fn what_was_left_out_is_not_judged() {
    let verdict = judged(Times(Operation::Get, Protocol::Nats, 3.5), &fixture::section());
    assert_eq!((verdict.measured.as_str(), verdict.met), ("not measured", None));
    let nothing = bar(Scenario::Get, KeysPerSecond(Operation::Get, 1.0)).judge(None);
    assert_eq!(nothing.met, None);
}

#[test]
fn a_slowdown_compares_the_fewest_keys_with_the_most() {
    let mut section = fixture::section();
    section.measurements = vec![
        fixture::measurement(Protocol::Kvs, 1_000_000, &[1_000.0]),
        fixture::measurement(Protocol::Kvs, 5_000_000, &[500.0]),
    ];
    let verdict = judged(Slowdown(Operation::Get, 1.5), &section);
    assert_eq!((verdict.figure.map(|figure| figure.median), verdict.met), (Some(2.0), Some(false)));
}

#[test]
fn one_number_of_keys_shows_no_slowdown() {
    assert_eq!(judged(Slowdown(Operation::Get, 1.5), &fixture::section()).met, None);
}

#[test]
fn the_most_memory_at_the_most_keys_counts() {
    let mut section = fixture::section();
    let at = |keys, bytes| Memory { keys, bytes };
    section.memory = vec![at(1, 1 << 40), at(5, 1 << 20), at(5, 1 << 29)];
    let verdict = judged(MemoryBelow(1_073_741_824.0), &section);
    assert_eq!((verdict.met, verdict.measured.starts_with("512 MiB")), (Some(true), true));
}
