//! A node that speaks TLS: commands that show it a certificate, and what it takes over while it runs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustix::process::Signal;

use crate::machine::{Machine, one_line, signal, stdout, wait_until};

const CONFIG: &str = "port: 0\ndigest_leaves: 65536\ndata_dir: data\n\
    tls:\n  cert_file: node.pem\n  key_file: node.key\n  client_ca_file: ca.pem\n";

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

/// Writes what the node shows, and an authority with a certificate of ann's.
fn certify(machine: &Machine) {
    let node = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    machine.file("node.pem", &pem("CERTIFICATE", params.self_signed(&node).unwrap().der()));
    machine.file("node.key", &pem("PRIVATE KEY", &node.serialize_der()));

    let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    machine.file("ca.pem", &pem("CERTIFICATE", params.self_signed(&key).unwrap().der()));
    let authority = Issuer::new(params, key);
    let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
    params.distinguished_name.push(DnType::CommonName, "ann");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let ann = params.signed_by(&key, &authority).unwrap();
    let ann = pem("CERTIFICATE", ann.der()) + &pem("PRIVATE KEY", &key.serialize_der());
    machine.file("ann.pem", &ann);
}

#[test]
fn a_command_shows_a_certificate_and_new_limits_hold_after_a_signal() {
    let machine = Machine::new();
    certify(&machine);
    machine.file("node1.yaml", CONFIG);
    machine.kvs(["start", "node1"]).assert().success();
    let url = machine.status("node1")["address"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://"), "{url}");
    let create = ["user", "create", "ann", "--scope", "*", "--local", "node1.yaml"];
    machine.kvs(create).assert().success();
    let kvs = |arguments: [&str; 2]| {
        let mut command = machine.kvs(arguments);
        command.env("KVS_SERVER", &url).env("KVS_CA", "node.pem").env("KVS_CERT", "ann.pem");
        command
    };
    let whoami = stdout(&kvs(["token", "whoami"]).assert().success());
    assert_eq!(whoami.lines().next(), Some("ann"));
    let without = machine.kvs(["get", "x", "--server", &url, "--ca", "node.pem"]).assert().code(1);
    one_line(&without, ["credentials"]);
    let absent = kvs(["ls", "--cert=none.pem"]).assert().code(1);
    one_line(&absent, ["none.pem"]);

    machine.file("node1.yaml", &format!("{CONFIG}rate_limit: 1\nrate_limit_window: 24h\n"));
    signal(machine.pid("node1"), Signal::HUP);
    wait_until("the new limit holds", || {
        let asked = kvs(["get", "x"]).output().unwrap();
        String::from_utf8(asked.stderr).unwrap().contains("reads more than 1 times in 86400s")
    });
    assert!(machine.log("node1").contains("certificates for clients were read again"));
}
