//! The figures of a cluster.

use std::collections::BTreeMap;

use crate::served::{Served, eventually, serve, serve_with};

/// Samples by name and labels, as one scrape tells them.
type Samples = BTreeMap<String, f64>;

/// A member of a cluster: of the one of `seed`, or of a new one.
async fn member(name: &str, seed: Option<&Served>) -> Served {
    let seed = seed.map(|seed| {
        let peer = seed.node.cluster().unwrap().membership.view().me.peer;
        format!("peer://{peer}")
    });
    let served = serve_with(|settings| {
        settings.clustering_enabled = true;
        settings.node_id = Some(name.to_owned());
        settings.seed_nodes = seed.into_iter().collect();
    })
    .await;
    served.node.catch_up().await;
    served
}

async fn scrape(served: &Served) -> Samples {
    samples(&served.get("/metrics").await.text)
}

fn samples(text: &str) -> Samples {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut samples = Samples::new();
    for line in lines {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let twice = samples.insert(name.to_owned(), value.parse().unwrap());
        assert_eq!(twice, None, "{name} is told twice");
    }
    samples
}

/// A figure of `other` as its peer tells it.
fn of(other: &Served, figure: &str) -> String {
    let (id, name) = (other.node.identity().node.uuid(), other.node.name());
    format!("{figure}{{peer=\"{id}\",name=\"{name}\"}}")
}

fn has(samples: &Samples, name: &str, wanted: impl Fn(f64) -> bool) {
    let value = samples.get(name).unwrap_or_else(|| panic!("no {name} in {samples:#?}"));
    assert!(wanted(*value), "{name} is {value}");
}

#[tokio::test]
async fn members_tell_of_each_other_and_of_what_goes_between_them() {
    let first = member("first", None).await;
    let second = member("second", Some(&first)).await;
    first.put("secret-name/x", "1").await;
    eventually("a write on one node is read on the other", async || {
        second.get("/kv/secret-name/x").await.status == 200
    })
    .await;
    eventually("the joiner has compared and said so", async || {
        let samples = scrape(&second).await;
        samples["kvs_comparisons_total"] >= 1.0
            && samples.contains_key(&of(&first, "kvs_peer_agreed_age_seconds"))
    })
    .await;
    let samples = scrape(&second).await;
    for (name, wanted) in [
        (of(&first, "kvs_peer_reachable"), 1.0),
        (of(&first, "kvs_peer_versions_behind"), 0.0),
        (of(&first, "kvs_peer_refused"), 0.0),
        (of(&first, "kvs_peer_stream").replace('}', ",state=\"open\"}"), 1.0),
        (of(&first, "kvs_peer_stream").replace('}', ",state=\"held\"}"), 0.0),
        (r#"kvs_life{life="serving"}"#.to_owned(), 1.0),
        (r#"kvs_mode{mode="syncing"}"#.to_owned(), 0.0),
        ("kvs_members".to_owned(), 2.0),
        ("kvs_bootstrap_ratio".to_owned(), 1.0),
        ("kvs_twin".to_owned(), 0.0),
        (r#"kvs_peer_refusals_total{reason="outsider"}"#.to_owned(), 0.0),
        (r#"kvs_gossip_refusals_total{reason="forged"}"#.to_owned(), 0.0),
    ] {
        has(&samples, &name, |value| (value - wanted).abs() < f64::EPSILON);
    }
    for name in [
        r#"kvs_peer_bytes_total{route="hello",direction="in"}"#,
        r#"kvs_peer_bytes_total{route="hello",direction="out"}"#,
        r#"kvs_peer_requests_total{route="hello",direction="out"}"#,
        r#"kvs_peer_requests_total{route="stream",direction="in"}"#,
        r#"kvs_peer_connections{direction="out"}"#,
        r#"kvs_gossip_datagrams_total{direction="in"}"#,
        r#"kvs_gossip_bytes_total{direction="out"}"#,
        "kvs_digest_records",
        "kvs_held_age_seconds",
    ] {
        has(&samples, name, |value| value > 0.0);
    }
    has(&samples, "kvs_clock_ahead_seconds", |ahead| ahead < 15.0);
    has(&samples, &of(&first, "kvs_peer_clock_offset_seconds"), |offset| offset.abs() < 15.0);
    second.stop().await;
    eventually("the one that stopped cannot be reached", async || {
        scrape(&first).await[&of_gone("second", &first).await] == 0.0
    })
    .await;
    first.stop().await;
}

/// The name of the reachability of a node that has stopped.
async fn of_gone(name: &str, at: &Served) -> String {
    let samples = scrape(at).await;
    let label = format!("name=\"{name}\"");
    let found = samples.into_keys();
    let mut found =
        found.filter(|known| known.starts_with("kvs_peer_reachable{") && known.contains(&label));
    found.next().unwrap()
}

#[tokio::test]
async fn every_figure_says_what_it_is_and_names_its_unit() {
    let served = member("alone", None).await;
    let text = served.get("/metrics").await.text;
    let told = |keyword: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(keyword));
        lines.map(|line| line.split_once(' ').unwrap()).collect::<Vec<_>>()
    };
    let (types, helps, units) = (told("# TYPE "), told("# HELP "), told("# UNIT "));
    assert_eq!(types.len(), types.iter().collect::<std::collections::BTreeSet<_>>().len());
    assert_eq!(types.len(), helps.len());
    for ((name, _), (helped, help)) in types.iter().zip(&helps) {
        assert!(name == helped && help.len() > 10, "{name}: {help}");
        let unit = ["_seconds", "_bytes"].into_iter().find(|unit| name.ends_with(unit));
        assert_eq!(units.iter().any(|(known, _)| known == name), unit.is_some(), "{name}");
    }
    samples(&text);
    served.stop().await;
}

#[tokio::test]
async fn a_node_that_stands_alone_tells_of_no_cluster() {
    let served = serve().await;
    let samples = scrape(&served).await;
    let told = samples.keys().filter(|name| {
        ["kvs_life", "kvs_peer", "kvs_gossip", "kvs_members"].iter().any(|of| name.starts_with(of))
    });
    assert_eq!(told.count(), 0, "{samples:?}");
    served.stop().await;
}
