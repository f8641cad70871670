//! Users, groups, tokens and modes by commands, on a node that asks who calls.

use assert_cmd::Command;

use crate::machine::{Machine, one_line, stdout};

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
    assert!(site.greeting.contains(&root), "it is shown once, to who starts it");
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
