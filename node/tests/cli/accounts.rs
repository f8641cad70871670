//! Users, groups, tokens and modes by commands, on a node that asks who calls.

use assert_cmd::Command;
use serde_json::Value;

use crate::machine::{Machine, one_line, stdout, wait_until};

/// A machine with a node in the background, as `kvs start` with the defaults leaves it.
struct Site {
    machine: Machine,
    url: String,
    greeting: String,
}

impl Site {
    fn new() -> Self {
        let machine = Machine::new();
        machine.file("node1.yaml", "port: 0\ndigest_leaves: 65536\ndata_dir: data\n");
        let greeting = stdout(&machine.kvs(["start", "node1"]).assert().success());
        let url = machine.status("node1")["address"].as_str().unwrap().to_owned();
        Self { machine, url, greeting }
    }

    fn kvs<const N: usize>(&self, token: &str, arguments: [&str; N]) -> Command {
        let mut command = self.machine.kvs(arguments);
        command.env("KVS_SERVER", &self.url).env("KVS_TOKEN", token);
        command
    }

    fn says<const N: usize>(&self, token: &str, arguments: [&str; N]) -> String {
        stdout(&self.kvs(token, arguments).assert().success()).trim_end().to_owned()
    }

    fn root(&self) -> String {
        let kept = std::fs::read_to_string(self.machine.path("data/root-token")).unwrap();
        kept.trim().to_owned()
    }
}

#[test]
fn a_user_is_made_given_a_token_a_group_and_a_mode_and_loses_them() {
    let site = Site::new();
    let root = site.root();
    assert!(!site.greeting.contains(&root), "where it may be kept, only its place is told");
    assert!(!site.machine.log("node1").contains(&root), "and never in a log");
    let made = site.says(&root, ["user", "create", "ann", "--scope", "read", "--scope", "write"]);
    assert!(made.contains("ann") && made.contains("read write"), "{made}");
    let ann = site.says(&root, ["token", "create", "--user", "ann", "--ttl", "1h"]);
    assert_eq!(site.says(&ann, ["token", "whoami"]).lines().next(), Some("ann"));
    site.says(&ann, ["put", "home/room/socks", "1"]);
    site.says(&ann, ["chmod", "cdwr--------", "home/room/socks"]);
    site.says(&root, ["user", "create", "ben", "--scope", "read"]);
    let ben = site.says(&root, ["token", "create", "--user", "ben"]);
    one_line(&site.kvs(&ben, ["get", "home/room/socks"]).assert().code(1), ["never written"]);
    let why = site.says(&root, ["explain", "read", "home/room/socks", "--user", "ben"]);
    assert_eq!(why, "denied: mode cdwr-------- of home/room/socks does not let others read");
    site.says(&root, ["group", "create", "family"]);
    site.says(&root, ["group", "add", "family", "ben"]);
    assert_eq!(site.says(&root, ["group", "members", "family"]), "ben");
    site.says(&root, ["chown", "ann:family", "home/room/socks"]);
    site.says(&root, ["chmod", "cdwr---r----", "home/room/socks"]);
    assert_eq!(site.says(&ben, ["get", "home/room/socks"]), "1");
    one_line(&site.kvs(&ben, ["put", "home/room/socks", "2"]).assert().code(1), ["scope write"]);
    let tokens = site.says(&root, ["token", "list", "--user", "ben", "--json"]);
    let id = serde_json::from_str::<serde_json::Value>(&tokens).unwrap()["id"].clone();
    site.says(&root, ["token", "revoke", id.as_str().unwrap()]);
    one_line(&site.kvs(&ben, ["get", "home/room/socks"]).assert().code(1), ["was revoked"]);
    site.says(&root, ["user", "delete", "ann"]);
    one_line(&site.kvs(&ann, ["get", "home/room/socks"]).assert().code(1), ["deleted or disabled"]);
}

#[test]
fn without_a_token_a_command_is_told_what_is_wanted() {
    let site = Site::new();
    let refused = site.kvs("", ["get", "a"]).env_remove("KVS_TOKEN").assert().code(1);
    one_line(&refused, ["Authorization: Bearer"]);
    let refused = site.kvs("nonsense", ["get", "a"]).assert().code(1);
    one_line(&refused, ["malformed"]);
    assert_eq!(site.machine.status("node1")["mode"], "normal", "status asks by the socket");
}

