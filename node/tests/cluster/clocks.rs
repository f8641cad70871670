//! Wrong clocks.

use kvs_client::{ClusterStatus, PeerStatus};

use crate::clock::Clock;
use crate::look::{all_agree, all_meet, all_serve, json, problem};
use crate::process::Process;
use crate::site::Site;
use crate::wait;

const HOUR: i64 = 3_600_000;

/// Waits until a write is refused for the clock.
async fn refuses_writes(node: &Process) {
    let refused = async || {
        let written = node.client().put("poison", json("\"later\"")).await;
        (problem(written)? == (503, "clock-ahead".to_owned())).then_some(())
    };
    wait::until("a write is refused for the clock", refused).await;
}

/// Waits until writes are taken again.
async fn takes_writes(node: &Process, key: &str) {
    let taken = async || node.client().put(key, json("1")).await.ok();
    wait::until("writes are taken again", taken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_clock_jumps_ahead_refuses_writes_until_it_is_right() {
    let site = Site::new();
    let [first, second, third] = site.cluster::<3>("");
    let clock = Clock::of(third);
    clock.set(0);
    let (first, second, third) = (first.start(), second.start(), clock.home.start());
    all_meet(&[&first, &second, &third]).await;
    third.put("before", "1").await;
    first.shows("before", "1").await;

    clock.set(HOUR);
    let refused = third.client().put("poison", json("\"later\"")).await;
    assert_eq!(problem(refused), Some((503, "clock-ahead".to_owned())), "before anybody told it");
    let status = third.sees("its own clock", |status| status.clock_ahead > HOUR - 60_000).await;
    println!("{:?}", status.clock_ahead);
    first
        .sees("the wrong clock", |status| {
            status.peers.iter().any(|peer| peer.clock_offset.is_some_and(|ms| ms > HOUR - 60_000))
        })
        .await;
    // The others are as before, and it still takes what they write.
    first.put("meanwhile", "1").await;
    for node in [&second, &third] {
        node.shows("meanwhile", "1").await;
    }
    refuses_writes(&third).await;

    clock.set(0);
    takes_writes(&third, "after").await;
    first.shows("after", "1").await;
    assert_eq!(first.text("poison").await, None);
    all_agree(&[&first, &second, &third]).await;
    let now = first.get("after").await.unwrap().timestamp;
    let before = first.get("before").await.unwrap().timestamp;
    assert!(now - before < HOUR.unsigned_abs() / 2, "time goes on as it did");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_an_hour_ahead_poisons_nobody_and_is_right_after_a_restart() {
    let site = Site::new();
    let [first, second, third] = site.cluster::<3>("");
    let (first, second) = (first.start(), second.start());
    all_meet(&[&first, &second]).await;
    first.put("a", "1").await;
    let clock = Clock::of(third);
    clock.set(HOUR);
    let ahead = clock.home.start();
    ahead.sees("its own clock", |status| status.clock_ahead > HOUR - 60_000).await;
    let written = ahead.client().put("poison", json("1")).await;
    assert!(written.is_err());
    first.put("b", "1").await;
    let stamped = first.get("b").await.unwrap().timestamp;
    ahead.kill();
    clock.set(0);
    let third = clock.home.start();
    third.serves().await;
    takes_writes(&third, "c").await;
    for node in [&first, &second] {
        node.shows("c", "1").await;
    }
    let later = first.get("c").await.unwrap().timestamp;
    assert!(later - stamped < HOUR.unsigned_abs() / 2, "nobody's clock was moved");
    all_agree(&[&first, &second, &third]).await;
}

/// Alone it cannot know. Once it meets others, what it stamped meanwhile is refused until their clocks
/// have come that far, and it takes no writes that would be refused too.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_stamped_ahead_of_time_is_refused_and_said_to_be() {
    let site = Site::new();
    let [home, other] = site.cluster::<2>("");
    let clock = Clock::of(other);
    clock.set(0);
    let (first, second) = (home.start(), clock.home.start());
    all_meet(&[&first, &second]).await;
    all_agree(&[&first, &second]).await;
    second.stop().await;
    first.stop().await;
    // Alone, from its start on, it trusts its clock.
    clock.set(HOUR);
    let ahead = clock.home.with("serve_while_syncing: true\n").start();
    let written = async || ahead.client().put("ahead", json("1")).await.ok();
    wait::until("it takes writes alone", written).await;
    ahead.stop().await;
    clock.set(0);
    let (first, second) = (home.start(), clock.home.start());
    let refused = |status: &ClusterStatus| {
        let why = |peer: &PeerStatus| peer.refusal.clone().unwrap_or_default();
        status.peers.iter().any(|peer| why(peer).contains("ahead of its clock"))
    };
    first.sees("that the other's versions are refused", refused).await;
    // They do not wait for each other for ever.
    all_serve(&[&first, &second]).await;
    assert_eq!(first.text("ahead").await, None);
    refuses_writes(&second).await;
    let written = first.client().put("b", json("1")).await.unwrap();
    let other = second.get("ahead").await.unwrap();
    assert!(other.timestamp > written.timestamp + HOUR.unsigned_abs() / 2);
}
