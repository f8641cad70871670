use crate::{Settings, error::Reason, field, settings::FIELDS, value::Raw};

/// A setting, one under its range, its least value, its greatest, one over.
const EDGES: &[[&str; 5]] = &[
    ["port", "-1", "0", "65535", "65536"],
    ["flush_interval", "0ms", "1ms", "10s", "10001ms"],
    ["compression_level", "0", "1", "19", "20"],
    ["default_ttl", "999ms", "1s", "36500d", "3153600000001ms"],
    ["revisions", "0", "1", "255", "256"],
    ["revision_max_age", "59999ms", "1m", "36500d", "3153600000001ms"],
    ["tombstone_retention", "999ms", "1s", "36500d", "3153600000001ms"],
    ["max_clock_drift", "999ms", "1s", "1h", "3600001ms"],
    ["digest_leaves", "65535", "65536", "1048576", "1048577"],
    ["block_cache", "8388607B", "8MiB", "1TiB", "1099511627777B"],
    ["write_buffer", "4194303B", "4MiB", "64GiB", "68719476737B"],
    ["disk_reserve", "16777215B", "16MiB", "64GiB", "68719476737B"],
    ["queue_size", "1048575B", "1MiB", "4GiB", "4294967297B"],
    ["drain_delay", "-1ms", "0s", "5m", "300001ms"],
    ["drain_timeout", "99ms", "100ms", "10m", "600001ms"],
    ["audit_segment", "255", "256", "1048576", "1048577"],
    ["token_ttl", "59999ms", "1m", "30d", "2592000001ms"],
    ["token_max_ttl", "59999ms", "1m", "36500d", "3153600000001ms"],
    ["rate_limit", "0", "1", "1000000000", "1000000001"],
    ["rate_limit_window", "999ms", "1s", "1d", "86400001ms"],
    ["failed_login_limit", "0", "1", "1000000000", "1000000001"],
    ["peer_port", "-1", "0", "65535", "65536"],
    ["sync_interval", "999ms", "1s", "1h", "3600001ms"],
    ["catchup_interval", "99ms", "100ms", "1m", "60001ms"],
    ["gossip_interval", "99ms", "100ms", "1m", "60001ms"],
    ["bootstrap_max_age", "3599999ms", "1h", "36500d", "3153600000001ms"],
    ["bootstrap_rate", "65535B", "64KiB", "1TiB", "1099511627777B"],
    ["backup_retention", "3599999ms", "1h", "36500d", "3153600000001ms"],
    ["limits.value_size", "1023B", "1KiB", "64MiB", "67108865B"],
    ["limits.json_depth", "0", "1", "1024", "1025"],
    ["limits.batch_size", "1023B", "1KiB", "1GiB", "1073741825B"],
    ["limits.batch_items", "0", "1", "100000", "100001"],
    ["limits.answer_size", "65535B", "64KiB", "1GiB", "1073741825B"],
    ["limits.header_size", "8191B", "8KiB", "1MiB", "1048577B"],
    ["limits.streams_per_caller", "0", "1", "10000", "10001"],
    ["limits.streams_total", "0", "1", "100000", "100001"],
    ["limits.stream_backlog", "65535B", "64KiB", "256MiB", "268435457B"],
    ["limits.scan_keys", "99", "100", "10000000", "10000001"],
    ["limits.request_timeout", "99ms", "100ms", "1h", "3600001ms"],
];

fn set(path: &str, text: &str) -> Result<(), Reason> {
    let field = field::find(path).expect(path);
    (field.set)(&mut Settings::default(), &Raw::Text(text.to_owned()))
}

#[test]
fn every_range_takes_its_ends_and_nothing_beyond() {
    for [path, under, least, most, over] in EDGES {
        assert_eq!(set(path, least), Ok(()), "{path}: {least}");
        assert_eq!(set(path, most), Ok(()), "{path}: {most}");
        assert!(set(path, under).is_err(), "{path}: {under}");
        assert!(set(path, over).is_err(), "{path}: {over}");
    }
}

#[test]
fn every_setting_with_a_range_is_among_the_edges() {
    let words = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || "_, ".contains(c));
    for field in FIELDS {
        let ranged = (field.allowed)().is_some_and(|allowed| !words(&allowed));
        let tested = EDGES.iter().any(|[path, ..]| *path == field.path);
        assert_eq!(ranged, tested, "{}", field.path);
    }
}

#[test]
fn every_default_is_in_its_own_range() {
    for field in FIELDS {
        assert_eq!(
            (field.set)(&mut Settings::default(), &field.default()),
            Ok(()),
            "{}",
            field.path
        );
    }
}

#[test]
fn the_digest_has_one_of_two_shapes() {
    assert!(set("digest_leaves", "131072").is_err());
}