#[test]
fn the_owner_of_the_data_needs_no_token() {
    let site = Site::new();
    let made = site.machine.kvs(["token", "create", "--root", "--local", "node1"]);
    let token = stdout(&{ made }.assert().success());
    assert!(site.says(token.trim(), ["token", "whoami"]).starts_with("root"));
    let socket = site.machine.path("data/admin.sock");
    let mode = std::os::unix::fs::PermissionsExt::mode(&socket.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let by_socket = format!("unix:{}", socket.display());
    let listed = site.machine.kvs(["user", "list", "--server", &by_socket]).assert().success();
    assert!(stdout(&listed).contains("root"));
    let status = site.machine.kvs(["cluster", "status", "--local", "node1"]).assert().success();
    assert!(stdout(&status).contains("is serving"));
    site.machine.kvs(["stop", "node1"]).assert().success();
    assert!(!socket.exists());
    let refused = site.machine.kvs(["user", "list", "--local", "node1"]).assert().code(1);
    one_line(&refused, ["admin.sock", "does the node run"]);
}

#[test]
fn the_log_tells_its_reader_who_did_what_and_nobody_else() {
    let site = Site::new();
    let root = site.root();
    for (name, scope) in [("ann", "read"), ("auditor", "admin:audit:read")] {
        site.says(&root, ["user", "create", name, "--scope", scope]);
    }
    let [ann, auditor] =
        ["ann", "auditor"].map(|user| site.says(&root, ["token", "create", "--user", user]));
    site.says(&root, ["put", "home/x", "1"]);
    site.says(&root, ["chmod", "cdwr--------", "home/x"]);
    one_line(&site.kvs(&ann, ["get", "home/x"]).assert().code(1), ["never written"]);
    let about = ["audit", "list", "--key", "home/x", "--json"];
    let listed = || {
        let lines = site.says(&auditor, about);
        let entries = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        entries.map(|entry| entry["event"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    wait_until("all is signed", || listed().len() == 3);
    assert_eq!(listed(), ["write", "metadata", "denial"]);
    one_line(&site.kvs(&ann, about).assert().code(1), ["admin:audit:read"]);
    one_line(&site.kvs("", about).assert().code(1), ["credentials"]);
    let owner = ["audit", "head", "--local", "node1"];
    let head = stdout(&site.machine.kvs(owner).assert().success());
    assert!(head.contains("root "), "{head}");
}

#[test]
fn a_restored_node_knows_the_users_and_believes_no_token_of_the_cluster_that_it_was() {
    let site = Site::new();
    let root = site.root();
    site.says(&root, ["user", "create", "ann", "--scope", "read"]);
    site.says(&root, ["put", "home/x", "1"]);
    let made = site.says(&root, ["backup", "create", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    site.machine.kvs(["stop", "node1"]).assert().success();
    let old = kvs_client::ClusterFile::load(&site.machine.path("data/cluster.kvs")).unwrap();

    let file = format!("data/backups/{}.tar.zst", made["name"].as_str().unwrap());
    let restore = ["backup", "restore", &file, "--data-dir", "data2"];
    site.machine.kvs(restore).assert().success();
    site.machine.file("node2.yaml", "port: 0\ndigest_leaves: 65536\ndata_dir: data2\n");
    let url = site.machine.start_configured("node2");
    let restored = Site { url, ..site };
    one_line(&restored.kvs(&root, ["get", "home/x"]).assert().code(1), ["key"]);
    let made = restored.machine.kvs(["token", "create", "--root", "--local", "node2"]);
    let new_root = stdout(&{ made }.assert().success()).trim().to_owned();
    assert_eq!(restored.says(&new_root, ["get", "home/x"]), "1");
    assert!(restored.says(&new_root, ["user", "list"]).contains("ann"));
    // Not even one that says to be for the new cluster, signed with the old one's key.
    let forged = forged(&new_root, &old);
    one_line(&restored.kvs(&forged, ["get", "home/x"]).assert().code(1), ["key"]);
}

/// The same token, signed with the first key of another cluster.
fn forged(token: &str, other: &kvs_client::ClusterFile) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let header = serde_json::json!({
        "alg": "EdDSA", "typ": "JWT", "kid": other.signing_key().id(),
    });
    let payload = token.split('.').nth(1).unwrap();
    let signed = format!("{}.{payload}", BASE64.encode(header.to_string()));
    let pair =
        aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(other.signing_key().seed());
    let signature = BASE64.encode(pair.unwrap().sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}
