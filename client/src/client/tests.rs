use std::net::{Ipv4Addr, TcpListener};

use futures_util::TryStreamExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_bytes, body_json, header, method, path, query_param, query_param_is_missing},
};

use super::Client;
use crate::*;

const UUID: Uuid = Uuid::from_u128(7);

async fn server() -> (MockServer, Client) {
    let server = MockServer::start().await;
    let client = Client::new(&server.uri(), None).expect("an address");
    (server, client)
}

fn written() -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(Written { uuid: UUID, timestamp: 1 })
}

fn problem(status: u16, absence: Option<Absence>) -> ResponseTemplate {
    let problem = Problem {
        kind: "absent".into(),
        title: "Not found".into(),
        status,
        detail: "nothing at a".into(),
        request_id: None,
        absence,
        since: None,
    };
    let body = serde_json::to_vec(&problem).expect("serialises");
    ResponseTemplate::new(status).set_body_raw(body, PROBLEM_CONTENT_TYPE)
}

/// The paths that `server` was asked for, as they were on the wire.
async fn paths(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.expect("recorded");
    requests.iter().map(|request| request.url.path().to_owned()).collect()
}

#[tokio::test]
async fn a_read_answers_the_stored_value() {
    let (server, client) = server().await;
    let body = format!(r#"{{"uuid":"{UUID}","timestamp":1,"data":{{ "a": 1.0 }}}}"#);
    Mock::given(method("GET"))
        .and(path("/kv/a/b"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body, JSON_CONTENT_TYPE))
        .mount(&server)
        .await;
    let stored = client.get("a/b").await.expect("stored");
    assert_eq!((stored.uuid, stored.timestamp), (UUID, 1));
    assert_eq!(stored.value.as_bytes(), b"{ \"a\": 1.0 }");
}

#[tokio::test]
async fn segments_are_encoded_and_slashes_are_not() {
    let (server, client) = server().await;
    Mock::given(method("PUT")).respond_with(written()).mount(&server).await;
    for key in ["a/b", "/a", "ä b/c?d#e", "100%/a+b;c", "-._~/.hidden", "a\\b"] {
        client.put(key, Value::json(&1).expect("JSON")).await.expect(key);
    }
    let expected = [
        "/kv/a/b",
        "/kv/a",
        "/kv/%C3%A4%20b/c%3Fd%23e",
        "/kv/100%25/a%2Bb%3Bc",
        "/kv/-._~/.hidden",
        "/kv/a%5Cb",
    ];
    assert_eq!(paths(&server).await, expected);
}

#[tokio::test]
async fn what_is_not_a_key_is_not_sent() {
    let (server, client) = server().await;
    for key in ["", "/", "a//b", "a/", "../members", "a/./b", "_ls", "a/_history", "_system/users"]
    {
        let error = client.get(key).await.expect_err(key);
        assert!(matches!(error, ClientError::Key { .. }), "{key:?}: {error:?}");
    }
    assert!(paths(&server).await.is_empty());
}

#[tokio::test]
async fn routes_go_below_the_path_of_the_address() {
    let server = MockServer::start().await;
    Mock::given(method("DELETE")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    for base in ["", "/", "/store", "/store/"] {
        let client = Client::new(&format!("{}{base}", server.uri()), None).expect("an address");
        client.delete("a").await.expect("deleted");
    }
    assert_eq!(paths(&server).await, ["/kv/a", "/kv/a", "/store/kv/a", "/store/kv/a"]);
}

#[test]
fn an_address_that_is_none_is_refused_with_the_reason() {
    for (url, reason) in [
        ("127.0.0.1:8080", "relative URL without a base"),
        ("localhost:8080", "not localhost:"),
        ("ftp://a", "not ftp:"),
        ("http://me:secret@a", "no user name or password"),
        ("http://a/?b", "neither '?' nor '#'"),
    ] {
        let error = Client::new(url, None).expect_err(url).to_string();
        assert!(error.contains(url) && error.contains(reason), "{error}");
    }
}

#[tokio::test]
async fn a_token_is_sent_and_never_shown() {
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Bearer s3cret"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let client = Client::new(&server.uri(), Some("s3cret")).expect("an address");
    client.delete("a").await.expect("authorized");
    assert!(!format!("{client:?}").contains("s3cret"));
    let error = Client::new(&server.uri(), Some("a\nb")).expect_err("a line feed");
    assert!(matches!(error, ClientError::Token), "{error:?}");
}

#[tokio::test]
async fn a_write_sends_value_type_ttl_and_condition() {
    let (server, client) = server().await;
    Mock::given(method("PUT"))
        .and(path("/kv/a"))
        .and(query_param("ttl", "1h"))
        .and(header("content-type", "image/png"))
        .and(header("if-match", format!("\"{UUID}\"").as_str()))
        .and(body_bytes([0, 255]))
        .respond_with(written())
        .expect(1)
        .mount(&server)
        .await;
    let options = PutOptions { ttl: Some("1h".into()), condition: Condition::Matches(UUID) };
    let value = Value::bytes("image/png", vec![0, 255]);
    let answer = client.put_with("a", value, &options).await.expect("written");
    assert_eq!(answer, Written { uuid: UUID, timestamp: 1 });
}

#[tokio::test]
async fn conditions_are_their_headers() {
    let (server, client) = server().await;
    Mock::given(header("if-none-match", "*")).respond_with(problem(412, None)).mount(&server).await;
    Mock::given(header("if-match", "*"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let absent = client.delete_with("a", Condition::Absent).await.expect_err("refused");
    assert_eq!(absent.status(), Some(412));
    client.delete_with("a", Condition::Exists).await.expect("deleted");
}

#[tokio::test]
async fn a_merge_patch_is_sent_as_one() {
    let (server, client) = server().await;
    Mock::given(method("PATCH"))
        .and(header("content-type", "application/merge-patch+json"))
        .and(body_json(json!({ "a": null })))
        .respond_with(written())
        .mount(&server)
        .await;
    client.patch("a", &json!({ "a": null })).await.expect("patched");
}

#[tokio::test]
async fn an_absent_key_says_why() {
    let (server, client) = server().await;
    Mock::given(method("GET"))
        .respond_with(problem(404, Some(Absence::Expired)))
        .mount(&server)
        .await;
    let error = client.get("a").await.expect_err("absent");
    assert_eq!((error.status(), error.absence()), (Some(404), Some(Absence::Expired)));
    assert_eq!(error.to_string(), "404 Not found: nothing at a");
}

#[tokio::test]
async fn another_programs_answer_is_quoted() {
    let (server, client) = server().await;
    Mock::given(path("/kv/page"))
        .respond_with(ResponseTemplate::new(502).set_body_string("<h1>Bad gateway"))
        .mount(&server)
        .await;
    Mock::given(path("/kv/redirect"))
        .respond_with(ResponseTemplate::new(307).insert_header("location", "/kv/page"))
        .mount(&server)
        .await;
    Mock::given(path("/kv/hello"))
        .respond_with(ResponseTemplate::new(200).set_body_string("hello"))
        .mount(&server)
        .await;
    for (key, status, detail) in [
        ("page", 502, "<h1>Bad gateway"),
        ("redirect", 307, "an empty body"),
        ("hello", 200, "expected value"),
    ] {
        let error = client.get(key).await.expect_err(key);
        assert!(matches!(error, ClientError::UnexpectedAnswer { .. }), "{error:?}");
        assert_eq!(error.status(), Some(status));
        assert!(error.to_string().contains(detail), "{error}");
    }
}

#[tokio::test]
async fn a_raw_read_answers_bytes_type_and_version() {
    let (server, client) = server().await;
    let answer = ResponseTemplate::new(200)
        .insert_header("etag", format!("\"{UUID}\""))
        .insert_header("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT")
        .set_body_raw("hi", "text/plain");
    Mock::given(method("GET"))
        .and(query_param("raw", ""))
        .respond_with(answer.clone())
        .mount(&server)
        .await;
    Mock::given(method("HEAD")).and(path("/kv/a")).respond_with(answer).mount(&server).await;
    let raw = client.get_raw("a").await.expect("stored");
    assert_eq!((raw.content_type.as_str(), &raw.data[..]), ("text/plain", &b"hi"[..]));
    assert_eq!(raw.head.uuid, Some(UUID));
    assert_eq!(client.head("a").await.expect("answered"), Some(raw.head));
    assert_eq!(client.head("b").await.expect("answered"), None);
}

#[tokio::test]
async fn a_known_version_is_not_read_again() {
    let (server, client) = server().await;
    Mock::given(header("if-none-match", format!("\"{UUID}\"").as_str()))
        .respond_with(ResponseTemplate::new(304))
        .mount(&server)
        .await;
    assert_eq!(client.get_if_changed("a", UUID).await.expect("answered"), None);
}

fn item(name: &str) -> ListItem {
    ListItem { name: name.into(), key: name.into(), value: true, children: false, metadata: None }
}

fn page(names: &[&str], next: Option<&str>) -> ResponseTemplate {
    let items = names.iter().map(|name| item(name)).collect();
    ResponseTemplate::new(200).set_body_json(Page { items, next: next.map(str::to_owned) })
}

#[tokio::test]
async fn all_pages_of_a_list_are_fetched_even_behind_an_empty_one() {
    let (server, client) = server().await;
    let after = |cursor| Mock::given(path("/kv/_ls")).and(query_param("after", cursor));
    Mock::given(path("/kv/_ls"))
        .and(query_param_is_missing("after"))
        .and(query_param("limit", "2"))
        .respond_with(page(&["a", "b"], Some("c 1&")))
        .mount(&server)
        .await;
    after("c 1&").respond_with(page(&[], Some("c2"))).mount(&server).await;
    after("c2").respond_with(page(&["d"], None)).mount(&server).await;
    let page = PageOptions { limit: Some(2), after: None };
    let options = ListOptions { page, metadata: false };
    let all: Vec<_> = client.ls_all("", options).try_collect().await.expect("listed");
    assert_eq!(all, [item("a"), item("b"), item("d")]);
}

#[tokio::test]
async fn a_list_ends_at_the_first_error() {
    let (server, client) = server().await;
    Mock::given(query_param("after", "c")).respond_with(problem(403, None)).mount(&server).await;
    Mock::given(query_param_is_missing("after"))
        .respond_with(page(&["a"], Some("c")))
        .mount(&server)
        .await;
    let mut all = client.ls_all("p", ListOptions::default());
    assert_eq!(all.try_next().await.expect("the first page"), Some(item("a")));
    assert_eq!(all.try_next().await.expect_err("refused").status(), Some(403));
    assert_eq!(all.try_next().await.expect("ended"), None);
}

#[tokio::test]
async fn options_are_query_parameters() {
    let (server, client) = server().await;
    let empty = json!({ "items": [], "next": null, "tree": {} });
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(empty))
        .mount(&server)
        .await;
    let page = PageOptions { limit: Some(5), after: None };
    client.ls("p", &ListOptions { page: page.clone(), metadata: true }).await.expect("ls");
    let tree = TreeOptions { page: page.clone(), depth: Some(2) };
    client.tree("p", &tree).await.expect("tree");
    client.tree_nested("", &TreeOptions::default()).await.expect("nested");
    let changes =
        ChangesOptions { page: page.clone(), since: Some("7".into()), until: Some("9".into()) };
    client.changes("p", &changes).await.expect("changes");
    client.history("k", &page).await.expect("history");
    let requests = server.received_requests().await.expect("recorded");
    let urls: Vec<_> = requests
        .iter()
        .map(|request| {
            format!("{}?{}", request.url.path(), request.url.query().unwrap_or_default())
        })
        .collect();
    let expected = [
        "/kv/p/_ls?limit=5&metadata=true",
        "/kv/p/_tree?limit=5&depth=2&format=json",
        "/kv/_tree?format=nested",
        "/kv/p/_changes?limit=5&since=7&until=9",
        "/kv/k/_history?limit=5",
    ];
    assert_eq!(urls, expected);
}

#[tokio::test]
async fn a_revision_is_read_and_restored_by_its_uuid() {
    let (server, client) = server().await;
    let stored = Stored { uuid: UUID, timestamp: 1, value: Value::json(&1).expect("JSON") };
    Mock::given(method("GET"))
        .and(query_param("revision", UUID.to_string()))
        .respond_with(ResponseTemplate::new(200).set_body_json(&stored))
        .mount(&server)
        .await;
    Mock::given(path("/kv/a/_restore"))
        .and(body_json(json!({ "uuid": UUID })))
        .respond_with(written())
        .mount(&server)
        .await;
    assert_eq!(client.get_revision("a", UUID).await.expect("kept"), stored);
    assert_eq!(client.restore("a", UUID).await.expect("restored").uuid, UUID);
}

#[tokio::test]
async fn metadata_is_read_and_changed_in_part() {
    let (server, client) = server().await;
    let metadata = Metadata {
        owner: None,
        group: None,
        mode: ModeView { text: "cdwr--wr---r".into(), bits: 0xF31 },
        ttl: None,
        created: None,
        updated: None,
        expires: None,
        uuid: None,
        governed_by: None,
    };
    let answer = ResponseTemplate::new(200).set_body_json(&metadata);
    Mock::given(method("GET"))
        .and(path("/kv/a/_metadata"))
        .respond_with(answer.clone())
        .mount(&server)
        .await;
    Mock::given(method("PATCH"))
        .and(body_json(json!({ "ttl": null })))
        .respond_with(answer)
        .mount(&server)
        .await;
    assert_eq!(client.metadata("a").await.expect("read"), metadata);
    let patch = MetadataPatch { ttl: Field::Clear, ..Default::default() };
    assert_eq!(client.patch_metadata("a", &patch).await.expect("changed"), metadata);
}

#[tokio::test]
async fn a_batch_answers_a_result_per_item() {
    let (server, client) = server().await;
    let answer =
        json!({ "items": [{ "status": 201, "uuid": UUID, "timestamp": 1 }, { "status": 204 }] });
    Mock::given(path("/kv/_batch"))
        .and(body_json(json!({ "items": [
            { "op": "put", "key": "a", "value": 1 },
            { "op": "delete", "key": "b" },
        ] })))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&server)
        .await;
    let value = Value::json(&1).expect("JSON");
    let results = client.batch(vec![BatchItem::put("a", value), BatchItem::delete("b")]).await;
    let outcomes: Vec<_> = results.expect("done").into_iter().map(|item| item.outcome).collect();
    let written = BatchOutcome::Written(Written { uuid: UUID, timestamp: 1 });
    assert_eq!(outcomes, [written, BatchOutcome::Deleted]);
}

#[tokio::test]
async fn a_node_that_is_not_ready_is_no_error() {
    let (server, client) = server().await;
    Mock::given(path("/readyz")).respond_with(problem(503, None)).mount(&server).await;
    Mock::given(path("/livez")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let health = json!({ "status": "ok", "mode": "normal", "version": "0.1.0" });
    Mock::given(path("/health"))
        .respond_with(ResponseTemplate::new(200).set_body_json(health))
        .mount(&server)
        .await;
    Mock::given(path("/members/"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "members": [] })))
        .mount(&server)
        .await;
    assert!(!client.readyz().await.expect("answered"));
    client.livez().await.expect("up");
    assert_eq!(client.health().await.expect("answered").mode, "normal");
    assert_eq!(client.members().await.expect("answered").members, []);
}

/// A listener on a free port of the loopback address, and a client of it.
fn listener() -> (TcpListener, Client) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, Client::new(&format!("http://{address}"), None).expect("an address"))
}

