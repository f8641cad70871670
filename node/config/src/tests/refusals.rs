use super::{from_file, layered, refused};

/// One line of a file and what is said about it.
fn check(line: &str, message: &str) {
    assert_eq!(refused(line, &[], &[]), format!("config.yaml:1: {message}"), "{line}");
}

#[test]
fn an_unknown_name_is_told_the_nearest() {
    check("prot: 8080", "prot: there is no such setting; did you mean port?");
    check("log_lvel: info", "log_lvel: there is no such setting; did you mean log_level?");
    check(
        "value_size: 2MiB",
        "value_size: there is no such setting; did you mean value_size under limits?",
    );
    check("Port: 1", "Port: there is no such setting; did you mean port?");
    check(
        "something_else_entirely: 1",
        "something_else_entirely: there is no such setting; `kvs config schema` lists them all",
    );
    let message =
        "limits.valeu_size: there is no such setting; did you mean value_size under limits?";
    assert_eq!(
        refused("limits:\n  valeu_size: 1MiB", &[], &[]),
        format!("config.yaml:2: {message}")
    );
}

#[test]
fn a_dotted_name_in_a_file_is_told_to_nest() {
    check(
        "limits.value_size: 2MiB",
        "limits.value_size: there is no such setting; did you mean value_size under limits?",
    );
}

#[test]
fn unknown_variables_and_flags_are_told_the_nearest_of_their_kind() {
    let env = [("KVS__PROT", "1"), ("KVS__LIMIT__VALUE_SIZE", "1MiB"), ("KVS__port", "1")];
    let flags = [("log-lvel", "info")];
    let expected = "\
KVS__PROT: there is no such setting; did you mean KVS__PORT?
KVS__LIMIT__VALUE_SIZE: there is no such setting; did you mean KVS__LIMITS__VALUE_SIZE?
KVS__port: there is no such setting; did you mean KVS__PORT?
--log-lvel: there is no such setting; did you mean --log-level?";
    assert_eq!(refused("", &env, &flags), expected);
}

#[test]
fn names_of_the_first_kvs_are_told_the_new_name_and_form() {
    let now = [
        ("gossip_interval_min: 60", "gossip_interval: 1s"),
        ("gossip_interval_max: 120", "gossip_interval: 1s"),
        ("bootstrap_max_age_hours: 720", "bootstrap_max_age: 720h"),
        ("token_ttl_hours: 24", "token_ttl: 1h"),
        ("storage_compression_enabled: true", "compression_enabled: true"),
        ("default_compression_level: 3", "compression_level: 3"),
        ("max_json_size: 1048576", "value_size: 1MiB under limits"),
        ("anonymous_read_enabled: true", "allow_anonymous_read: true"),
        ("cluster_secret: abc", "cluster_file: cluster.kvs"),
    ];
    for (line, write) in now {
        let name = line.split(':').next().unwrap();
        check(line, &format!("{name}: this was renamed: write {write}"));
    }
    check(
        "backup_enabled: true",
        "backup_enabled: this no longer exists: backups are made if there is a backup_schedule",
    );
    let env = [("KVS__GOSSIP_INTERVAL_MIN", "60")];
    let message = "KVS__GOSSIP_INTERVAL_MIN: this was renamed: write KVS__GOSSIP_INTERVAL=1s";
    assert_eq!(refused("", &env, &[]), message);
}

#[test]
fn bare_numbers_are_told_the_unit_they_had() {
    let form = "has no unit: write a whole number and ms, s, m, h or d, such as";
    check("sync_interval: 300", &format!("sync_interval: 300 {form} 300s"));
    check("backup_retention: 7", &format!("backup_retention: 7 {form} 7d"));
    check("default_ttl: \"0\"", &format!("default_ttl: 0 {form} 0s"));
}

#[test]
fn values_are_told_what_is_allowed() {
    check("port: 70000", "port: 70000 is out of range: 0 to 65535 is allowed");
    check(
        "port: 99999999999999999999",
        "port: 99999999999999999999 is out of range: 0 to 65535 is allowed",
    );
    check("port: -1", "port: -1 is not a whole number: 0 to 65535");
    check("port: 8080.0", "port: 8080.0 is not a whole number: 0 to 65535");
    check("read_only: yes", "read_only: yes is not one of true, false");
    check("durability: none", "durability: none is not one of sync, async");
    check("log_level: verbose", "log_level: verbose is not one of error, warn, info, debug, trace");
    check(
        "bind_address: localhost",
        "bind_address: localhost is not a numeric IP address: such as 127.0.0.1, 0.0.0.0 or ::",
    );
    check(
        "digest_leaves: 131072",
        "digest_leaves: 131072 is out of range: 65536 or 1048576 is allowed",
    );
    check(
        "default_ttl: 0s",
        "default_ttl: 0s is out of range: 1s to 36500d is allowed, or leave it out for none",
    );
    check(
        "block_cache: 64MB",
        "block_cache: 64MB is not a size: write a whole number and B, KiB, MiB, GiB or TiB, such as 64MiB",
    );
    check("port:", "port: this has no value: give one, or leave it out for the default");
    check("port: [1, 2]", "port: this takes one value, not a list or a group");
    check("port: {a: 1}", "port: this takes one value, not a list or a group");
    check(
        "cors_allowed_origins: {a: b}",
        "cors_allowed_origins: this takes a list, such as [a, b]",
    );
    check("tls: on", "tls: this is a group of settings: cert_file under tls, key_file under tls");
}

