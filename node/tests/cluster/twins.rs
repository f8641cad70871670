//! Two processes of one node: a volume was cloned.

use std::net::SocketAddr;

use crate::fence::rescued;
use crate::look::{all_agree, all_meet, json, problem};
use crate::process::Process;
use crate::site::{Home, PORT, Site, kvs};
use crate::wait::{self, DEADLINE};

async fn refuses_writes(node: &Process) {
    let refused = async || {
        let written = node.client().put("twin", json("1")).await;
        (problem(written)? == (503, "twin".to_owned())).then_some(())
    };
    wait::until(&format!("{} has a twin", node.address()), refused).await;
    node.sees("its twin", |status| status.twin.is_some()).await;
    node.says(["another process runs under this node's id"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_processes_of_a_cloned_volume_refuse_writes_until_one_is_gone() {
    let site = Site::new();
    let homes = site.cluster::<3>("");
    let [first, second, third] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second, &third]).await;
    first.put("before", "1").await;
    third.shows("before", "1").await;
    third.stop().await;
    let clone = homes[2].copied("clone", SocketAddr::new(site.ip(7), PORT));
    let (third, clone) = (homes[2].start(), clone.start());
    refuses_writes(&third).await;
    refuses_writes(&clone).await;
    // The others go on.
    first.put("meanwhile", "1").await;
    second.shows("meanwhile", "1").await;

    clone.kill();
    // A twin that is silent is remembered for a minute: it may only be cut off.
    let written = async || third.client().put("after", json("1")).await.ok();
    let what = "the one that is left takes writes";
    let (_, took) = wait::until_within(2 * DEADLINE, what, written).await;
    println!("the one that is left took writes {took:?} after the other's end");
    first.shows("after", "1").await;
    all_agree(&[&first, &second, &third]).await;
}

/// The cure that its log names: the copy becomes a node of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_cloned_volume_becomes_a_member_of_its_own_by_another_identity() {
    let site = Site::new();
    let homes = site.cluster::<2>("");
    let [first, second] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second]).await;
    first.put("before", "1").await;
    all_agree(&[&first, &second]).await;
    second.stop().await;
    let clone = homes[1].copied("clone", SocketAddr::new(site.ip(7), PORT));
    let second = homes[1].start();
    all_meet(&[&first, &second]).await;

    // Alone, the copy takes a write that nobody else has.
    let apart = clone.with("seed_nodes: []\nserve_while_syncing: true\n").start();
    let written = async || apart.client().put("alone", json("1")).await.ok();
    wait::until("the copy takes writes", written).await;
    apart.stop().await;

    let config = clone.write_config();
    let mut reset = kvs();
    reset.args(["reset-identity", "--yes"]).arg(config).current_dir(clone.folder());
    let reset = reset.output().unwrap();
    assert!(reset.status.success(), "{reset:?}");
    assert_eq!(rescued(&clone).len(), 1, "what it alone had is put aside");
    let third = clone.start();
    all_meet(&[&first, &second, &third]).await;
    all_agree(&[&first, &second, &third]).await;
    assert_eq!(third.text("before").await.as_deref(), Some("1"));
    assert_eq!(third.text("alone").await, None);
    let ids = [&first, &second, &third].map(async |node| node.cluster().await.unwrap().node);
    let ids = futures_util::future::join_all(ids).await;
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
    second.put("after", "1").await;
    third.shows("after", "1").await;
}
