use super::*;

fn workload(choice: KeyChoice) -> Workload {
    Workload { keys: 10_000, value_size: 256, reads: 30, choice, batch: 1, seed: 7 }
}

fn draws(choice: KeyChoice, count: usize) -> Vec<u64> {
    let picker = Picker::new(&workload(choice));
    let mut rng = SmallRng::seed_from_u64(1);
    (0..count).map(|_| picker.draw(&mut rng)).collect()
}

/// How many of the draws fall on the ten keys drawn most often.
fn weight_of_ten_hottest(draws: &[u64]) -> usize {
    let mut counts = std::collections::HashMap::new();
    for key in draws {
        *counts.entry(key).or_insert(0_usize) += 1;
    }
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    counts.iter().take(10).sum()
}

#[test]
fn values_are_json_of_the_exact_size() {
    for size in [LEAST_VALUE, LEAST_VALUE + 1, 256, 4096] {
        let value = ValuePool::new(size, 1).draw(&mut SmallRng::seed_from_u64(2));
        assert_eq!(value.len(), size);
        assert!(serde_json::from_slice::<serde_json::Value>(&value).is_ok_and(|v| v.is_object()));
    }
}

#[test]
fn a_value_is_never_shorter_than_its_frame() {
    let value = ValuePool::new(0, 1).draw(&mut SmallRng::seed_from_u64(2));
    assert_eq!(value, Bytes::from_static(br#"{"v":""}"#));
}

#[test]
fn uniform_choice_stays_in_range_and_has_no_favourites() {
    let draws = draws(KeyChoice::Uniform, 20_000);
    assert!(draws.iter().all(|&key| key < 10_000));
    assert!(weight_of_ten_hottest(&draws) < 200);
}

#[test]
fn zipf_choice_stays_in_range_and_has_favourites() {
    let draws = draws(KeyChoice::Zipf(0.99), 20_000);
    assert!(draws.iter().all(|&key| key < 10_000));
    let expected = 20_000 * 3 / 10;
    let weight = weight_of_ten_hottest(&draws);
    assert!(weight.abs_diff(expected) < 1_000, "the ten hottest were drawn {weight} times");
}

#[test]
fn ranks_are_spread_without_repeats() {
    let picker = Picker::new(&workload(KeyChoice::Zipf(1.0)));
    let keys: std::collections::HashSet<u64> = (1..=10_000).map(|r| picker.of_rank(r)).collect();
    assert_eq!(keys.len(), 10_000);
}

#[test]
fn the_mix_of_reads_and_writes_is_as_told() {
    let workload = workload(KeyChoice::Uniform);
    let mut requests = Requests::new(&workload, Arc::new(ValuePool::new(256, 1)), 0);
    let reads = (0..10_000).filter(|_| matches!(requests.draw(), Request::Get(_))).count();
    assert!(reads.abs_diff(3_000) < 200, "{reads} of 10,000 were reads");
}

#[test]
fn the_same_seed_makes_the_same_requests_and_connections_differ() {
    let workload = workload(KeyChoice::Uniform);
    let first = |connection| {
        let values = Arc::new(ValuePool::new(64, 1));
        let mut requests = Requests::new(&workload, values, connection);
        (0..20).map(|_| requests.draw()).collect::<Vec<_>>()
    };
    assert_eq!(first(3), first(3));
    assert_ne!(first(3), first(4));
}

#[test]
fn a_batch_has_as_many_different_keys_as_told() {
    let workload = Workload { keys: 100, reads: 0, batch: 100, ..workload(KeyChoice::Uniform) };
    let mut requests = Requests::new(&workload, Arc::new(ValuePool::new(64, 1)), 0);
    let Request::PutAll(items) = requests.draw() else { panic!("a batch was asked for") };
    let keys: std::collections::HashSet<String> = items.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 100);
}
