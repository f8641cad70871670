//! Nodes without a cluster file.

use super::site::{Site, of_node};
use crate::peer::{PeerError, PeerRole, PeerRoute, RefusalReason};

#[tokio::test]
async fn who_has_no_cluster_file_can_ask_for_one_on_this_machine() {
    let site = Site::start(&[7]);
    let link = site.stranger().connect(site.address, None).await.unwrap();
    assert_eq!(link.ask(PeerRoute::Birth, "please".into()).await.unwrap(), "6");
    let calls = site.probe.calls.lock().unwrap().clone();
    assert_eq!(calls[0].0.role, PeerRole::Nobody);
    assert!(RefusalReason::ALL.into_iter().all(|reason| site.figures.refusals(reason) == 0));
}

#[tokio::test]
async fn a_node_of_the_cluster_may_ask_too() {
    let site = Site::start(&[7]);
    let link = site.client(of_node(2, &[7])).connect(site.address, None).await.unwrap();
    assert_eq!(link.ask(PeerRoute::Birth, "please".into()).await.unwrap(), "6");
}

#[tokio::test]
async fn nobody_is_asked_for_a_cluster_file_across_a_network() {
    let site = Site::start(&[7]);
    // An address for documentation (RFC 5737): if it were asked, this would take its time.
    let error = site.stranger().connect(([192, 0, 2, 1], 9).into(), None).await.unwrap_err();
    assert!(matches!(error, PeerError::Outsider { .. }), "{error}");
}
