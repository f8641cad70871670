//! The operator on the peer port: what it may ask and order, and what it may not.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use kvs_client::{
    BackupStarted, BackupStatus, Client, ClusterFile, ClusterStatus, CreatedToken, Duties,
    DutyOrder, DutyRequest, RelayAnswer, RelayRequest,
};
use kvs_node::peer::{
    Credentials, PeerClient, PeerError, PeerFigures, PeerLimits, PeerLink, PeerName, PeerRoute,
    Trust,
};
use kvs_node::time::SystemClock;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::look::{all_agree, all_meet};
use crate::site::{PEER_PORT, Site};
use crate::wait;

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
    let homes = site.cluster::<3>("tamper_logging_enabled: true\n");
    let [first, second, third] = homes.map(|home| home.start());
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
    order(&there, Some(id), Some(DutyOrder::Serve)).await.unwrap();
    wait::until("its log has both acts, and not what changed nothing", async || {
        let log = String::from_utf8(third.ask("/api/audit").await.unwrap()).unwrap();
        let acts = log.matches(r#""admin:cluster:update""#).count();
        assert!(acts <= 2, "{log}");
        (acts == 2).then_some(())
    })
    .await;

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

/// Asks the API over the peer port, and reads what it answers.
async fn relay(
    link: &PeerLink,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Result<(u16, Value), String> {
    let (node, method, path) = (link.node().uuid(), method.to_owned(), path.to_owned());
    let body = serde_json::to_vec(&RelayRequest { node, method, path, body }).unwrap();
    match link.ask(PeerRoute::Relay, body.into()).await {
        Ok(answer) => {
            let RelayAnswer { status, body } = serde_json::from_slice(&answer).unwrap();
            Ok((status, body))
        }
        Err(PeerError::Refused(refusal)) => Err(refusal.code),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_looks_after_users_tokens_and_backups_and_reads_no_key() {
    let site = Site::new();
    let [first, second] = site.cluster::<2>("auth_enabled: true\n").map(|home| home.start());
    for node in [&first, &second] {
        node.serves().await;
    }
    let link = link(&site, 1).await;
    let ann = json!({ "name": "ann", "scopes": ["write:home", "read"] });
    let (status, made) = relay(&link, "POST", "/api/users", Some(ann.clone())).await.unwrap();
    assert_eq!((status, &made["name"]), (201, &json!("ann")));
    let (status, problem) = relay(&link, "POST", "/api/users", Some(ann)).await.unwrap();
    assert_eq!((status, problem["status"].as_u64()), (409, Some(409)), "{problem}");

    let wanted = json!({ "user": "ann", "ttl": "1h" });
    let (status, token) = relay(&link, "POST", "/api/tokens", Some(wanted)).await.unwrap();
    assert_eq!(status, 201);
    let token: CreatedToken = serde_json::from_value(token).unwrap();
    let hers = Client::new(&first.url(), Some(&token.token)).unwrap();
    assert_eq!(hers.whoami().await.unwrap().user.as_deref(), Some("ann"));
    let (status, body) = relay(&link, "DELETE", "/api/users/ann", None).await.unwrap();
    assert_eq!((status, body), (204, Value::Null));
    assert!(hers.whoami().await.is_err());

    let (status, started) = relay(&link, "POST", "/api/backups", None).await.unwrap();
    assert_eq!(status, 202);
    let BackupStarted { name } = serde_json::from_value(started).unwrap();
    let made = async || {
        let (_, status) = relay(&link, "GET", "/api/backup/status", None).await.unwrap();
        let status: BackupStatus = serde_json::from_value(status).unwrap();
        status.last_success.filter(|last| last.name == name)
    };
    wait::until("the backup is made", made).await;

    for path in ["/kv/mine", "/api/batch", "/api/audit", "/api/keys"] {
        assert_eq!(relay(&link, "GET", path, None).await, Err("not-relayed".into()), "{path}");
    }
    let other = RelayRequest {
        node: Uuid::nil(),
        method: "GET".into(),
        path: "/api/users".into(),
        body: None,
    };
    let refused = link.ask(PeerRoute::Relay, serde_json::to_vec(&other).unwrap().into()).await;
    assert!(matches!(refused, Err(PeerError::Refused(why)) if why.code == "not-me"));
    let large = vec![b' '; PeerRoute::Relay.request_limit() + 1];
    let refused = link.ask(PeerRoute::Relay, large.into()).await;
    assert!(refused.is_err());
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
