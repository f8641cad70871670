use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::served::{DEADLINE, eventually, serve};

#[tokio::test]
async fn a_request_in_flight_is_answered_and_nothing_is_accepted_any_more() {
    let served = serve().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = "PUT /kv/a HTTP/1.1\r\nhost: k\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The node asks for the body once it has begun with the request.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100"), "{}", asked.escape_ascii());

    served.shutdown.cancel();
    eventually("connections are refused", async || {
        TcpStream::connect(served.address).await.is_err()
    })
    .await;
    stream.write_all(b"[1]").await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap();
    read.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let served = serve().await;
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: k\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    idle.read_exact(&mut byte).await.unwrap();
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    served.stop().await;
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    // One that was not accepted yet is reset.
    let _ended = silent.read_to_end(&mut rest).await;
}
