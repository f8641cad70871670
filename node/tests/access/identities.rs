//! Issuers outside: whom they vouch for, and what they cannot make this node do.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use kvs_config::OidcIssuer;
use serde_json::{Value, json};

use crate::harness::{Answered, Guarded, START};
use crate::issuer::{DESCRIPTION, KEYS, Signer, Site};

const NOW: u64 = START / 1_000;

/// A node that believes these issuers, with a user for whom they can vouch.
async fn believing(oidc: Vec<OidcIssuer>) -> Guarded {
    let node = Guarded::with(|settings| settings.oidc = oidc).await;
    node.user("corp:ann", &["read"]).await;
    node
}

/// What a good token of an issuer says.
fn claims(site: &Site) -> Value {
    json!({ "iss": site.url, "aud": "kvs", "sub": "ann", "iat": NOW, "exp": NOW + 36_000 })
}

fn with(mut claims: Value, more: &Value) -> Value {
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

async fn whoami(node: &Guarded, token: &str) -> Answered {
    node.call(token, "GET /api/whoami", "").await
}

#[tokio::test]
async fn a_token_of_an_issuer_is_of_the_user_and_the_groups_here_that_it_names() {
    let (site, key) = (Site::start().await, Signer::rsa("one"));
    site.publishes(&[&key]);
    let node = believing(vec![site.believed()]).await;
    let group = json!({ "name": "corp:writers", "scopes": ["write"] });
    node.as_root("POST /api/groups", group.to_string()).await.expect(201);

    let plain = key.token(&claims(&site));
    let said = whoami(&node, &plain).await.expect(200).json();
    assert_eq!((&said["user"], &said["scopes"]), (&json!("corp:ann"), &json!(["read"])));
    assert_eq!((&said["token"], &said["expires"]), (&Value::Null, &json!((NOW + 36_000) * 1_000)));
    node.call(&plain, "PUT /kv/x", "1").await.refuses(403, "scope-missing");

    let groups = json!({ "groups": ["writers", "nobody's"] });
    let writing = key.token(&with(claims(&site), &groups));
    let said = whoami(&node, &writing).await.expect(200).json();
    assert_eq!(said["groups"], json!(["corp:writers"]));
    node.call(&writing, "PUT /kv/x", "1").await.expect(201);
    // What is taken from the group here is taken from them at once.
    let nothing = json!({ "scopes": [] }).to_string();
    node.as_root("PATCH /api/groups/corp:writers", nothing).await.expect(200);
    node.call(&writing, "PUT /kv/x", "1").await.refuses(403, "scope-missing");

    for (sub, kind) in [
        ("ben", "identity-unmapped"),
        ("root", "identity-unmapped"),
        ("a b", "identity-unmapped"),
        ("", "token-malformed"),
    ] {
        let token = key.token(&with(claims(&site), &json!({ "sub": sub })));
        whoami(&node, &token).await.refuses(401, kind);
    }
    let disabled = json!({ "disabled": true }).to_string();
    node.as_root("PATCH /api/users/corp:ann", disabled).await.expect(200);
    whoami(&node, &plain).await.refuses(401, "identity-unmapped");
    assert_eq!((site.times(DESCRIPTION), site.times(KEYS)), (1, 1), "what is known is not asked");
    node.stop().await;
}

#[tokio::test]
async fn tokens_count_if_all_that_they_say_holds_and_the_key_is_for_it() {
    let site = Site::start().await;
    let (rsa, ec, ed) = (Signer::rsa("rsa"), Signer::ec("ec"), Signer::ed("ed"));
    site.publishes(&[&rsa, &ec, &ed]);
    let node = believing(vec![site.believed()]).await;
    for key in [&rsa, &ec, &ed] {
        whoami(&node, &key.token(&claims(&site))).await.expect(200);
    }
    let many = with(claims(&site), &json!({ "aud": ["other", "kvs"] }));
    whoami(&node, &rsa.token(&many)).await.expect(200);

    for (more, kind) in [
        (json!({ "aud": "other" }), "token-audience"),
        (json!({ "aud": ["kvs2"] }), "token-audience"),
        (json!({ "iss": format!("{}/", site.url) }), "token-issuer"),
        (json!({ "iss": "kvs" }), "token-key"),
        (json!({ "exp": NOW }), "token-expired"),
        (json!({ "nbf": NOW + 61 }), "token-not-yet-valid"),
        (json!({ "exp": "never" }), "token-malformed"),
    ] {
        let token = rsa.token(&with(claims(&site), &more));
        let answer = whoami(&node, &token).await;
        assert_eq!((answer.status.as_u16(), answer.kind().as_str()), (401, kind), "{more}");
    }
    let unsigned = |header: Value| {
        let parts = [header, claims(&site)].map(|part| BASE64.encode(part.to_string()));
        format!("{}.{}.", parts[0], parts[1])
    };
    let hs256 = {
        let header = json!({ "alg": "HS256", "kid": "rsa" });
        let signed = unsigned(header).trim_end_matches('.').to_owned();
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &rsa.public());
        let tag = aws_lc_rs::hmac::sign(&secret, signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(tag.as_ref()))
    };
    for (what, token, kind) in [
        ("unsigned", unsigned(json!({ "alg": "none", "kid": "rsa" })), "token-algorithm"),
        ("HS256 with the public key", hs256, "token-algorithm"),
        ("no signature", unsigned(json!({ "alg": "RS256", "kid": "rsa" })), "token-signature"),
        ("another's key", Signer::rsa("rsa").token(&claims(&site)), "token-signature"),
        (
            "another algorithm",
            ec.token_with(&json!({ "alg": "ES256", "kid": "rsa" }), &claims(&site)),
            "token-algorithm",
        ),
        ("no key named", rsa.token_with(&json!({ "alg": "RS256" }), &claims(&site)), "token-key"),
        ("an unknown key", Signer::ed("other").token(&claims(&site)), "token-key"),
    ] {
        let answer = whoami(&node, &token).await;
        assert_eq!((answer.status.as_u16(), answer.kind().as_str()), (401, kind), "{what}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_key_that_is_new_is_fetched_and_one_that_is_gone_counts_no_more() {
    let (site, old, new) = (Site::start().await, Signer::ed("old"), Signer::ed("new"));
    site.publishes(&[&old]);
    let node = believing(vec![site.believed()]).await;
    let (by_old, by_new) = (old.token(&claims(&site)), new.token(&claims(&site)));
    whoami(&node, &by_old).await.expect(200);
    site.publishes(&[&new]);
    // Whoever makes up names of keys makes no more requests.
    for _ in 0..3 {
        whoami(&node, &by_new).await.refuses(401, "token-key");
    }
    assert_eq!(site.times(KEYS), 1);
    node.advance(Duration::from_secs(30));
    whoami(&node, &by_new).await.expect(200);
    assert_eq!(site.times(KEYS), 2);
    whoami(&node, &by_old).await.expect(200);
    node.advance(Duration::from_secs(570));
    whoami(&node, &by_old).await.refuses(401, "token-key");
    whoami(&node, &by_new).await.expect(200);
    // By its name a key is looked for, and once in a while whether it is still there.
    node.advance(Duration::from_mins(10));
    site.publishes(&[]);
    whoami(&node, &by_new).await.refuses(401, "token-key");
    node.stop().await;
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_no_reason_to_believe_or_to_disbelieve() {
    let (site, key) = (Site::start().await, Signer::ed("one"));
    let node = believing(vec![site.believed()]).await;
    let (token, another) =
        (key.token(&claims(&site)), key.token(&with(claims(&site), &json!({ "jti": "2" }))));
    let answer = whoami(&node, &token).await;
    answer.refuses(503, "issuer-unreachable");
    assert_eq!(answer.header("retry-after"), "1");
    site.publishes(&[&key]);
    whoami(&node, &token).await.refuses(503, "issuer-unreachable");
    node.advance(Duration::from_secs(5));
    whoami(&node, &token).await.expect(200);

    // Keys that were seen count for a day without it.
    site.fails(DESCRIPTION, 500);
    node.advance(Duration::from_hours(9));
    whoami(&node, &another).await.expect(200);
    whoami(&node, &token).await.expect(200);
    let long = with(claims(&site), &json!({ "exp": NOW + 1_000_000 }));
    node.advance(Duration::from_hours(15) - Duration::from_secs(1));
    whoami(&node, &key.token(&long)).await.expect(200);
    node.advance(Duration::from_secs(6));
    whoami(&node, &key.token(&long)).await.expect(200);
    node.advance(Duration::from_mins(10));
    whoami(&node, &key.token(&long)).await.refuses(503, "issuer-unreachable");
    node.stop().await;
}

/// What a node says of a token of an issuer that misbehaves, and that the issuer's friend was never
/// asked by it.
async fn misled(what: &str, misbehave: impl FnOnce(&Site, &Site)) {
    let (site, inside, key) = (Site::start().await, Site::start().await, Signer::ed("one"));
    site.publishes(&[&key]);
    inside.publishes(&[&key]);
    misbehave(&site, &inside);
    let node = believing(vec![site.believed()]).await;
    let answer = whoami(&node, &key.token(&claims(&site))).await;
    assert_eq!(
        (answer.status.as_u16(), answer.kind().as_str()),
        (503, "issuer-unreachable"),
        "{what}"
    );
    assert!(inside.asked().is_empty(), "{what}: {:?}", inside.asked());
    assert_eq!(node.login_failures().await, 1, "{what}");
    node.stop().await;
}

#[tokio::test]
async fn no_request_goes_where_the_configuration_did_not_point() {
    misled("its description redirects inwards", |site, inside| {
        site.redirects(DESCRIPTION, &format!("{}{DESCRIPTION}", inside.url));
    })
    .await;
    misled("its keys redirect inwards", |site, inside| {
        site.redirects(KEYS, &format!("{}{KEYS}", inside.url));
    })
    .await;
    misled("its keys are said to be elsewhere", |site, inside| {
        let keys = format!("{}{KEYS}", inside.url);
        site.says(DESCRIPTION, &json!({ "issuer": site.url, "jwks_uri": keys }));
    })
    .await;
    misled("its keys are said to be at another name of the same machine", |site, _inside| {
        let keys = format!("{}{KEYS}", site.url.replace("127.0.0.1", "localhost"));
        site.says(DESCRIPTION, &json!({ "issuer": site.url, "jwks_uri": keys }));
    })
    .await;
    misled("its keys are said to be a file", |site, _inside| {
        site.says(DESCRIPTION, &json!({ "issuer": site.url, "jwks_uri": "file:///etc/passwd" }));
    })
    .await;
    misled("it describes another issuer", |site, inside| {
        let keys = format!("{}{KEYS}", site.url);
        site.says(DESCRIPTION, &json!({ "issuer": inside.url, "jwks_uri": keys }));
    })
    .await;
    misled("its keys are no keys", |site, _inside| site.says(KEYS, &"<html>")).await;
}

#[tokio::test]
async fn nothing_in_a_token_leads_anywhere() {
    let (site, inside) = (Site::start().await, Site::start().await);
    let (key, own) = (Signer::ed("one"), Signer::ed("own"));
    site.publishes(&[&key]);
    inside.publishes(&[&own]);
    let node = believing(vec![site.believed()]).await;
    let elsewhere = format!("{}{KEYS}", inside.url);
    for (what, header, said, kind) in [
        (
            "jku",
            json!({ "alg": "EdDSA", "kid": "own", "jku": elsewhere }),
            claims(&site),
            "token-key",
        ),
        (
            "x5u",
            json!({ "alg": "EdDSA", "kid": "own", "x5u": elsewhere }),
            claims(&site),
            "token-key",
        ),
        (
            "jwk",
            json!({ "alg": "EdDSA", "kid": "own", "jwk": own.jwk() }),
            claims(&site),
            "token-key",
        ),
        (
            "jwk with a known kid",
            json!({ "alg": "EdDSA", "kid": "one", "jwk": own.jwk() }),
            claims(&site),
            "token-signature",
        ),
        ("kid", json!({ "alg": "EdDSA", "kid": elsewhere }), claims(&site), "token-key"),
        ("iss", json!({ "alg": "EdDSA", "kid": "own" }), claims(&inside), "token-issuer"),
        (
            "crit",
            json!({ "alg": "EdDSA", "kid": "one", "crit": ["x"] }),
            claims(&site),
            "token-malformed",
        ),
    ] {
        let answer = whoami(&node, &own.token_with(&header, &said)).await;
        assert_eq!((answer.status.as_u16(), answer.kind().as_str()), (401, kind), "{what}");
    }
    assert!(inside.asked().is_empty(), "{:?}", inside.asked());
    node.stop().await;
}

#[tokio::test]
async fn keys_elsewhere_count_where_the_configuration_says_so() {
    let (site, elsewhere, key) = (Site::start().await, Site::start().await, Signer::ed("one"));
    elsewhere.publishes(&[&key]);
    let jwks_uri = Some(format!("{}{KEYS}", elsewhere.url));
    let node = believing(vec![OidcIssuer { jwks_uri, ..site.believed() }]).await;
    whoami(&node, &key.token(&claims(&site))).await.expect(200);
    assert!(site.asked().is_empty());
    node.stop().await;
}

#[tokio::test]
async fn an_answer_has_at_most_a_mebibyte() {
    let key = Signer::ed("one");
    for (over, status) in [(0, 200), (1, 503)] {
        let site = Site::start().await;
        site.publishes(&[&key]);
        let keys = json!({ "keys": [key.jwk()] }).to_string();
        site.says(KEYS, &format!("{keys}{}", " ".repeat((1 << 20) + over - keys.len())));
        let node = believing(vec![site.believed()]).await;
        whoami(&node, &key.token(&claims(&site))).await.expect(status);
        node.stop().await;
    }
}

#[tokio::test]
async fn issuers_do_not_vouch_for_each_others_users() {
    let (one, two, key) = (Site::start().await, Site::start().await, Signer::ed("one"));
    let other = Signer::ed("one");
    one.publishes(&[&key]);
    two.publishes(&[&other]);
    let second = OidcIssuer { prefix: "two:".to_owned(), ..two.believed() };
    let node = believing(vec![one.believed(), second]).await;
    whoami(&node, &key.token(&claims(&one))).await.expect(200);
    // Each with its own key and prefix, though the keys have one name.
    whoami(&node, &other.token(&claims(&one))).await.refuses(401, "token-signature");
    whoami(&node, &other.token(&claims(&two))).await.refuses(401, "identity-unmapped");
    node.user("two:ann", &["read"]).await;
    let said = whoami(&node, &other.token(&claims(&two))).await.expect(200).json();
    assert_eq!(said["user"], "two:ann");
    node.stop().await;
}