#[tokio::test]
async fn nobody_there_is_told_from_a_broken_answer() {
    let (listener, client) = listener();
    drop(listener);
    let error = client.get("a").await.expect_err("nobody listens");
    assert!(matches!(error, ClientError::Connect { .. }), "{error:?}");
    assert!(error.to_string().starts_with("cannot connect to http://127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_the_outcome_open() {
    let (listener, client) = listener();
    listener.set_nonblocking(true).expect("nonblocking");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    let half = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let read = stream.read(&mut [0; 1024]).await.expect("a request");
        assert!(read > 0, "the client hung up");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{").await.expect("sent");
    };
    let (answer, ()) = tokio::join!(client.get("a"), half);
    let error = answer.expect_err("half an answer");
    assert!(matches!(error, ClientError::Interrupted { .. }), "{error:?}");
}

fn change(key: &str, cursor: &str) -> Change {
    Change {
        op: ChangeOp::Put,
        key: key.into(),
        uuid: UUID,
        timestamp: 1,
        origin: UUID,
        expires: None,
        cursor: cursor.into(),
    }
}

fn event(change: &Change) -> String {
    let data = serde_json::to_string(change).expect("serialises");
    format!("event: {}\nid: {}\ndata: {data}\n\n", change.op, change.cursor)
}

fn events(text: String) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text, "text/event-stream")
}

