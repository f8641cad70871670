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
    check(
        "peer_tls: on",
        "peer_tls: this is a group of settings: ca_file under peer_tls, cert_file under peer_tls, \
         key_file under peer_tls",
    );
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
fn an_issuer_says_who_it_is_for_whom_and_for_which_names_it_can_vouch() {
    let good = "issuer: https://a.example, audience: kvs, prefix: 'a:'";
    let file = format!("oidc: [{{{good}, groups_claim: groups, ca_file: ca.pem, user_claim: }}]");
    let settings = from_file(&file).unwrap().settings;
    assert_eq!(settings.oidc.len(), 1);
    assert_eq!(settings.oidc[0].groups_claim.as_deref(), Some("groups"));
    assert_eq!(settings.oidc[0].user_claim, None);
    let json = serde_json::to_string(&settings.oidc).unwrap();
    assert_eq!(layered("", &[("KVS__OIDC", &json)], &[]).unwrap().settings.oidc, settings.oidc);

    check(
        "oidc: [{issuer: https://a.example, audience: kvs}]",
        "oidc: entry 1 is not a token issuer: missing field `prefix`",
    );
    let said = refused("oidc: [{isuer: https://a.example}]", &[], &[]);
    assert!(said.contains("entry 1 is not a token issuer: unknown field `isuer`"), "{said}");
    check("oidc: https", "oidc: https is not a JSON list: expected value at line 1 column 1");
    check("oidc: [https]", "oidc: this takes a list of mappings, such as [{name: value}]");
    check("oidc: {a: b}", "oidc: this takes a list of mappings, such as [{name: value}]");
    check(
        &format!("oidc: [{{{good}}}, {{{good}}}]"),
        "oidc: https://a.example is refused: it is there twice",
    );
    let wanted = "it must be https://host or http://host on this machine, perhaps with a path";
    check(
        "oidc: [{issuer: 'http://a.example', audience: kvs, prefix: ''}]",
        &format!("oidc: http://a.example is refused: {wanted}"),
    );
    check(
        &format!("oidc: [{{{good}, jwks_uri: 'http://169.254.169.254/'}}]"),
        &format!("oidc: http://169.254.169.254/ is refused: {wanted}"),
    );
    check(
        "oidc: [{issuer: https://a.example, audience: '', prefix: ''}]",
        "oidc: https://a.example is refused: its audience is empty, so any token would do",
    );
    let prefixed = |prefix: &str| {
        format!("oidc: [{{issuer: https://a.example, audience: kvs, prefix: '{prefix}'}}]")
    };
    for prefix in ["", "a", "corp:", "A1+@", &"a".repeat(127)] {
        assert!(from_file(&prefixed(prefix)).is_ok(), "{prefix}");
    }
    for prefix in [":", "a b", "a/", "\u{e4}", &"a".repeat(128)] {
        let said = refused(&prefixed(prefix), &[], &[]);
        assert!(said.ends_with("no user or group has a name that begins so"), "{said}");
    }
    let of = |count: usize| {
        let row = |at: usize| format!("{{issuer: https://a{at}.example, audience: k, prefix: ''}}");
        format!("oidc: [{}]", (0..count).map(row).collect::<Vec<_>>().join(", "))
    };
    assert!(from_file(&of(64)).is_ok());
    check(&of(65), "oidc: 65 is out of range: 0 to 64 issuers is allowed");
}

#[test]
fn an_api_server_is_asked_over_tls_or_on_this_machine() {
    assert!(from_file("kubernetes: {audience: kvs, api_server: 'http://127.0.0.1:8001'}").is_ok());
    let said = refused("kubernetes: {api_server: 'http://10.96.0.1'}", &[], &[]);
    assert!(said.contains("kubernetes.api_server: http://10.96.0.1 is refused"), "{said}");
    let said = refused("kubernetes: {audience: ''}", &[], &[]);
    assert!(said.contains("kubernetes.audience: this has no value"), "{said}");
    let twice = "oidc: [{issuer: 'https://k', audience: kvs, prefix: ''}]\n\
                 kubernetes: {audience: kvs, issuer: 'https://k'}";
    let said = refused(twice, &[], &[]);
    assert!(said.contains("kubernetes.issuer: https://k is refused"), "{said}");
}

#[test]
fn a_proxy_is_an_address_or_a_network() {
    assert!(from_file("trusted_proxies: [10.0.0.0/8, 192.0.2.1, '::1', 'fd00::/8']").is_ok());
    check(
        "trusted_proxies: [10.0.0.0/8, proxy]",
        "trusted_proxies: proxy is not a network: write an address such as 10.0.0.1, or a network \
         such as 10.0.0.0/8",
    );
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
    let file = "tamper_logging_enabled: false\nseed_nodes: []\nsync_interval: 10s\nbackup_schedule:\n\
                tls:\n  cert_file:\nallow_anonymous_read: true\nallow_anonymous_write: true\n";
    let settings = from_file(file).unwrap().settings;
    assert!(settings.allow_anonymous_read && settings.allow_anonymous_write);
    let env = [("KVS__TAMPER_LOGGING_ENABLED", "false")];
    assert!(layered("tamper_logging_enabled: true", &env, &[]).is_ok());
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
KVS__REVISIONS: 0 is out of range: 1 to 255 is allowed";
    let text = "port: 70000\nprot: 1\n";
    assert_eq!(refused(text, &env, &[]), expected);
}
