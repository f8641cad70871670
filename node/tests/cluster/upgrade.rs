//! From one release to the next: nodes that know one format of versions more than others.

use kvs_client::ClientError;

use crate::look::{all_agree, all_meet};
use crate::process::Process;
use crate::site::{Home, Site};

/// The home of a release that knows the first format only.
fn earlier(home: &Home) -> Home {
    home.clone().told("--newest-format=1".to_owned())
}

/// The format that the cluster writes in from now on, or why it is not raised.
async fn upgrade(node: &Process) -> Result<u8, String> {
    match node.client().upgrade().await {
        Ok(status) => Ok(status.format),
        Err(ClientError::Problem(problem)) => Err(problem.detail),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_updated_node_by_node_and_then_writes_in_the_next_format() {
    let site = Site::new();
    let homes = site.cluster::<3>("");
    let [mut first, mut second, third] = homes.each_ref().map(|home| earlier(home).start());
    all_meet(&[&first, &second, &third]).await;
    first.put("a", "1").await;
    first.sees("the first format", |status| (status.format, status.newest_format) == (1, 1)).await;
    assert_eq!(upgrade(&first).await, Ok(1), "there is no later one that it knows");

    first.stop().await;
    first = homes[0].start();
    first.serves().await;
    all_meet(&[&first, &second, &third]).await;
    let refused = upgrade(&first).await.unwrap_err();
    assert!(refused.contains("understands formats up to 1"), "{refused}");
    first.put("b", "1").await;
    second.put("c", "1").await;
    for node in [&second, &third] {
        node.shows("b", "1").await;
    }
    // Until the format is raised, a node can go back.
    first.stop().await;
    first = earlier(&homes[0]).start();
    first.serves().await;
    first.shows("c", "1").await;
    first.stop().await;
    first = homes[0].start();
    second.stop().await;
    second = homes[1].start();
    second.serves().await;

    third.stop().await;
    let refused = upgrade(&first).await.unwrap_err();
    assert!(refused.contains("node3"), "{refused}");
    let third = homes[2].start();
    all_meet(&[&first, &second, &third]).await;
    assert_eq!(upgrade(&first).await, Ok(2));
    for node in [&first, &second, &third] {
        node.sees("the second format", |status| status.format == 2).await;
        node.put("d", "1").await;
    }
    all_agree(&[&first, &second, &third]).await;

    third.stop().await;
    let mut back = earlier(&homes[2]).start();
    assert!(!back.ended().await.success());
    assert!(back.said().contains("format 2"), "{}", back.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_node_writes_as_the_cluster_that_takes_it_in() {
    let site = Site::new();
    let [old, new, late] = site.cluster::<3>("");
    let first = earlier(&old).start();
    let second = new.start();
    all_meet(&[&first, &second]).await;
    second.sees("the first format", |status| (status.format, status.newest_format) == (1, 2)).await;
    first.stop().await;
    let first = old.start();
    all_meet(&[&first, &second]).await;
    assert_eq!(upgrade(&second).await, Ok(2));
    first.sees("the second format", |status| status.format == 2).await;

    let refused = earlier(&late).start();
    refused.says(["understands those up to 1"]).await;
    let status = first.cluster().await.unwrap();
    assert_eq!(status.peers.iter().filter(|peer| peer.standing.is_some()).count(), 1);
}
