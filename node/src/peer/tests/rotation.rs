//! The ring changes under running nodes.

use super::site::{Site, cluster, in_time, node, of_node};
use crate::peer::{PeerError, PeerRoute, Trust};

/// The steps that replace secret 1 by secret 2.
const STEPS: [&[u8]; 4] = [&[1], &[1, 2], &[2, 1], &[2]];

#[tokio::test]
async fn nodes_that_are_one_step_apart_always_connect() {
    for (at, here) in STEPS.iter().enumerate() {
        for there in &STEPS[at.saturating_sub(1)..(at + 2).min(STEPS.len())] {
            let site = Site::start(here);
            let link = site.client(of_node(2, there)).connect(site.address, Some(node(1))).await;
            let link = link.unwrap_or_else(|error| panic!("{there:?} to {here:?}: {error}"));
            assert_eq!(link.ask(PeerRoute::Hello, "hello".into()).await.unwrap(), "5");
        }
    }
}

#[tokio::test]
async fn a_rotation_costs_at_most_connecting_again() {
    let site = Site::start(&[1]);
    let other = of_node(2, &[1]);
    let mut link = site.client(other.clone()).connect(site.address, Some(node(1))).await.unwrap();
    for step in &STEPS[1..] {
        for credentials in [&site.credentials, &other] {
            credentials.replace(&Trust::ring(&cluster(step))).unwrap();
            // Where the old certificate is no longer believed, connecting again is all it takes.
            if link.is_closed() || link.ask(PeerRoute::Hello, "hello".into()).await.is_err() {
                link = site.client(other.clone()).connect(site.address, None).await.unwrap();
            }
            assert_eq!(link.ask(PeerRoute::Hello, "hello".into()).await.unwrap(), "5");
        }
    }
}

#[tokio::test]
async fn who_has_only_a_secret_that_was_dropped_is_thrown_out() {
    let site = Site::start(&[1, 2]);
    let thief = site.link(&[1]).await;
    let member = site.client(of_node(3, &[2, 1])).connect(site.address, None).await.unwrap();
    site.credentials.replace(&Trust::ring(&cluster(&[2]))).unwrap();
    in_time(thief.closed()).await;
    assert_eq!(member.ask(PeerRoute::Hello, "hello".into()).await.unwrap(), "5");
    let client = site.client(of_node(2, &[1]));
    let error = client.connect(site.address, None).await.unwrap_err();
    assert!(matches!(error, PeerError::Outsider { .. }), "{error}");
}

#[tokio::test]
async fn a_connection_to_who_is_no_longer_believed_is_closed() {
    let site = Site::start(&[1]);
    let credentials = of_node(2, &[1, 2]);
    let link = site.client(credentials.clone()).connect(site.address, None).await.unwrap();
    credentials.replace(&Trust::ring(&cluster(&[2]))).unwrap();
    in_time(link.closed()).await;
    let error = link.ask(PeerRoute::Hello, "hello".into()).await.unwrap_err();
    assert!(error.to_string().contains("no longer believed"), "{error}");
}
