//! The routes of backups.

use std::time::Duration;

use crate::harness::TestNode;

/// Waits until no backup is being made; the status.
async fn idle(node: &TestNode) -> serde_json::Value {
    let waiting = async {
        loop {
            let status = node.get("/api/backup/status").await.expect(200).json();
            if status.get("running").is_none() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap()
}

#[tokio::test]
async fn a_backup_is_made_listed_measured_and_deleted() {
    let node = TestNode::start();
    node.put("/kv/a", "1").await.expect(201);
    let list = node.get("/api/backups").await.expect(200).json();
    assert_eq!(list["backups"].as_array().unwrap().len(), 0);
    assert!(list["target"].as_str().unwrap().ends_with("/backups"));

    let started = node.call("POST /api/backups", &[], "").await.expect(202).json();
    let name = started["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("kvs-") && name.ends_with("-20231114T221320000Z"), "{name}");
    let status = idle(&node).await;
    assert_eq!(status["last_success"]["name"], name);
    assert_eq!((&status["made"], &status["failed"]), (&1.into(), &0.into()));

    let list = node.get("/api/backups").await.expect(200).json();
    assert_eq!(list["backups"][0], status["last_success"]);
    assert_eq!(list["backups"][0]["records"], 1);
    let metrics = node.get("/metrics").await.expect(200).text();
    for line in [
        r#"kvs_backups_total{result="success"} 1"#,
        "kvs_backup_last_success_time_seconds 1700000000",
        "kvs_backup_running 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }

    let path = format!("/api/backups/{name}");
    node.delete(&path).await.expect(204);
    node.delete(&path).await.refuses(404, "backup-absent", &name);
    assert_eq!(node.get("/api/backups").await.json()["backups"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_name_is_one_segment_and_leads_nowhere_else() {
    let node = TestNode::start();
    for name in ["x", "..%2F..%2Fetc", "%2e%2e", "kvs-0123456789ab-20231114T221320000Z"] {
        let refused = node.delete(&format!("/api/backups/{name}")).await;
        refused.refuses(404, "backup-absent", "there is no backup");
    }
    node.delete("/api/backups/a/b").await.refuses(404, "no-route", "no such route");
    node.delete("/api/backups/").await.refuses(404, "no-route", "no such route");
    node.delete("/api/backups").await.refuses(405, "method-not-allowed", "GET, HEAD, POST");
    node.get("/api/backups/x").await.refuses(405, "method-not-allowed", "DELETE");
    node.get("/api/backups?x=1").await.refuses(400, "query-malformed", "x");
}

#[tokio::test]
async fn the_routes_answer_only_on_the_machine_of_the_node() {
    let node = TestNode::start();
    let elsewhere = node.seen_from("10.0.0.7");
    let page = [("origin", "http://evil.example"), ("host", "127.0.0.1:8080")];
    for line in
        ["GET /api/backups", "POST /api/backups", "DELETE /api/backups/x", "GET /api/backup/status"]
    {
        elsewhere.call(line, &[], "").await.refuses(403, "not-here", "only from the machine");
        node.call(line, &page, "").await.refuses(403, "foreign-page", "another origin");
    }
}