async fn next(watch: &mut Watch) -> Option<WatchEvent> {
    watch.next().await.transpose().expect("an event or the end")
}

#[tokio::test]
async fn a_watch_goes_on_after_the_last_event_it_saw() {
    let (server, client) = server().await;
    let (first, second) = (change("a", "c1"), change("b", "c2"));
    let text = format!(": beat\n\n{}event: later\ndata: x\n\n", event(&first));
    Mock::given(path("/kv/p/_changes"))
        .and(header("accept", "text/event-stream"))
        .and(header("last-event-id", "c0"))
        .respond_with(events(text))
        .mount(&server)
        .await;
    Mock::given(header("last-event-id", "c1"))
        .respond_with(events(event(&second)))
        .mount(&server)
        .await;
    let mut watch = client.watch("p", Some("c0")).await.expect("open");
    assert_eq!(next(&mut watch).await, Some(WatchEvent::Change(first)));
    assert_eq!(next(&mut watch).await, None);
    watch.reconnect().await.expect("open again");
    assert_eq!(next(&mut watch).await, Some(WatchEvent::Change(second)));
    assert_eq!(watch.cursor(), Some("c2"));
}

#[tokio::test]
async fn a_reset_moves_the_cursor_of_a_watch() {
    let (server, client) = server().await;
    let reset = Reset { reason: "another store".into(), cursor: "c9".into() };
    let data = serde_json::to_string(&reset).expect("serialises");
    let text = format!("{}event: reset\ndata: {data}\n\n", event(&change("a", "c1")));
    Mock::given(path("/kv/_changes")).respond_with(events(text)).mount(&server).await;
    let mut watch = client.watch("", None).await.expect("open");
    assert_eq!(next(&mut watch).await, Some(WatchEvent::Change(change("a", "c1"))));
    assert_eq!(next(&mut watch).await, Some(WatchEvent::Reset(reset)));
    assert_eq!(next(&mut watch).await, None);
    assert_eq!(watch.cursor(), Some("c9"));
}

