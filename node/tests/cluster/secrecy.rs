//! No log at any level has a key, a value or a token in it.

use kvs_client::Client;

use crate::look::{all_agree, all_meet, fill, json};
use crate::process::Process;
use crate::site::{Home, Site};

const KEY: &str = "plantedkey";
const VALUE: &str = "plantedvalue";
const TOKEN: &str = "plantedtoken";
const SETTINGS: &str = "log_level: trace\ntamper_logging_enabled: true\nread_only: false\nlimits:\n  value_size: 64KiB\n";

fn key(of: &str) -> String {
    format!("{KEY}/{of}")
}

fn value(of: &str) -> String {
    format!(r#"{{"{of}":"{VALUE}"}}"#)
}

/// Requests of every kind, right and wrong, with what must not be told in each part of them.
async fn plant(node: &Process) {
    let client = Client::new(&node.url(), Some(TOKEN)).unwrap();
    fill(node, KEY, 20, |_| value("filled")).await;
    client.put(&key("a"), json(&value("put"))).await.unwrap();
    client.put(&key("a"), json(&value("again"))).await.unwrap();
    client.put(&key("gone"), json(&value("gone"))).await.unwrap();
    client.delete(&key("gone")).await.unwrap();
    let http = reqwest::Client::new();
    let send = async |method: &str, path: &str, body: String| {
        let url = format!("{}{path}", node.url());
        let request = http.request(method.parse().unwrap(), url).bearer_auth(TOKEN);
        let request = request.header("content-type", "application/json").body(body);
        // Some of them are cut off, which is an answer too.
        drop(request.send().await);
    };
    for (method, path) in [
        ("GET", format!("/kv/{KEY}/a")),
        ("GET", format!("/kv/{KEY}/never")),
        ("GET", format!("/kv/{KEY}/_ls?metadata")),
        ("GET", format!("/kv/{KEY}/_tree?after={VALUE}")),
        ("GET", format!("/kv/{KEY}/_changes?since={VALUE}")),
        ("GET", format!("/kv/{KEY}/a/_history")),
        ("GET", format!("/kv/{KEY}//x?{VALUE}={TOKEN}")),
        ("GET", format!("/kv/{KEY}/%00{VALUE}")),
        ("GET", format!("/{KEY}/{VALUE}?token={TOKEN}")),
        ("PATCH", format!("/kv/{KEY}/a")),
        ("PATCH", format!("/kv/{KEY}/a/_metadata")),
        ("POST", format!("/kv/{KEY}/a/_restore")),
        ("POST", "/kv/_batch".to_owned()),
        ("DELETE", format!("/kv/{KEY}/never")),
        ("PUT", format!("/kv/{KEY}/a?ttl={VALUE}")),
        ("GET", format!("/api/audit?key={KEY}/a")),
        ("DELETE", format!("/api/backups/{VALUE}")),
        ("POST", "/cluster/mode".to_owned()),
    ] {
        send(method, &path, value("body")).await;
        send(method, &path, format!("{{\"{KEY}\": {VALUE}")).await;
        send(method, &path, format!("\"{}\"", VALUE.repeat(8_000))).await;
    }
    let gets = format!(r#"{{"items":[{{"op":"get","key":"{KEY}/a"}},{{"op":"{VALUE}"}}]}}"#);
    send("POST", "/kv/_batch", gets).await;
}

/// The lines of a log that tell what must not be told.
fn leaks(said: &str) -> Vec<&str> {
    said.lines().filter(|line| [KEY, VALUE, TOKEN].iter().any(|word| line.contains(word))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_at_trace_level_tells_keys_values_or_tokens() {
    let site = Site::new();
    let homes = site.cluster::<2>(SETTINGS);
    let [first, second] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second]).await;
    plant(&first).await;
    all_agree(&[&first, &second]).await;
    // Repair, not only streams: what was written while the other was away.
    let away = second.stop().await;
    plant(&first).await;
    let killed = first.said();
    first.kill();
    let [first, second] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second]).await;
    all_agree(&[&first, &second]).await;
    plant(&second).await;
    let logs = [away, killed, first.stop().await, second.stop().await];
    for log in &logs {
        assert!(log.contains("TRACE") && log.contains("DEBUG"), "the level is not trace");
        assert_eq!(leaks(log), Vec::<&str>::new());
    }
}
