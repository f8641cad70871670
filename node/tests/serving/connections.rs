use std::io;
use std::time::Duration;

use kvs_node::server::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::served::{DEADLINE, Served, eventually, serve, serve_with, settings};

/// Sends bytes and reads until the node closes the connection.
async fn exchange(served: &Served, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_to_end(&mut stream).await
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
    match read {
        Ok(_) => {}
        // What was not read of a refused request resets the connection behind the answer.
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}"),
    }
    String::from_utf8(answer).unwrap()
}

/// A request whose headers have `size` bytes.
fn with_headers_of(size: usize) -> Vec<u8> {
    let fixed = "host: kvs\r\nconnection: close\r\nx-a: \r\n";
    // One header alone would not need to be so long.
    let padding = "x".repeat(size - fixed.len());
    let headers = fixed.replace("x-a: ", &format!("x-a: {padding}"));
    assert_eq!(headers.len(), size);
    format!("GET /livez HTTP/1.1\r\n{headers}\r\n").into_bytes()
}

#[tokio::test]
async fn headers_may_be_as_large_as_allowed_and_not_one_byte_larger() {
    let served = serve().await;
    let limit = 32 << 10;
    let answer = exchange(&served, &with_headers_of(limit)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = exchange(&served, &with_headers_of(limit + 1)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(answer.contains("headers-too-large") && answer.contains("32768 bytes"), "{answer}");
    let answer = exchange(&served, &with_headers_of(4 * limit)).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let served = serve().await;
    let answer = exchange(&served, b"\x16\x03\x01 hello\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_request_is_not_waited_for() {
    let served = serve_with(|settings| {
        settings.limits.request_timeout = kvs_config::Duration::millis(100);
    })
    .await;
    for begun in ["", "P", "GET /livez HTTP/1.1\r\nhost: k"] {
        let answer = exchange(&served, begun.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{begun:?}: {answer}");
    }
    let answer =
        exchange(&served, b"PUT /kv/a HTTP/1.1\r\nhost: k\r\ncontent-length: 5\r\n\r\n12").await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too-slow"), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn a_refusal_that_comes_before_the_body_spares_the_connection() {
    let served = serve().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = b"PUT /kv/a/_ls HTTP/1.1\r\nhost: k\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(head).await.unwrap();
    eventually("the request is refused", async || {
        let refused = r#"kvs_requests_total{operation="none",status="4xx"} 1"#;
        served.get("/metrics").await.text.contains(refused)
    })
    .await;
    let rest = b"12345GET /livez HTTP/1.1\r\nhost: k\r\nconnection: close\r\n\r\n";
    stream.write_all(rest).await.unwrap();
    let answers = read_to_end(&mut stream).await;
    assert!(answers.starts_with("HTTP/1.1 405") && answers.contains("HTTP/1.1 200"), "{answers}");
    served.stop().await;
}

#[tokio::test]
async fn a_client_is_told_that_what_it_sends_behind_a_refusal_is_not_waited_for() {
    let served = serve().await;
    let put = "PUT /kv/a/_ls HTTP/1.1\r\nhost: k\r\n";
    let patient = "expect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    for rest in [patient, "content-length: 65537\r\n\r\n"] {
        let answer = exchange(&served, format!("{put}{rest}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    let body = "1".repeat(65_536);
    let short = format!("{put}connection: close\r\ncontent-length: 65536\r\n\r\n{body}");
    let answer = exchange(&served, short.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn a_write_is_carried_out_although_its_client_hangs_up() {
    let served = serve().await;
    for at in 0..20 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let request =
            format!("PUT /kv/hung-up/{at} HTTP/1.1\r\nhost: k\r\ncontent-length: 1\r\n\r\n1");
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
    }
    eventually("all twenty values are there", async || {
        let listed = served.get("/kv/hung-up/_ls").await.json();
        listed["items"].as_array().unwrap().len() == 20
    })
    .await;
    served.stop().await;
}

#[tokio::test]
async fn http_2_is_spoken_to_whoever_begins_with_it() {
    let served = serve().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let put = client.put(served.url("/kv/a/b")).body("[1]").send().await.unwrap();
    assert_eq!((put.version(), put.status().as_u16()), (reqwest::Version::HTTP_2, 201));
    let get = client.get(served.url("/kv/a/b?raw")).send().await.unwrap();
    assert_eq!(get.text().await.unwrap(), "[1]");
    let large = client.get(served.url("/livez")).header("x-a", "x".repeat(32 << 10)).send().await;
    assert_eq!(large.unwrap().status().as_u16(), 431);
    drop(client);
    served.stop().await;
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_call_and_others_may_not() {
    let allowed = "https://app.example.org";
    let served = serve_with(|settings| settings.cors_allowed_origins = vec![allowed.into()]).await;
    let asked = async |served: &Served, origin: &str| {
        let request = reqwest::Client::new()
            .request(reqwest::Method::OPTIONS, served.url("/kv/a"))
            .header("origin", origin)
            .header("access-control-request-method", "PUT");
        let response = request.send().await.unwrap();
        let allow = response.headers().get("access-control-allow-origin");
        allow.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(asked(&served, allowed).await.as_deref(), Some(allowed));
    assert_eq!(asked(&served, "https://evil.example.org").await, None);
    served.stop().await;
    let closed = serve().await;
    assert_eq!(asked(&closed, allowed).await, None);
    closed.stop().await;
}

#[tokio::test]
async fn a_port_in_use_is_named_with_what_to_do() {
    let served = serve().await;
    let dir = tempfile::tempdir().unwrap();
    let mut taken = settings(dir.path());
    taken.port = served.address.port();
    let error = Server::bind(&taken).unwrap_err().to_string();
    let expected = format!("cannot listen on {}: another program listens there", served.address);
    assert!(error.starts_with(&expected), "{error}");
    served.stop().await;
}

#[tokio::test]
async fn an_address_of_another_machine_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut elsewhere = settings(dir.path());
    // For documentation (RFC 5737): no machine has it.
    elsewhere.bind_address = "192.0.2.1".parse().unwrap();
    let error = Server::bind(&elsewhere).unwrap_err().to_string();
    assert!(error.contains("this machine does not have that address"), "{error}");
}

#[tokio::test]
async fn what_is_left_of_a_connection_is_dropped_when_the_drain_takes_too_long() {
    let served = serve_with(|settings| {
        settings.drain_timeout = kvs_config::Duration::millis(100);
        settings.limits.request_timeout = kvs_config::Duration::minutes(10);
    })
    .await;
    let mut stuck = TcpStream::connect(served.address).await.unwrap();
    let begun = b"PUT /kv/a HTTP/1.1\r\nhost: k\r\ncontent-length: 5\r\n\r\n12";
    stuck.write_all(begun).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), served.stop()).await.unwrap();
    assert!(!read_to_end(&mut stuck).await.starts_with("HTTP/1.1 2"));
}

/// Reads one answer with an empty or short body from a connection that may stay open.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.windows(4).any(|end| end == b"\r\n\r\n") {
        let byte = tokio::time::timeout(DEADLINE, stream.read_u8()).await.unwrap().unwrap();
        read.push(byte);
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn a_node_that_is_about_to_stop_serves_and_asks_clients_to_go_elsewhere() {
    let served = serve().await;
    let request = b"HEAD /livez HTTP/1.1\r\nhost: k\r\n\r\n";
    let mut open = TcpStream::connect(served.address).await.unwrap();
    open.write_all(request).await.unwrap();
    assert!(!read_head(&mut open).await.contains("connection: close"));

    served.node.closing().cancel();
    open.write_all(request).await.unwrap();
    let last = read_to_end(&mut open).await;
    assert!(last.starts_with("HTTP/1.1 200") && last.contains("connection: close"), "{last}");
    // Who has not heard of it comes anew, and is answered, too.
    let answer = exchange(&served, request).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    served.stop().await;
}