#[test]
fn rules_between_settings_name_both() {
    check(
        "queue_size: 1MiB",
        "queue_size: 1MiB is refused: it must hold a batch, and limits.batch_size is 16MiB",
    );
    let refusal =
        "limits.batch_size: 512KiB is refused: it must hold a value, and limits.value_size is 1MiB";
    check("limits: {batch_size: 512KiB}", refusal);
    let refusal =
        "limits.streams_per_caller: 16 is refused: limits.streams_total allows only 8 in all";
    let file = "limits: {streams_total: 8}";
    assert_eq!(refused(file, &[], &[]), format!("default: {refusal}"));
    let form = "is not a web origin: scheme://host or scheme://host:port without a path, or *";
    for origin in ["app.example.org", "https://a.b/", "https://", "https://A.b"] {
        let line = format!("cors_allowed_origins: ['{origin}']");
        check(&line, &format!("cors_allowed_origins: {origin} {form}"));
    }
}

#[test]
fn a_node_name_has_1_to_253_bytes_without_control_characters() {
    assert!(from_file(&format!("node_id: {}", "n".repeat(253))).is_ok());
    assert!(from_file(&format!("node_id: {}", "n".repeat(254))).is_err());
    check(
        "node_id: ''",
        r#"node_id: "" is not a name: of 1 to 253 bytes without control characters"#,
    );
    check(
        r#"node_id: "a\nb""#,
        r"node_id: a\nb is not a name: of 1 to 253 bytes without control characters",
    );
}

#[test]
fn features_that_are_missing_are_refused_and_never_ignored() {
    let or_false = "leave it out or set it to false";
    let cases = [
        ("auth_enabled", "true", "authentication", or_false),
        ("tamper_logging_enabled", "true", "a tamper-evident log", or_false),
        ("rate_limiting_enabled", "true", "rate limits", or_false),
        ("trusted_proxies", "[10.0.0.0/8]", "rate limits", "leave it out"),
        ("rate_limit", "100", "rate limits", "leave it out"),
        ("rate_limit_window", "1s", "rate limits", "leave it out or set it to 1m"),
        ("token_ttl", "2h", "authentication", "leave it out or set it to 1h"),
        ("token_max_ttl", "1d", "authentication", "leave it out or set it to 30d"),
    ];
    for (name, value, feature, remedy) in cases {
        let why = format!("this build does not have {feature} yet; {remedy}");
        check(&format!("{name}: {value}"), &format!("{name}: {value} is refused: {why}"));
    }
    let env = [("KVS__AUTH_ENABLED", "true")];
    let message = "KVS__AUTH_ENABLED: true is refused: this build does not have authentication \
                   yet; leave it out or set it to false";
    assert_eq!(refused("", &env, &[]), message);
}

#[test]
fn backups_are_told_what_a_schedule_a_target_and_an_endpoint_may_be() {
    check(
        "backup_schedule: daily",
        "backup_schedule: daily is not a schedule: five fields are wanted, as in `0 3 * * *`: \
         minute, hour, day of the month, month, day of the week",
    );
    check(
        "backup_schedule: \"60 3 * * *\"",
        "backup_schedule: 60 3 * * * is not a schedule: 60 is no minute: 0 to 59 is allowed",
    );
    check(
        "backup_target: s3:/bucket",
        "backup_target: s3:/bucket is not a place for backups: write s3://bucket/prefix, or a \
         folder",
    );
    let wanted = "it must be https://host, or http://host on this machine, without a path";
    let message =
        format!("backup_s3.endpoint: http://10.0.0.1:9000 is not a place for backups: {wanted}");
    let said = refused("backup_s3:\n  endpoint: http://10.0.0.1:9000\n", &[], &[]);
    assert_eq!(said, format!("config.yaml:2: {message}"));
    let said = refused("backup_s3:\n  access_key_id: kvs\n", &[], &[]);
    assert!(said.contains("go together"), "{said}");
}

#[test]
fn what_asks_for_nothing_that_is_missing_is_taken() {
    let file = "auth_enabled: false\nseed_nodes: []\nsync_interval: 10s\nbackup_schedule:\n\
                tls:\n  cert_file:\nallow_anonymous_read: true\nallow_anonymous_write: true\n";
    let settings = from_file(file).unwrap().settings;
    assert!(settings.allow_anonymous_read && settings.allow_anonymous_write);
    assert!(layered("auth_enabled: true", &[("KVS__AUTH_ENABLED", "false")], &[]).is_ok());
}

#[test]
fn a_name_given_twice_is_refused_with_both_lines() {
    let message = "config.yaml:3: port: this is set twice: the first time on line 1";
    assert_eq!(refused("port: 1\nrevisions: 2\nport: 1\n", &[], &[]), message);
    let message = "config.yaml:3: limits.json_depth: this is set twice: the first time on line 2";
    assert_eq!(refused("limits:\n  json_depth: 1\n  json_depth: 1\n", &[], &[]), message);
}

#[test]
fn a_file_that_is_not_a_mapping_or_not_yaml_is_refused_with_its_line() {
    check("just text", "a mapping is wanted, one `name: value` a line");
    check("[1, 2]", "a mapping is wanted, one `name: value` a line");
    for text in ["port: 1\nnode_id: [a\n", "port: 1\n\tport: 2\n", "port: 1\n---\nport: 2\n"] {
        let message = refused(text, &[], &[]);
        assert!(message.starts_with("config.yaml:"), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let env = [("KVS__REVISIONS", "0")];
    let expected = "\
config.yaml:2: prot: there is no such setting; did you mean port?
config.yaml:1: port: 70000 is out of range: 0 to 65535 is allowed
KVS__REVISIONS: 0 is out of range: 1 to 255 is allowed
config.yaml:3: auth_enabled: true is refused: this build does not have authentication yet; leave it out or set it to false";
    assert_eq!(refused("port: 70000\nprot: 1\nauth_enabled: true\n", &env, &[]), expected);
}
