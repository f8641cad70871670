//! Laws of the registry that need no second process.

use std::path::Path;

use super::*;

fn name(text: &str) -> InstanceName {
    InstanceName::of(Path::new(text)).unwrap()
}

#[test]
fn a_name_is_the_file_name_without_its_ending() {
    for path in ["node1", "node1.yaml", "/etc/kvs/node1.yml", "../node1.yaml"] {
        assert_eq!(name(path).as_str(), "node1", "{path}");
    }
    assert_eq!(name("a.b.yaml").as_str(), "a.b");
}

#[test]
fn a_path_without_a_file_name_names_nothing() {
    for path in ["", "/", "..", ".yaml", "a\nb.yaml"] {
        assert!(InstanceName::of(Path::new(path)).is_err(), "{path:?}");
    }
}

#[test]
fn files_are_where_people_look_for_them() {
    let registry = Registry::below(Path::new("/home/me"));
    let name = name("node1.yaml");
    assert_eq!(registry.pid_file(&name), Path::new("/home/me/.kvs/pids/node1.pid"));
    assert_eq!(registry.log_file(&name), Path::new("/home/me/.kvs/logs/kvs_node1.yaml.log"));
}

#[test]
fn what_was_left_by_a_dead_process_is_dead_until_it_is_forgotten() {
    let home = tempfile::tempdir().unwrap();
    let (registry, name) = (Registry::below(home.path()), name("node1"));
    assert_eq!(registry.state(&name).unwrap(), State::Absent);
    std::fs::create_dir_all(registry.pid_file(&name).parent().unwrap()).unwrap();
    // A live process has this pid, but it does not hold the file.
    std::fs::write(registry.pid_file(&name), format!("{}\n", std::process::id())).unwrap();
    assert_eq!(registry.state(&name).unwrap(), State::Dead { record: None });
    assert_eq!(registry.names().unwrap(), std::slice::from_ref(&name));
    registry.forget(&name).unwrap();
    assert_eq!(registry.state(&name).unwrap(), State::Absent);
}

#[test]
fn a_released_hold_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (registry, name) = (Registry::below(home.path()), name("node1"));
    let hold = Hold::take(&registry, &name).unwrap();
    let record = Record {
        config: "/a/node1.yaml".into(),
        data_dir: "/a/data".into(),
        url: "http://127.0.0.1:1".into(),
        started: 7,
        drain_timeout: 10_000,
    };
    hold.announce(&record).unwrap();
    hold.release().unwrap();
    assert!(registry.names().unwrap().is_empty());
    assert!(!registry.record_file(&name).exists());
}
