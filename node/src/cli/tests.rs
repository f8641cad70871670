//! What can be known of the command line without running it.

use std::ffi::OsString;

use clap::CommandFactory as _;

use super::*;

fn with(arguments: &[&str]) -> Vec<OsString> {
    with_run(arguments.iter().map(OsString::from).collect())
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn run_may_be_left_out_before_a_configuration_or_nothing() {
    assert_eq!(with(&["kvs"]), ["kvs", "run", "config.yaml"]);
    assert_eq!(with(&["kvs", "node1.yaml"]), ["kvs", "run", "node1.yaml"]);
    assert_eq!(with(&["kvs", "a/b.yml", "--port", "0"]), ["kvs", "run", "a/b.yml", "--port", "0"]);
    assert_eq!(with(&["kvs", "status"]), ["kvs", "status"]);
    assert_eq!(with(&["kvs", "--help"]), ["kvs", "--help"]);
}

#[test]
fn every_command_is_explained_with_an_example() {
    for command in Cli::command().get_subcommands_mut() {
        let help = command.render_long_help().to_string();
        assert!(help.contains("kvs "), "{}: {help}", command.get_name());
        assert!(help.contains("Example"), "{}: {help}", command.get_name());
    }
}

#[test]
fn every_setting_is_an_option_of_run() {
    let arguments = ["kvs", "run", "--port", "7", "--limits.value-size", "2MiB"];
    let cli = Cli::try_parse_from(arguments).unwrap();
    let Command::Run(run) = cli.command else { panic!("{cli:?}") };
    let flags = format!("{run:?}");
    assert!(flags.contains(r#"("port", "7")"#), "{flags}");
    assert!(flags.contains(r#"("limits.value_size", "2MiB")"#), "{flags}");
}
