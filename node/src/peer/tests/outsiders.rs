//! Whoever does not belong here: turned away, counted, logged with its address, without effect.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::hostile::{Rude, announced, gullible, send, tls, tls12_hello};
use super::site::{Site, cluster, credentials, in_time, node, of_node, refusal, until};
use crate::peer::{
    PeerClient, PeerError, PeerLimits, PeerName, PeerRole, PeerRoute, RefusalReason, Trust,
};

#[tokio::test]
async fn a_node_of_the_cluster_is_known_by_its_certificate() {
    let site = Site::start(&[7]);
    let link = site.link(&[7]).await;
    assert_eq!(link.node(), node(1));
    assert_eq!(link.ask(PeerRoute::Hello, "hello".into()).await.unwrap(), "5");
    let calls = site.probe.calls.lock().unwrap().clone();
    let (caller, route, length) = &calls[0];
    assert_eq!((&caller.role, *route, *length), (&PeerRole::Node(node(2)), PeerRoute::Hello, 5));
    assert!(caller.address.ip().is_loopback());
    assert_eq!(site.figures.answered(PeerRoute::Hello), 1);
    assert_eq!((site.figures.bytes_in(), site.figures.bytes_out()), (5, 1));
    assert_eq!(site.figures.connections(), 1);
}

#[tokio::test]
async fn who_has_no_certificate_is_turned_away_from_every_route_but_birth() {
    let site = Site::start(&[7]);
    let link = site.stranger().connect(site.address, None).await.unwrap();
    let closed = PeerRoute::all().filter(|route| *route != PeerRoute::Birth);
    let mut times = 0;
    for route in closed {
        let said = if route.streams() {
            refusal(link.open(route, "x".into()).await)
        } else {
            refusal(link.ask(route, "x".into()).await)
        };
        assert_eq!(said, (401, "no-certificate".to_owned()), "{}", route.name());
        times += 1;
    }
    site.turned_away(RefusalReason::NoCertificate, times).await;
    assert!(site.probe.calls.lock().unwrap().is_empty(), "without effect");
    site.still_answers(&[7]).await;
}

#[tokio::test]
async fn who_has_another_secret_is_turned_away_and_told_so() {
    let site = Site::start(&[7]);
    let client = site.client(of_node(2, &[8]));
    let error = client.connect(site.address, None).await.unwrap_err();
    assert!(matches!(&error, PeerError::Outsider { .. }), "{error}");
    site.turned_away(RefusalReason::Outsider, 1).await;
    site.still_answers(&[7]).await;
}

#[tokio::test]
async fn a_certificate_of_another_secret_is_turned_away_whatever_its_holder_believes() {
    let site = Site::start(&[7]);
    let config = gullible(&of_node(2, &[8]));
    let mut stream = tls(site.address, config).await.unwrap();
    let error = in_time(stream.read(&mut [0])).await.unwrap_err().to_string();
    assert!(error.contains("UnknownCA"), "{error}");
    site.turned_away(RefusalReason::Outsider, 1).await;
    site.still_answers(&[7]).await;
}

