//! The operator on the peer port: what it may ask and order, and what it may not.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use kvs_client::{ClusterFile, ClusterStatus, Duties, DutyOrder, DutyRequest};
use kvs_node::peer::{
    Credentials, PeerClient, PeerError, PeerFigures, PeerLimits, PeerLink, PeerName, PeerRoute,
    Trust,
};
use kvs_node::time::SystemClock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::look::{all_agree, all_meet};
use crate::site::{PEER_PORT, Site};

async fn link(site: &Site, number: u8) -> PeerLink {
    let file = ClusterFile::load(&site.path("cluster.kvs")).unwrap();
    let name = PeerName::Operator("kvs-operator.one".into());
    let credentials = Credentials::new(name, &Trust::ring(&file), Arc::new(SystemClock)).unwrap();
    let figures = Arc::new(PeerFigures::default());
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let limits = PeerLimits::default();
    let client = PeerClient::new(Arc::new(credentials), figures, limits, tasks, shutdown);
    client.connect(SocketAddr::new(site.ip(number), PEER_PORT), None).await.unwrap()
}

async fn order(
    link: &PeerLink,
    node: Option<Uuid>,
    order: Option<DutyOrder>,
) -> Result<Duties, String> {
    let body = serde_json::to_vec(&DutyRequest { node, order, seeds: Vec::new() }).unwrap();
    match link.ask(PeerRoute::Duty, body.into()).await {
        Ok(answer) => Ok(serde_json::from_slice(&answer).unwrap()),
        Err(PeerError::Refused(refusal)) => Err(refusal.code),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_has_a_node_drain_serve_and_leave_and_reads_no_data() {
    let site = Site::new();
    let [first, second, third] = site.cluster::<3>("").map(|home| home.start());
    all_meet(&[&first, &second, &third]).await;
    third.put("mine", "1").await;
    let (there, first_link) = (link(&site, 3).await, link(&site, 1).await);
    let id = there.node().uuid();
    let said = order(&there, None, None).await.unwrap();
    assert_eq!((said.node, said.draining, said.departure), (id, false, None));

    // Another node at the same address is not the one that is meant.
    let stranger = order(&there, Some(Uuid::nil()), Some(DutyOrder::Drain)).await;
    assert_eq!(stranger, Err("not-me".into()));
    assert!(order(&there, Some(id), Some(DutyOrder::Drain)).await.unwrap().draining);
    assert!(!third.client().readyz().await.unwrap());
    assert!(!order(&there, Some(id), Some(DutyOrder::Serve)).await.unwrap().draining);
    assert!(third.client().readyz().await.unwrap());

    // Whoever lives is not given up, and no route shows keys or values.
    let forget = order(&first_link, None, Some(DutyOrder::Forget(id))).await;
    assert_eq!(forget, Err("reachable".into()));
    for route in [PeerRoute::Range, PeerRoute::Fetch, PeerRoute::Push, PeerRoute::Join] {
        let refused = first_link.ask(route, Bytes::new()).await;
        assert!(matches!(refused, Err(PeerError::Refused(why)) if why.status == 403), "{route:?}");
    }

    order(&there, Some(id), Some(DutyOrder::Compare)).await.unwrap();
    let leaving = order(&there, Some(id), Some(DutyOrder::Leave)).await.unwrap();
    assert!(leaving.departure.is_some());
    let gone = |status: &ClusterStatus| {
        let mut peers = status.peers.iter();
        peers.any(|peer| peer.id == id && peer.standing.as_deref() == Some("left"))
    };
    first.sees("that the third has left", gone).await;
    second.sees("that the third has left", gone).await;
    first.shows("mine", "1").await;
    all_agree(&[&first, &second]).await;
    let again = order(&there, Some(id), Some(DutyOrder::Leave)).await.unwrap();
    assert_eq!(again.departure.as_deref(), Some("left"));
}

/// Names that begin with `kvs_`, less those of the operator, as they are without their endings.
fn named(text: &str) -> std::collections::BTreeSet<String> {
    let part = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let names = text.split(part).filter(|name| name.starts_with("kvs_"));
    let names = names.filter(|name| !name.starts_with("kvs_operator_"));
    let bare = |name: &str| {
        let endings = ["_total", "_bucket", "_count", "_sum"];
        let ending = endings.iter().find_map(|ending| name.strip_suffix(ending));
        ending.unwrap_or(name).to_owned()
    };
    names.map(bare).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_of_a_node_that_dashboards_and_alerts_name_is_there() {
    let site = Site::new();
    let [first, second] = site.cluster::<2>("").map(|home| home.start());
    all_meet(&[&first, &second]).await;
    let figures = String::from_utf8(first.ask("/metrics").await.unwrap()).unwrap();
    let known: std::collections::BTreeSet<&str> = figures
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_whitespace().next())
        .collect();
    let files = ["dashboard.json", "alerts.yaml"];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/kvs-operator/files/");
    for file in files {
        let text = std::fs::read_to_string(format!("{folder}{file}")).unwrap();
        let unknown: Vec<_> =
            named(&text).into_iter().filter(|name| !known.contains(name.as_str())).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}; there are {known:?}");
    }
}
