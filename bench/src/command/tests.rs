use super::{load::endpoint, *};
use crate::target::Protocol;

#[test]
fn a_server_is_named_by_its_scheme() {
    let of = |url| endpoint(url).map(|endpoint| endpoint.protocol).ok();
    assert_eq!(of("http://127.0.0.1:8080"), Some(Protocol::Kvs));
    assert_eq!(of("etcd+http://127.0.0.1:2379/"), Some(Protocol::EtcdGateway));
    assert_eq!(of("nats://[::1]:4222"), Some(Protocol::Nats));
}

#[test]
fn nobody_elses_server_is_loaded() {
    let error = endpoint("http://192.0.2.1:80").expect_err("it is elsewhere");
    assert!(error.to_string().starts_with("192.0.2.1:80 is not on this machine"), "{error}");
}

#[test]
fn a_name_that_is_not_understood_is_told_what_is_allowed() {
    for url in ["127.0.0.1:80", "ftp://127.0.0.1:80", "http://127.0.0.1", "http://"] {
        let error = endpoint(url).expect_err("it names no server");
        assert!(error.to_string().contains("etcd+http"), "{error}");
    }
}

#[test]
fn without_a_choice_all_scenarios_are_run() {
    assert_eq!(chosen(&[]).len(), 13);
    assert_eq!(chosen(&[Only(vec![Scenario::Get])]), [Scenario::Get]);
}