#[tokio::test]
async fn a_client_learns_that_its_certificate_is_refused_before_it_asks() {
    let old = Site::start(&[7]);
    // It believes the server, which does not believe it.
    let client = old.client(of_node(2, &[8, 7]));
    let error = client.connect(old.address, None).await.unwrap_err();
    let PeerError::Outsider { reason, .. } = &error else { panic!("{error}") };
    assert!(reason.contains("does not believe this node's"), "{reason}");
    assert!(old.probe.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_address_that_another_node_has_now_is_not_asked() {
    let site = Site::start(&[7]);
    let client = site.client(of_node(2, &[7]));
    let error = client.connect(site.address, Some(node(9))).await.unwrap_err();
    let PeerError::NotExpected { expected, found, .. } = error else { panic!("{error}") };
    assert_eq!((expected, found), (node(9), PeerName::Node(node(1))));
    until("the connection is gone", || site.figures.connections() == 0).await;
    assert!(site.probe.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_operator_is_turned_away_from_what_is_for_nodes() {
    let site = Site::start(&[7]);
    let operator = PeerName::Operator("one".into());
    let client = site.client(credentials(operator, &Trust::ring(&cluster(&[7]))));
    let link = client.connect(site.address, None).await.unwrap();
    assert_eq!(link.ask(PeerRoute::Status, "x".into()).await.unwrap(), "1");
    let said = refusal(link.ask(PeerRoute::Push, "x".into()).await);
    assert_eq!(said, (403, "not-allowed".to_owned()));
    let said = refusal(link.open(PeerRoute::Stream, "x".into()).await);
    assert_eq!(said, (403, "not-allowed".to_owned()));
    site.turned_away(RefusalReason::NotAllowed, 2).await;
}

#[tokio::test]
async fn what_is_not_tls_is_turned_away() {
    let site = Site::start(&[7]);
    let garbage: Vec<u8> = (0..=255).cycle().skip(99).take(5_000).collect();
    send(site.address, &garbage).await;
    send(site.address, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    send(site.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    send(site.address, &vec![0xff; 100_000]).await;
    site.turned_away(RefusalReason::NotTls, 4).await;
    site.still_answers(&[7]).await;
}

#[tokio::test]
async fn older_tls_and_other_protocols_are_turned_away() {
    let site = Site::start(&[7]);
    let answer = send(site.address, &tls12_hello()).await;
    assert_eq!(answer.first(), Some(&0x15), "an alert");
    let mut config = gullible(&of_node(2, &[7]));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    assert!(tls(site.address, config).await.is_err());
    site.turned_away(RefusalReason::OtherTls, 2).await;
    site.still_answers(&[7]).await;
}

#[tokio::test]
async fn who_hangs_up_within_the_handshake_is_counted() {
    let site = Site::start(&[7]);
    drop(TcpStream::connect(site.address).await.unwrap());
    site.turned_away(RefusalReason::BrokenOff, 1).await;
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_ended() {
    let limits = PeerLimits { handshake: Duration::from_millis(50), ..PeerLimits::default() };
    let site = Site::with(of_node(1, &[7]), limits);
    let hello = tls12_hello();
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(&hello[..9]).await.unwrap();
    assert_eq!(in_time(stream.read(&mut [0])).await.unwrap_or(0), 0, "hung up");
    site.turned_away(RefusalReason::Slow, 1).await;
    site.still_answers(&[7]).await;
}

#[tokio::test]
async fn who_has_no_certificate_may_not_stay() {
    let limits = PeerLimits { handshake: Duration::from_millis(500), ..PeerLimits::default() };
    let site = Site::with(of_node(1, &[7]), limits);
    let link = site.stranger().connect(site.address, None).await.unwrap();
    in_time(link.closed()).await;
    assert!(link.is_closed());
}

#[tokio::test]
async fn strangers_beyond_the_limit_are_turned_away_and_nodes_stay() {
    let limits = PeerLimits { strangers_per_address: 2, ..PeerLimits::default() };
    let site = Site::with(of_node(1, &[7]), limits);
    // Two that have said who they are do not count.
    let (_first, second) = (site.link(&[7]).await, site.link(&[7]).await);
    let silent = [
        TcpStream::connect(site.address).await.unwrap(),
        TcpStream::connect(site.address).await.unwrap(),
    ];
    assert!(send(site.address, b"").await.is_empty());
    site.turned_away(RefusalReason::TooManyStrangers, 1).await;
    assert_eq!(second.ask(PeerRoute::Hello, "hello".into()).await.unwrap(), "5");
    drop(silent);
    until("they are gone", || site.figures.refusals(RefusalReason::BrokenOff) == 2).await;
    site.still_answers(&[7]).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away() {
    let limits = PeerLimits { connections: 1, ..PeerLimits::default() };
    let site = Site::with(of_node(1, &[7]), limits);
    let link = site.link(&[7]).await;
    let client = site.client(of_node(3, &[7]));
    let error = client.connect(site.address, None).await.unwrap_err();
    assert!(matches!(error, PeerError::Closed(_)), "{error}");
    site.turned_away(RefusalReason::TooManyConnections, 1).await;
    drop(link);
    until("there is room", || site.figures.connections() == 0).await;
    site.still_answers(&[7]).await;
}

#[tokio::test]
async fn garbage_instead_of_http_ends_the_connection_alone() {
    let site = Site::start(&[7]);
    let mut stream = tls(site.address, gullible(&of_node(2, &[7]))).await.unwrap();
    let garbage: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    in_time(async {
        // It may hang up before it has read all.
        let _ = stream.write_all(&garbage).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    until("the connection is gone", || site.figures.connections() == 0).await;
    site.still_answers(&[7]).await;
}

#[tokio::test]
async fn other_paths_and_methods_are_turned_away() {
    let site = Site::start(&[7]);
    let mut rude = Rude::connect(&site, &of_node(2, &[7])).await;
    for (method, path) in [
        (Method::GET, "/peer/v1/hello"),
        (Method::POST, "/kv/home"),
        (Method::POST, "/peer/v1/hello/"),
        (Method::PUT, "/"),
    ] {
        let (status, said) = rude.ask(method, path, announced(0)).await;
        assert!(status == 404 && said.contains("unknown-route"), "{status} {said}");
    }
    site.turned_away(RefusalReason::UnknownRoute, 4).await;
}

#[tokio::test]
async fn what_the_handler_declines_is_counted_and_told() {
    let site = Site::start(&[7]);
    let link = site.link(&[7]).await;
    let said = refusal(link.ask(PeerRoute::Join, "x".into()).await);
    assert_eq!(said, (409, "other-cluster".to_owned()));
    site.turned_away(RefusalReason::Declined, 1).await;
}

#[tokio::test]
async fn what_is_not_there_or_not_a_node_is_named() {
    let site = Site::start(&[7]);
    let client: PeerClient = site.client(of_node(2, &[7]));
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client.connect(gone, None).await.unwrap_err();
    assert!(matches!(error, PeerError::Unreachable { address, .. } if address == gone), "{error}");

    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    let answering = async {
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    };
    let (error, ()) = tokio::join!(client.connect(address, None), answering);
    let error = error.unwrap_err();
    assert!(matches!(error, PeerError::NotANode { .. }), "{error}");
}

#[tokio::test]
async fn who_accepts_and_says_nothing_is_not_waited_for_for_ever() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::start(&[7]);
    let limits = PeerLimits { connect: Duration::from_millis(50), ..PeerLimits::default() };
    let (tasks, shutdown) = (site.tasks.clone(), site.shutdown.clone());
    let client = PeerClient::new(of_node(2, &[7]), Arc::default(), limits, tasks, shutdown);
    let error = client.connect(silent.local_addr().unwrap(), None).await.unwrap_err();
    assert!(matches!(error, PeerError::TimedOut { what: "connection", .. }), "{error}");
}