#[tokio::test]
async fn an_id_without_an_event_moves_the_cursor_too() {
    let (server, client) = server().await;
    Mock::given(path("/kv/_changes"))
        .respond_with(events("id: c5\n\n".into()))
        .mount(&server)
        .await;
    let mut watch = client.watch("", None).await.expect("open");
    assert_eq!(watch.cursor(), None);
    assert_eq!(next(&mut watch).await, None);
    assert_eq!(watch.cursor(), Some("c5"));
}

#[tokio::test]
async fn a_watch_refuses_what_is_no_stream_or_no_event() {
    let (server, client) = server().await;
    Mock::given(path("/kv/list/_changes"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "items": [] })))
        .mount(&server)
        .await;
    Mock::given(path("/kv/odd/_changes"))
        .respond_with(events("event: put\ndata: 7\n\n".into()))
        .mount(&server)
        .await;
    let list = client.watch("list", None).await.expect_err("no stream");
    assert!(list.to_string().contains("application/json"), "{list}");
    let mut odd = client.watch("odd", None).await.expect("open");
    let error = odd.next().await.expect("an event").expect_err("not a change");
    assert!(matches!(error, ClientError::UnexpectedAnswer { .. }), "{error:?}");
}

#[tokio::test]
async fn a_node_is_told_its_mode_and_whom_to_forget() {
    let (server, client) = server().await;
    let health = json!({"status": "ok", "mode": "read_only", "version": "0.1.0"});
    Mock::given(method("POST"))
        .and(path("/cluster/mode"))
        .and(body_json(json!({"mode": "read_only"})))
        .respond_with(ResponseTemplate::new(200).set_body_json(health))
        .mount(&server)
        .await;
    assert_eq!(client.set_mode(NodeMode::ReadOnly).await.expect("told").mode, "read_only");
    Mock::given(method("POST"))
        .and(path("/cluster/forget"))
        .and(body_json(json!({"node": "node2"})))
        .respond_with(problem(409, None))
        .mount(&server)
        .await;
    let refused = client.forget("node2").await.expect_err("it runs");
    assert!(matches!(refused, ClientError::Problem(problem) if problem.status == 409));
}
