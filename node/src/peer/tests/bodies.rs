//! How large what travels may be.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hyper::Method;

use super::hostile::{Rude, announced, pieces};
use super::site::{Site, in_time, of_node, of_operator};
use crate::peer::{Callers, PeerError, PeerLimits, PeerRoute, RefusalReason};

#[tokio::test]
async fn a_body_may_be_as_large_as_its_route_allows_and_no_larger() {
    let site = Site::start(&[7]);
    let mut node = Rude::connect(&site, &of_node(2, &[7])).await;
    let mut operator = Rude::connect(&site, &of_operator("one", &[7])).await;
    let mut times = 0;
    for route in PeerRoute::all().filter(|route| !route.streams() && *route != PeerRoute::Join) {
        let rude = if route.callers() == Callers::Operator { &mut operator } else { &mut node };
        let limit = route.request_limit();
        let said = rude.ask(Method::POST, &route.path(), announced(limit)).await;
        assert_eq!(said, (200, limit.to_string()), "{}", route.name());
        let (status, said) = rude.ask(Method::POST, &route.path(), announced(limit + 1)).await;
        assert!(status == 413 && said.contains("too-large"), "{}: {said}", route.name());
        times += 1;
    }
    site.turned_away(RefusalReason::TooLarge, times).await;
}

#[tokio::test]
async fn a_body_that_does_not_say_how_large_it_is_is_cut_at_the_limit() {
    let site = Site::start(&[7]);
    let mut rude = Rude::connect(&site, &of_node(2, &[7])).await;
    let path = PeerRoute::Hello.path();
    let limit = PeerRoute::Hello.request_limit();
    let exact = stream::iter([vec![1; limit - 1].into(), Bytes::from_static(b"1")]);
    assert_eq!(rude.ask(Method::POST, &path, pieces(exact)).await.0, 200);
    let over = stream::iter([vec![1; limit].into(), Bytes::from_static(b"1")]);
    assert_eq!(rude.ask(Method::POST, &path, pieces(over)).await.0, 413);
    let endless = stream::repeat(Bytes::from_static(&[1; 1_000]));
    assert_eq!(rude.ask(Method::POST, &path, pieces(endless)).await.0, 413);
    site.turned_away(RefusalReason::TooLarge, 2).await;
    site.still_answers(&[7]).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
    let limits = PeerLimits { body: Duration::from_millis(50), ..PeerLimits::default() };
    let site = Site::with(of_node(1, &[7]), limits);
    let mut rude = Rude::connect(&site, &of_node(2, &[7])).await;
    let begun = stream::once(async { Bytes::from_static(b"x") }).chain(stream::pending());
    let (status, said) = rude.ask(Method::POST, &PeerRoute::Push.path(), pieces(begun)).await;
    assert!(status == 408 && said.contains("slow-body"), "{said}");
    site.turned_away(RefusalReason::SlowBody, 1).await;
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused() {
    let site = Site::start(&[7]);
    let mut rude = Rude::connect(&site, &of_node(2, &[7])).await;
    let path = format!("/peer/v1/{}", "x".repeat(20_000));
    let (status, _) = rude.ask(Method::POST, &path, announced(0)).await;
    assert_eq!(status, 431);
    assert!(site.probe.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn our_own_client_does_not_send_what_would_be_refused() {
    let site = Site::start(&[7]);
    let link = site.link(&[7]).await;
    let limit = PeerRoute::Hello.request_limit();
    let exact = link.ask(PeerRoute::Hello, vec![1; limit].into()).await.unwrap();
    assert_eq!(exact, limit.to_string());
    let error = link.ask(PeerRoute::Hello, vec![1; limit + 1].into()).await.unwrap_err();
    assert!(matches!(error, PeerError::TooLarge { what: "the request", .. }), "{error}");
    assert_eq!(site.probe.calls.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_of_a_stream_may_be_as_large_as_its_route_allows_and_no_larger() {
    let site = Site::start(&[7]);
    let link = site.link(&[7]).await;
    let mut messages = link.open(PeerRoute::Stream, "large".into()).await.unwrap();
    let first = in_time(messages.next()).await.unwrap().unwrap();
    assert_eq!(first.len(), PeerRoute::Stream.answer_limit());
    let second = in_time(messages.next()).await.unwrap();
    assert!(matches!(second, Err(PeerError::Refused(_))), "{second:?}");
    assert!(messages.next().await.is_none());
}
