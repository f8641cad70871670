use super::*;
use crate::bare::stub;

const VALUE: Bytes = Bytes::from_static(br#"{"v":"x"}"#);

fn item(key: &str) -> (String, Bytes) {
    (key.to_owned(), VALUE)
}

async fn session(stub: &stub::Stub) -> KvsSession {
    KvsSession::connect(stub.address).await.expect("the stub listens")
}

#[tokio::test]
async fn what_is_put_is_read_over_one_connection() {
    let stub = stub::start().await;
    let mut session = session(&stub).await;
    session.ready().await.expect("it is ready");
    for key in ["a/b", "a/c", "a/b"] {
        session.put(key, &VALUE).await.expect("it is written");
        session.get(key).await.expect("it is read");
    }
    let answer = session.read("a/c").await.expect("it is read");
    assert_eq!(answer.body().as_ref(), br#"{"data":{"v":"x"}}"#);
}

#[tokio::test]
async fn a_batch_is_written_whole() {
    let stub = stub::start().await;
    let mut session = session(&stub).await;
    session.put_all(&[item("a"), item("b/c")]).await.expect("it is written");
    session.get("b/c").await.expect("it is read");
}

#[tokio::test]
async fn a_missing_key_is_an_error() {
    let stub = stub::start().await;
    let error = session(&stub).await.get("never/written").await.expect_err("it is not there");
    assert!(error.to_string().starts_with("answered 404"), "{error}");
}

#[tokio::test]
async fn a_batch_of_which_one_item_fails_is_an_error() {
    let stub = stub::start().await;
    let items = [item("a"), item("refused"), item("c")];
    let error = session(&stub).await.put_all(&items).await.expect_err("one was refused");
    assert_eq!(error.to_string(), "2 of 3 items of a batch succeeded");
}

#[tokio::test]
async fn a_closed_connection_is_an_error_and_not_a_wait() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (session, accepted) = tokio::join!(KvsSession::connect(address), listener.accept());
    drop(accepted);
    assert!(session.expect("it was accepted").get("a").await.is_err());
}
