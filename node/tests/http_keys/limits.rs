use kvs_config::Size;

use crate::harness::TestNode;

#[tokio::test]
async fn a_value_of_the_greatest_size_is_taken_and_one_byte_more_is_not() {
    let node = TestNode::start();
    let text = |size: usize| format!("\"{}\"", "x".repeat(size - 2));
    node.put("/kv/a", text(1 << 20)).await.expect(201);
    assert_eq!(node.get("/kv/a?raw").await.body.len(), 1 << 20);
    let refused = node.put("/kv/a", text((1 << 20) + 1)).await;
    refused.refuses(413, "too-large", "the value has more than 1048576 bytes");
    let node = TestNode::with(|settings| settings.limits.value_size = Size::kib(1));
    node.put("/kv/a", text(1024)).await.expect(201);
    node.put("/kv/a", text(1025)).await.refuses(413, "too-large", "1024 bytes");
}

#[tokio::test]
async fn json_of_the_greatest_depth_is_taken_and_one_level_more_is_not() {
    let node = TestNode::start();
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    node.put("/kv/a", nested(128)).await.expect(201);
    node.put("/kv/a", nested(129)).await.refuses(400, "json-malformed", "more than 128 deep");
    node.put("/kv/a", "[".repeat(1 << 20)).await.refuses(
        400,
        "json-malformed",
        "more than 128 deep",
    );
}

#[tokio::test]
async fn keys_are_taken_up_to_their_length_and_number_of_segments() {
    let node = TestNode::start();
    node.put(&format!("/kv/{}", "k".repeat(1024)), "1").await.expect(201);
    let refused = node.put(&format!("/kv/{}", "k".repeat(1025)), "1").await;
    refused.refuses(400, "key-malformed", "1025 bytes; at most 1024");
    // Three bytes in the URL are one of the key.
    node.put(&format!("/kv/{}", "%41".repeat(1024)), "1").await.expect(201);
    let segments = |count| format!("/kv/{}", vec!["s"; count].join("/"));
    node.put(&segments(64), "1").await.expect(201);
    node.put(&segments(65), "1").await.refuses(400, "key-malformed", "65 segments; at most 64");
}

#[tokio::test]
async fn malformed_keys_are_refused_and_say_why() {
    let node = TestNode::start();
    for (path, detail) in [
        ("/kv", "the key is empty"),
        ("/kv/", "the key is empty"),
        ("/kv/a/", "ends with a slash"),
        ("/kv/a//b", "segment 2 of the key is empty"),
        ("/kv/a/../b", "'.' and '..'"),
        ("/kv/%2e%2E", "'.' and '..'"),
        ("/kv/a%2Fb", "%2F"),
        ("/kv/a%00", "U+0000"),
        ("/kv/a%0A", "U+000A"),
        ("/kv/a%zz", "hexadecimal"),
        ("/kv/a%", "hexadecimal"),
        ("/kv/%ff", "not UTF-8"),
        ("/kv/_secret", "begin with '_'"),
        ("/kv/a/_secret/b", "begin with '_'"),
        ("/kv/%5Fls", "begin with '_'"),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = node.call(&format!("{method} {path}"), &[], "1").await;
            assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text());
            answer.refuses(400, "key-malformed", detail);
        }
    }
    node.get("/kv/_system/users/root").await.refuses(403, "system-key", "_system");
    node.put("/kv/%5Fsystem", "1").await.refuses(403, "system-key", "_system");
}

#[tokio::test]
async fn a_key_is_the_same_however_it_is_encoded() {
    let node = TestNode::start();
    let uuid = node.put("/kv/caf%C3%A9/%61+b", "1").await.uuid();
    assert_eq!(node.get("/kv/caf%c3%a9/a%2Bb").await.uuid(), uuid);
    // A plus sign is a plus sign in a path.
    node.get("/kv/caf%C3%A9/a%20b").await.expect(404);
}

#[tokio::test]
async fn small_bodies_of_other_routes_are_bounded_too() {
    let node = TestNode::with(|settings| settings.limits.value_size = Size::kib(1));
    let body = format!("{{\"uuid\":\"{}\"}}", "x".repeat(1024));
    for line in ["POST /kv/a/_restore", "PUT /kv/a/_metadata", "PATCH /kv/a"] {
        node.call(line, &[], body.clone()).await.refuses(413, "too-large", "1024 bytes");
    }
}
