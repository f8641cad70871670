use std::{collections::BTreeMap, path::PathBuf};

use super::from_file;
use crate::{
    Durability, Duration, LogLevel, Origin, Settings, Size, default_file, schema, settings::FIELDS,
    value::Raw,
};

/// The file with every setting in force that it only shows.
fn with_everything_set() -> String {
    let shown = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') || rest.starts_with("  ") => rest.to_owned(),
        _ => line.to_owned(),
    };
    default_file().lines().map(shown).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_default_file_loads_to_exactly_the_defaults() {
    let effective = from_file(&default_file()).unwrap();
    assert_eq!(effective.settings, Settings::default());
}

#[test]
fn the_default_file_sets_what_has_a_default() {
    let effective = from_file(&default_file()).unwrap();
    for field in FIELDS {
        let set = *effective.origin(field.path) != Origin::Default;
        assert_eq!(set, field.default() != Raw::Nothing, "{}", field.path);
    }
}

#[test]
fn every_setting_is_in_the_default_file_and_its_line_is_right_when_uncommented() {
    let effective = from_file(&with_everything_set()).unwrap();
    assert_eq!(effective.settings, Settings::default());
    for field in FIELDS {
        assert_ne!(*effective.origin(field.path), Origin::Default, "{}", field.path);
    }
}

#[test]
fn an_entry_says_what_is_meant_and_what_is_allowed() {
    let file = default_file();
    let entry = "
# zstd level. Higher: smaller files, slower writes.
# Allowed: 1 to 19.
compression_level: 3
";
    assert!(file.contains(entry), "{file}");
}

#[test]
fn the_names_and_defaults_that_users_rely_on_are_these() {
    let settings = Settings::default();
    let text: BTreeMap<_, _> =
        FIELDS.iter().map(|field| (field.path, (field.get)(&settings).to_yaml())).collect();
    let promised = [
        ("node_id", ""),
        ("bind_address", "127.0.0.1"),
        ("port", "8080"),
        ("data_dir", "./data"),
        ("seed_nodes", "[]"),
        ("cluster_file", ""),
        ("read_only", "false"),
        ("log_level", "info"),
        ("auth_enabled", "true"),
        ("tamper_logging_enabled", "true"),
        ("clustering_enabled", "true"),
        ("rate_limiting_enabled", "true"),
        ("rate_limit", "6000000"),
        ("rate_limit_window", "1m"),
        ("failed_login_limit", "600"),
        ("trusted_proxies", "[]"),
        ("revision_history_enabled", "true"),
        ("allow_anonymous_read", "false"),
        ("allow_anonymous_write", "false"),
        ("compression_enabled", "true"),
        ("compression_level", "3"),
        ("revisions", "3"),
        ("default_ttl", ""),
        ("sync_interval", "10s"),
        ("catchup_interval", "1s"),
        ("gossip_interval", "1s"),
        ("bootstrap_max_age", "30d"),
        ("backup_schedule", ""),
        ("backup_retention", "7d"),
        ("durability", "sync"),
        ("flush_interval", "100ms"),
        ("max_clock_drift", "1m"),
        ("limits.value_size", "1MiB"),
        ("limits.json_depth", "128"),
        ("limits.batch_size", "16MiB"),
        ("limits.batch_items", "1000"),
        ("limits.answer_size", "16MiB"),
        ("limits.header_size", "32KiB"),
        ("limits.streams_per_caller", "16"),
        ("limits.streams_total", "1000"),
        ("limits.stream_backlog", "1MiB"),
        ("limits.scan_keys", "10000"),
        ("limits.request_timeout", "30s"),
        ("tls.cert_file", ""),
    ];
    for (path, default) in promised {
        assert_eq!(text.get(path).map(String::as_str), Some(default), "{path}");
    }
}

#[test]
fn no_file_an_empty_file_and_a_file_of_comments_are_all_defaults() {
    for text in ["", "# nothing\n", "---\n", "limits:\n", "\u{feff}"] {
        assert_eq!(from_file(text).unwrap().settings, Settings::default(), "{text:?}");
    }
}

#[test]
fn the_typed_settings_round_trip_through_json() {
    let settings = Settings {
        data_dir: PathBuf::from("/var/lib/kvs"),
        durability: Durability::Async,
        log_level: LogLevel::Debug,
        default_ttl: Some(Duration::days(7)),
        block_cache: Size::gib(1),
        ..Settings::default()
    };
    let json = serde_json::to_value(&settings).unwrap();
    assert_eq!(json["default_ttl"], "7d");
    assert_eq!(serde_json::from_value::<Settings>(json).unwrap(), settings);
}

#[test]
fn the_schema_describes_every_setting_with_its_default_and_refuses_others() {
    let schema = schema();
    assert_eq!(schema["additionalProperties"], false);
    for field in FIELDS {
        let pointer = format!("/properties/{}", field.path.replace('.', "/properties/"));
        let of = schema.pointer(&pointer).unwrap_or_else(|| panic!("{} is missing", field.path));
        assert!(of["description"].as_str().is_some_and(|text| !text.starts_with(' ')), "{of}");
        assert!(of.get("default").is_some(), "{}", field.path);
    }
    let port = schema.pointer("/properties/port/description").unwrap();
    assert!(port.as_str().unwrap().ends_with("Allowed: 0 to 65535."), "{port}");
}
