use super::*;
use crate::{bare::stub, target::Protocol, workload::KeyChoice};

const WINDOW: Window =
    Window { warmup: Duration::from_millis(20), length: Duration::from_millis(100) };

fn workload(reads: u8, batch: usize) -> Workload {
    Workload { keys: 950, value_size: 64, reads, choice: KeyChoice::Uniform, batch, seed: 1 }
}

fn load(stub: &stub::Stub, workload: Workload, pace: Pace) -> Load {
    let endpoint = Endpoint { protocol: Protocol::Kvs, address: stub.address, token: None };
    Load {
        endpoint,
        others: Vec::new(),
        workload,
        connections: 5,
        pace,
        window: WINDOW,
        threads: 2,
    }
}

#[tokio::test]
async fn filled_keys_are_all_there_to_be_read() {
    let stub = stub::start().await;
    let load = load(&stub, workload(100, 1), Pace::Closed);
    fill(load.endpoint, &load.workload, 0..950).await.expect("the stub takes them");
    let figures = run(&load).await.expect("it runs");
    assert_eq!((figures.errors, figures.first_error), (0, None));
    assert!(figures.reads.is_some_and(|reads| reads.count > 0));
    assert_eq!(figures.writes, None);
}

#[tokio::test]
async fn failed_requests_are_counted_and_the_first_is_told() {
    let stub = stub::start().await;
    let figures = run(&load(&stub, workload(100, 1), Pace::Closed)).await.expect("it runs");
    assert!(figures.errors > 0);
    assert!(figures.first_error.is_some_and(|error| error.starts_with("answered 404")));
}

#[tokio::test]
async fn an_open_loop_makes_as_many_requests_as_were_due() {
    let stub = stub::start().await;
    let load = load(&stub, workload(0, 1), Pace::Open(1_000.0));
    let figures = run(&load).await.expect("it runs");
    let made = figures.writes.map_or(0, |writes| writes.count) + figures.given_up;
    assert!(made.abs_diff(100) <= 1, "{made} of 100");
}

#[tokio::test]
async fn a_batch_counts_its_keys() {
    let stub = stub::start().await;
    let figures = run(&load(&stub, workload(0, 10), Pace::Closed)).await.expect("it runs");
    assert!((figures.keys_per_second - 10.0 * figures.requests_per_second).abs() < 0.01);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let stub = stub::start().await;
    let mut load = load(&stub, workload(0, 1), Pace::Closed);
    load.endpoint.address.set_port(1);
    let error = run(&load).await.expect_err("nobody listens on port 1");
    assert_eq!(error.to_string(), "no connection to KVS");
}
