//! Backups in S3. `KVS_TEST_S3` names a server with a bucket `kvs-test` that takes any key, or the key
//! `S3RVER`; `scripts/backup-s3` starts two kinds. Without it only what needs none is tested.

#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use assert_cmd::Command;
use serde_json::Value;

use crate::machine::{Machine, one_line, stdout};

const KEY: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "S3RVER"),
    ("AWS_SECRET_ACCESS_KEY", "S3RVER"),
    ("AWS_REGION", "us-east-1"),
];

fn with_key(mut command: Command, endpoint: &str) -> Command {
    command.envs(KEY).env("AWS_ENDPOINT_URL", endpoint);
    command
}

/// Starts a node that backs up to S3; where it answers.
fn start(machine: &Machine, endpoint: &str) -> String {
    let prefix = machine.path("").file_name().unwrap().to_string_lossy().replace('.', "");
    let config = format!(
        "port: 0\nauth_enabled: false\ndigest_leaves: 65536\ndata_dir: data\nbackup_target: s3://kvs-test/{prefix}\n\
         backup_s3:\n  endpoint: {endpoint}\n  access_key_id: S3RVER\n  \
         secret_access_key_file: secret\n"
    );
    machine.file("node1.yaml", &config);
    machine.file("secret", "S3RVER\n");
    machine.kvs(["start", "node1"]).assert().success();
    machine.status("node1")["address"].as_str().unwrap().to_owned()
}

#[test]
fn a_backup_goes_to_a_bucket_and_comes_back() {
    let Ok(endpoint) = std::env::var("KVS_TEST_S3") else {
        println!("skipped: KVS_TEST_S3 names no server");
        return;
    };
    let machine = Machine::new();
    let url = start(&machine, &endpoint);
    // More than one part: 16 MiB and what is left.
    let value = |at: u64| {
        let mut state = at;
        let mut text = String::new();
        while text.len() < 900_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            write!(text, "{:016x}", state ^ state >> 31).unwrap();
        }
        text
    };
    let lines: Vec<String> =
        (1..=45).map(|at| format!(r#"{{"key":"k/{at}","data":"{}"}}"#, value(at))).collect();
    machine.kvs(["import", "--server", &url]).write_stdin(lines.join("\n")).assert().success();
    let create = ["backup", "create", "--json", "--server", &url];
    let made: Value =
        serde_json::from_str(&stdout(&machine.kvs(create).assert().success())).unwrap();
    assert!(made["size"].as_u64().unwrap() > 17 << 20, "{made}");
    let status = ["backup", "status", "--json", "--server", &url];
    let status: Value =
        serde_json::from_str(&stdout(&machine.kvs(status).assert().success())).unwrap();
    let name = made["name"].as_str().unwrap();
    let file = format!("{}/{name}.tar.zst", status["target"].as_str().unwrap());

    let said =
        stdout(&with_key(machine.kvs(["backup", "verify", &file]), &endpoint).assert().success());
    assert!(said.contains("is whole: 46 records"), "{said}");
    let restore = ["backup", "restore", &file, "--data-dir", "data-node2"];
    with_key(machine.kvs(restore), &endpoint).assert().success();
    let export = |url: &str| stdout(&machine.kvs(["export", "--server", url]).assert().success());
    let before = export(&url);
    let second = machine.start("node2");
    assert_eq!(export(&second), before);

    machine.kvs(["backup", "delete", name, "--server", &url]).assert().success();
    let listed = stdout(&machine.kvs(["backup", "list", "--server", &url]).assert().success());
    assert!(listed.contains("there is no backup in s3://kvs-test"), "{listed}");
    let gone = with_key(machine.kvs(["backup", "verify", &file]), &endpoint).assert().code(1);
    one_line(&gone, ["there is no", name]);
}

#[test]
fn a_server_that_sends_elsewhere_is_not_followed() {
    let (first, second) = (listen(), listen());
    let (asked, led) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let elsewhere = second.local_addr().unwrap();
    answer(first.try_clone().unwrap(), asked.clone(), move |path| {
        format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{elsewhere}{path}\r\n\
                 content-length: 0\r\nconnection: close\r\n\r\n"
        )
    });
    answer(second, led.clone(), |_| {
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_owned()
    });
    let machine = Machine::new();
    let endpoint = format!("http://{}", first.local_addr().unwrap());
    let file = "s3://kvs-test/x/kvs-0123456789ab-20231114T221320000Z.tar.zst";
    let refused = with_key(machine.kvs(["backup", "verify", file]), &endpoint).assert().code(1);
    one_line(&refused, ["s3://kvs-test/x"]);
    assert!(asked.load(Ordering::SeqCst) > 0);
    assert_eq!(led.load(Ordering::SeqCst), 0, "it followed");
}

#[test]
fn an_endpoint_without_tls_is_only_taken_on_this_machine() {
    let machine = Machine::new();
    let file = "s3://kvs-test/kvs-0123456789ab-20231114T221320000Z.tar.zst";
    let verify = machine.kvs(["backup", "verify", file]);
    let refused = with_key(verify, "http://192.0.2.1:9000").assert().code(1);
    one_line(&refused, ["AWS_ENDPOINT_URL", "https://host"]);
}

fn listen() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).unwrap()
}

/// Answers every request with what `of` makes of its path. Ends with the test's process.
fn answer(
    listener: TcpListener,
    count: Arc<AtomicUsize>,
    of: impl Fn(&str) -> String + Send + 'static,
) {
    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4096];
            let Ok(length) = connection.read(&mut request) else { continue };
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = text.split(' ').nth(1).unwrap_or("/").to_owned();
            // A client that hung up wants no answer.
            let _ = connection.write_all(of(&path).as_bytes());
        }
    });
}
