use std::net::IpAddr;

use super::{from_file, layered, with_live};
use crate::{Changes, Duration, Files, LogLevel, Origin, Settings, Size, diff, load, reloadable};

fn file_line(line: u64) -> Origin {
    Origin::File { name: "config.yaml".to_owned(), line }
}

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file() {
    let file = "port: 1\nlog_level: warn\nrevisions: 7\n";
    let env = [("KVS__PORT", "2"), ("KVS__LOG_LEVEL", "debug")];
    let effective = layered(file, &env, &[("port", "3")]).unwrap();
    assert_eq!(effective.settings.port, 3);
    assert_eq!(effective.settings.log_level, LogLevel::Debug);
    assert_eq!(effective.settings.revisions, 7);
    assert_eq!(*effective.origin("port"), Origin::Flag("--port".to_owned()));
    assert_eq!(*effective.origin("log_level"), Origin::Environment("KVS__LOG_LEVEL".to_owned()));
    assert_eq!(*effective.origin("revisions"), file_line(3));
    assert_eq!(*effective.origin("data_dir"), Origin::Default);
}

#[test]
fn groups_are_reached_from_every_layer() {
    let file = "limits:\n  # a comment\n  value_size: 2MiB\n";
    let env = [("KVS__LIMITS__JSON_DEPTH", "64")];
    let flags = [("limits.scan-keys", "500"), ("--limits.batch_items", "5")];
    let effective = layered(file, &env, &flags).unwrap();
    let limits = &effective.settings.limits;
    assert_eq!(limits.value_size, Size::mib(2));
    assert_eq!((limits.json_depth, limits.scan_keys, limits.batch_items), (64, 500, 5));
    assert_eq!(*effective.origin("limits.value_size"), file_line(3));
    let flag = Origin::Flag("--limits.scan-keys".to_owned());
    assert_eq!(*effective.origin("limits.scan_keys"), flag);
}

#[test]
fn variables_with_one_underscore_are_somebody_elses() {
    let env = [("KVS_PORT", "tcp://10.0.0.1:80"), ("KVS_SERVER", "x"), ("PATH", "/bin")];
    assert_eq!(layered("", &env, &[]).unwrap().settings, Settings::default());
}

#[test]
fn an_empty_variable_takes_back_what_the_file_set() {
    let effective = layered("default_ttl: 7d\n", &[("KVS__DEFAULT_TTL", "")], &[]).unwrap();
    assert_eq!(effective.settings.default_ttl, None);
}

#[test]
fn no_file_is_fine() {
    let effective = load(Files::default(), std::iter::empty(), std::iter::empty()).unwrap();
    assert_eq!(effective.settings, Settings::default());
}

#[test]
fn lists_are_yaml_lists_in_files_and_have_commas_elsewhere() {
    let expected = ["https://a.example", "http://b.example:81"];
    let file = "cors_allowed_origins:\n  - https://a.example\n  - \"http://b.example:81\"\n";
    let inline = "cors_allowed_origins: [https://a.example, 'http://b.example:81']";
    let env = [("KVS__CORS_ALLOWED_ORIGINS", "https://a.example, http://b.example:81")];
    for effective in [from_file(file), from_file(inline), layered("", &env, &[])] {
        assert_eq!(effective.unwrap().settings.cors_allowed_origins, expected);
    }
}

#[test]
fn names_that_look_like_numbers_or_booleans_stay_what_was_written() {
    for name in ["007", "1.10", "0x1F", "yes", "true", "1e3", "12:30", "-5", "'null'", ".5"] {
        let effective = from_file(&format!("# a\nnode_id:   {name}   # b\n")).unwrap();
        let expected = name.trim_matches('\'');
        assert_eq!(effective.settings.node_id.as_deref(), Some(expected));
    }
}

#[test]
fn values_may_be_quoted_and_characters_before_them_may_be_wide() {
    let effective =
        from_file("# äöü🔑\nport: '9000'\nnode_id: 12345\nbind_address: '::'\n").unwrap();
    assert_eq!(effective.settings.port, 9000);
    assert_eq!(effective.settings.node_id.as_deref(), Some("12345"));
    assert_eq!(effective.settings.bind_address, "::".parse::<IpAddr>().unwrap());
}

#[test]
fn a_file_with_windows_line_ends_and_a_byte_order_mark_is_read() {
    let effective = from_file("\u{feff}port: 9000\r\nnode_id: 1.10\r\n").unwrap();
    assert_eq!(effective.settings.port, 9000);
    assert_eq!(effective.settings.node_id.as_deref(), Some("1.10"));
    assert_eq!(*effective.origin("node_id"), file_line(2));
}

#[test]
fn a_difference_says_what_is_taken_over_and_what_needs_a_restart() {
    let old = Settings::default();
    let new = Settings {
        log_level: LogLevel::Trace,
        port: 9000,
        rate_limit_window: Duration::seconds(1),
        ..Settings::default()
    };
    let changes =
        Changes { reloaded: vec!["log_level", "rate_limit_window"], need_restart: vec!["port"] };
    assert_eq!(diff(&old, &new), changes);
    assert_eq!(diff(&old, &old), Changes::default());
    assert!(reloadable("tls.key_file") && !reloadable("data_dir"));
}

#[test]
fn the_live_file_counts_more_than_the_other_and_less_than_a_variable() {
    let main = "log_level: warn\nrate_limit: 5\nrevisions: 7\n";
    let live = "log_level: debug\nrate_limit: 6\nfenced: [db-2]\n";
    let effective = with_live(main, live, &[("KVS__RATE_LIMIT", "7")]).unwrap();
    let settings = &effective.settings;
    assert_eq!((settings.log_level, settings.rate_limit), (LogLevel::Debug, 7));
    assert_eq!((settings.revisions, &settings.fenced[..]), (7, &["db-2".to_owned()][..]));
    let line = Origin::File { name: "live.yaml".to_owned(), line: 1 };
    assert_eq!(*effective.origin("log_level"), line);
    assert!(with_live(main, "", &[]).unwrap().settings.fenced.is_empty());
}

#[test]
fn what_needs_a_restart_is_refused_in_the_live_file_by_name() {
    for line in ["port: 1", "tls:\n  cert_file: a.pem", "revisions: 7"] {
        let said =
            with_live("", &format!("log_level: debug\n{line}\n"), &[]).unwrap_err().to_string();
        assert!(said.starts_with("live.yaml:") && said.contains("needs a restart"), "{said}");
        assert!(said.contains("log_level, rate_limit,") && said.contains("fenced"), "{said}");
    }
    let said = with_live("", "log_levle: debug\n", &[]).unwrap_err().to_string();
    assert!(said.contains("did you mean log_level?"), "{said}");
}
