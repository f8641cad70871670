//! Streams: the receiver sets the pace, and either side can end them.

use std::sync::atomic::Ordering;

use futures_util::StreamExt as _;

use super::site::{MESSAGE, Site, in_time, until};
use crate::peer::{PeerError, PeerRoute};

/// What may be under way towards a receiver that reads nothing: the windows and buffers of HTTP/2,
/// TLS and the sockets, amply.
const UNDER_WAY: usize = 12 << 20;

#[tokio::test]
async fn messages_arrive_as_they_were_sent_and_a_refusal_ends_them() {
    let site = Site::start(&[7]);
    let link = site.link(&[7]).await;
    let mut messages = link.open(PeerRoute::Stream, "three".into()).await.unwrap();
    for expected in ["one", "", "three"] {
        assert_eq!(in_time(messages.next()).await.unwrap().unwrap(), expected);
    }
    let Some(Err(PeerError::Refused(refusal))) = in_time(messages.next()).await else { panic!() };
    assert_eq!((refusal.code.as_str(), refusal.text.as_str()), ("rebuilding", "later"));
    assert!(messages.next().await.is_none());
}

#[tokio::test]
async fn a_slow_reader_holds_the_sender_back_and_not_other_requests() {
    let site = Site::start(&[7]);
    let link = site.link(&[7]).await;
    let mut messages = link.open(PeerRoute::Stream, "x".into()).await.unwrap();
    for _ in 0..200 {
        link.ask(PeerRoute::Hello, "hello".into()).await.unwrap();
    }
    let made = site.probe.made.load(Ordering::SeqCst);
    assert!(made > 0 && made < (UNDER_WAY / MESSAGE) as u64, "{made}");
    for number in 0..1_000u64 {
        let message = in_time(messages.next()).await.unwrap().unwrap();
        assert_eq!(message.len(), MESSAGE);
        assert_eq!(message[..8], number.to_be_bytes());
    }
    let made = site.probe.made.load(Ordering::SeqCst);
    assert!((1_000..1_000 + (UNDER_WAY / MESSAGE) as u64).contains(&made), "{made}");
    assert!(site.figures.bytes_out() >= 1_000 * MESSAGE as u64);
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_dropped_at_the_other_side() {
    let site = Site::start(&[7]);
    let link = site.link(&[7]).await;
    let mut messages = link.open(PeerRoute::Stream, "x".into()).await.unwrap();
    in_time(messages.next()).await.unwrap().unwrap();
    drop(messages);
    until("the stream is gone", || site.probe.dropped.load(Ordering::SeqCst) == 1).await;
    assert!(!link.is_closed(), "the connection goes on");
    assert_eq!(link.ask(PeerRoute::Hello, "hello".into()).await.unwrap(), "5");
}

#[tokio::test]
async fn a_link_that_is_closed_ends_its_streams_on_both_sides() {
    let site = Site::start(&[7]);
    let link = site.link(&[7]).await;
    let mut messages = link.open(PeerRoute::Stream, "x".into()).await.unwrap();
    in_time(messages.next()).await.unwrap().unwrap();
    link.close();
    in_time(link.closed()).await;
    let last = loop {
        match in_time(messages.next()).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("as if the other side had ended it"),
        }
    };
    assert!(matches!(&last, PeerError::Closed(why) if why == "it was closed here"), "{last}");
    until("the stream is gone", || site.probe.dropped.load(Ordering::SeqCst) == 1).await;
    let error = link.ask(PeerRoute::Hello, "hello".into()).await.unwrap_err();
    assert!(matches!(error, PeerError::Closed(_)), "{error}");
}

#[tokio::test]
async fn a_stream_keeps_its_connection_open() {
    let site = Site::start(&[7]);
    let link = site.link(&[7]).await;
    let closed = link.closed();
    let mut messages = link.open(PeerRoute::Stream, "x".into()).await.unwrap();
    drop(link);
    for _ in 0..300 {
        in_time(messages.next()).await.unwrap().unwrap();
    }
    drop(messages);
    in_time(closed).await;
    until("the connection is gone", || site.figures.connections() == 0).await;
}

#[tokio::test]
async fn a_node_that_stops_ends_its_streams_and_then_itself() {
    let site = Site::start(&[7]);
    let link = site.link(&[7]).await;
    let mut messages = link.open(PeerRoute::Stream, "x".into()).await.unwrap();
    in_time(messages.next()).await.unwrap().unwrap();
    site.shutdown.cancel();
    in_time(async { while messages.next().await.is_some() {} }).await;
    drop((messages, link));
    site.tasks.close();
    in_time(site.tasks.wait()).await;
    assert_eq!(site.probe.dropped.load(Ordering::SeqCst), 1);
}
