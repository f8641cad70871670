use crate::served::{NOW, serve, serve_with};

#[tokio::test]
async fn the_routes_about_the_node_tell_what_it_is() {
    let served = serve_with(|settings| settings.node_id = Some("attic".to_owned())).await;
    let id = served.node.identity().node.uuid().to_string();
    for path in ["/livez", "/readyz", "/health"] {
        let health = served.get(path).await.json();
        assert_eq!(
            (&health["status"], &health["mode"]),
            (&"ok".into(), &"normal".into()),
            "{path}"
        );
        assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(health["node_id"] == id, path == "/health");
    }
    let members = served.get("/members/").await.json();
    let address = served.address.to_string();
    let expected = serde_json::json!({"members": [
        {
            "id": id, "name": "attic", "state": "alive", "address": address,
            "joined": NOW, "last_seen": NOW, "version": env!("CARGO_PKG_VERSION"),
        },
    ]});
    assert_eq!(members, expected);
    served.stop().await;
}

#[tokio::test]
async fn a_read_only_node_says_so_and_is_ready() {
    let served = serve_with(|settings| settings.read_only = true).await;
    assert_eq!(served.get("/health").await.json()["mode"], "read_only");
    assert!(served.client.readyz().await.unwrap());
    let metrics = served.get("/metrics").await.text;
    assert!(metrics.contains("kvs_mode{mode=\"read_only\"} 1"), "{metrics}");
    served.stop().await;
}

#[tokio::test]
async fn a_node_that_stops_is_alive_and_not_ready() {
    let served = serve().await;
    served.node.stopping().cancel();
    assert_eq!(served.get("/livez").await.status, 200);
    let answered = served.get("/readyz").await;
    assert_eq!((answered.status.as_u16(), answered.problem().as_str()), (503, "not-ready"));
    assert_eq!(served.get("/health").await.json()["status"], "stopping");
    served.stop().await;
}

#[tokio::test]
async fn metrics_count_what_was_done_and_name_no_key() {
    let served = serve().await;
    for _ in 0..3 {
        served.put("secret-name/x", "1").await;
    }
    assert_eq!(served.get("/kv/secret-name/absent").await.status, 404);
    assert_eq!(served.get("/nowhere").await.status, 404);
    let answered = served.get("/metrics").await;
    let expected = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answered.content_type, expected);
    for line in [
        r#"kvs_requests_total{operation="write_value",status="2xx"} 3"#,
        r#"kvs_requests_total{operation="read_value",status="4xx"} 1"#,
        r#"kvs_requests_total{operation="none",status="4xx"} 1"#,
        r#"kvs_request_duration_seconds_count{operation="write_value"} 3"#,
        r#"kvs_request_duration_seconds_bucket{le="+Inf",operation="write_value"} 3"#,
        "kvs_commits_total 3",
        r#"kvs_superseded_total{reason="older"} 2"#,
        "kvs_write_queue_bytes 0",
        "kvs_streams_open 0",
        "kvs_digest_ready 1",
        r#"kvs_mode{mode="normal"} 1"#,
    ] {
        assert!(answered.text.lines().any(|known| known == line), "{line} in\n{}", answered.text);
    }
    for name in [
        "kvs_build_info{",
        "kvs_store_bytes{part=\"files\"}",
        "kvs_resident_memory_bytes ",
        "kvs_disk_free_bytes ",
        "kvs_disk_reserve_bytes ",
    ] {
        assert!(answered.text.contains(name), "{name} in\n{}", answered.text);
    }
    assert!(answered.text.ends_with("# EOF\n"));
    assert!(!answered.text.contains("secret-name"));
    served.stop().await;
}

#[tokio::test]
async fn routes_that_are_not_public_are_not_there_and_name_their_switch() {
    let served = serve_with(|settings| {
        settings.metrics_public = false;
        settings.members_public = false;
    })
    .await;
    for (path, switch) in [("/metrics", "metrics_public"), ("/members/", "members_public")] {
        let answered = served.get(path).await;
        assert_eq!((answered.status.as_u16(), answered.problem().as_str()), (404, "switched-off"));
        assert!(answered.text.contains(switch), "{answered:?}");
    }
    served.stop().await;
}
