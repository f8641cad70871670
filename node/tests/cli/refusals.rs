//! What must not start: each reason in one line, with its exit code.

use kvs_node::store::{Batch, Column, Flush, RocksOptions, RocksStore, Store as _, rows};

use crate::machine::{Machine, one_line, text};

#[test]
fn a_second_node_on_one_data_directory_is_told_the_first_ones_pid() {
    let machine = Machine::new();
    machine.start("node1");
    let data = machine.path("data-node1");
    let second = machine.kvs(["run", "node1", "--data-dir", text(&data)]).assert().code(1);
    one_line(&second, [text(&data), &format!("process {}", machine.pid("node1"))]);
}

#[test]
fn a_port_in_use_is_named() {
    let machine = Machine::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    machine.config("node1");
    let refused = machine.kvs(["run", "node1.yaml", "--port", &port]).assert().code(1);
    one_line(&refused, ["cannot listen", &format!("127.0.0.1:{port}")]);
    assert!(!machine.path("data-node1").exists(), "nothing was touched");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_right_one() {
    let machine = Machine::new();
    machine.file("node1.yaml", "port: 0\nlog_levle: info\n");
    let refused = machine.kvs(["node1.yaml"]).assert().code(64);
    one_line(&refused, ["node1.yaml:2", "log_levle", "log_level"]);
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let machine = Machine::new();
    std::fs::write(machine.path("binary.yaml"), [0xff, 0xfe, 0]).unwrap();
    one_line(&machine.kvs(["run", "binary.yaml"]).assert().code(64), ["binary.yaml", "UTF-8"]);
    machine.file("broken.yaml", "port: [\n");
    one_line(&machine.kvs(["run", "broken.yaml"]).assert().code(64), ["broken.yaml"]);
    one_line(&machine.kvs(["run", "absent.yaml"]).assert().code(64), ["absent.yaml"]);
}

#[test]
fn a_wrong_variable_or_option_is_named() {
    let machine = Machine::new();
    machine.config("node1");
    let refused = machine.kvs(["run", "node1", "--log-level", "loud"]).assert().code(64);
    one_line(&refused, ["--log-level", "loud"]);
    let refused = machine.kvs(["run", "node1"]).env("KVS__PORT", "x").assert().code(64);
    one_line(&refused, ["KVS__PORT"]);
}

#[test]
fn a_store_of_a_newer_format_is_refused_with_both_numbers() {
    let machine = Machine::new();
    machine.config("node1");
    let data = machine.path("data-node1");
    std::fs::create_dir(&data).unwrap();
    let options = RocksOptions { block_cache: 8 << 20, write_buffer: 4 << 20, disk_reserve: 0 };
    let store = RocksStore::open(&data, &options).unwrap();
    let mut batch = Batch::default();
    batch.put(Column::Local, rows::local::FORMAT, &9u64.to_be_bytes());
    store.write(&batch, Flush::Synced).unwrap();
    drop(store);
    let refused = machine.kvs(["run", "node1"]).assert().code(1);
    one_line(&refused, ["format 9", "up to 2", text(&data)]);
}

#[test]
fn wrong_usage_has_an_exit_code_of_its_own() {
    let machine = Machine::new();
    for arguments in [["get", "--nosuch"], ["nosuch", "x"], ["bench", "--reads=101"]] {
        machine.kvs(arguments).assert().code(2);
    }
    machine.kvs(["--help"]).assert().success();
    machine.kvs(["--version"]).assert().success();
}

#[test]
fn a_home_that_is_not_set_is_named() {
    let machine = Machine::new();
    one_line(&machine.kvs(["status"]).env_remove("HOME").assert().code(1), ["HOME"]);
}
