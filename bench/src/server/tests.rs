use super::*;

fn programs(kvs: &str) -> Programs {
    Programs { kvs: kvs.into(), peers: "/nowhere".into(), bench: "/nowhere/kvs-bench".into() }
}

async fn start(kvs: &str) -> Result<Server, ServerError> {
    let place = tempfile::tempdir().expect("a folder is to be had");
    Server::start(Product::Kvs, &programs(kvs), place.path(), None).await
}

#[tokio::test]
async fn a_missing_program_is_named_with_advice() {
    let error = start("/nowhere/kvs").await.expect_err("it is not there");
    let expected = "there is no /nowhere/kvs: build it with `make build` or name it with --kvs";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_server_that_ends_at_once_is_not_waited_for() {
    let error = start("/bin/ls").await.expect_err("it is no server");
    assert!(error.to_string().starts_with("KVS ended at once: "), "{error}");
}

#[tokio::test]
async fn what_cannot_be_started_is_left_out_by_name() {
    let place = tempfile::tempdir().expect("a folder is to be had");
    let protocols = [Protocol::EtcdGrpc, Protocol::EtcdGateway, Protocol::Nats];
    let fleet = Fleet::start(&protocols, &programs("/nowhere/kvs"), place.path()).await;
    let names: Vec<&str> = fleet.left_out().iter().map(|left_out| left_out.name.as_str()).collect();
    assert_eq!(names, ["etcd", "NATS"]);
    assert_eq!(fleet.endpoints(&protocols), []);
}
