//! Somebody outside, as the tests have them: an HTTP server on this machine that answers what it is
//! told, and signers of tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use http_body_util::BodyExt as _;
use kvs_config::OidcIssuer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Where an issuer describes itself.
pub(crate) const DESCRIPTION: &str = "/.well-known/openid-configuration";
/// Where its keys are.
pub(crate) const KEYS: &str = "/keys";

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) body: String,
}

/// An answer: status, a header if need be, body.
#[derive(Clone)]
struct Said {
    status: u16,
    location: Option<String>,
    body: String,
}

/// A server on this machine.
pub(crate) struct Site {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _end: DropGuard,
}

#[derive(Default)]
struct Shared {
    said: Mutex<HashMap<String, Said>>,
    asked: Mutex<Vec<Asked>>,
    /// Held while nothing is to be answered.
    silence: tokio::sync::Mutex<()>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let end = CancellationToken::new();
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let ended = end.clone().cancelled_owned();
        let serving = axum::serve(listener, router).with_graceful_shutdown(ended);
        TaskTracker::new().spawn(serving.into_future());
        Self { url, shared, _end: end.drop_guard() }
    }

    /// What it answers at a path from now on.
    pub(crate) fn says(&self, path: &str, body: &impl ToString) {
        self.put(path, Said { status: 200, location: None, body: body.to_string() });
    }

    pub(crate) fn fails(&self, path: &str, status: u16) {
        self.put(path, Said { status, location: None, body: String::new() });
    }

    pub(crate) fn redirects(&self, path: &str, to: &str) {
        let location = Some(to.to_owned());
        self.put(path, Said { status: 307, location, body: String::new() });
    }

    fn put(&self, path: &str, said: Said) {
        self.shared.said.lock().unwrap().insert(path.to_owned(), said);
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    pub(crate) fn times(&self, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.path == path).count()
    }

    /// Nothing is answered until what this gives is dropped.
    pub(crate) async fn silence(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.shared.silence.lock().await
    }

    /// Describes itself, with these keys.
    pub(crate) fn publishes(&self, keys: &[&Signer]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.says(KEYS, &json!({ "keys": keys }));
        let jwks_uri = format!("{}{KEYS}", self.url);
        self.says(DESCRIPTION, &json!({ "issuer": self.url, "jwks_uri": jwks_uri }));
    }

    /// The settings that believe it.
    pub(crate) fn believed(&self) -> OidcIssuer {
        OidcIssuer {
            issuer: self.url.clone(),
            audience: "kvs".to_owned(),
            prefix: "corp:".to_owned(),
            user_claim: None,
            groups_claim: Some("groups".to_owned()),
            jwks_uri: None,
            ca_file: None,
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let authorization = parts.headers.get("authorization");
    shared.asked.lock().unwrap().push(Asked {
        path: parts.uri.path().to_owned(),
        authorization: authorization.map_or("", |value| value.to_str().unwrap()).to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    drop(shared.silence.lock().await);
    let said = shared.said.lock().unwrap().get(parts.uri.path()).cloned();
    let nothing = Said { status: 404, location: None, body: String::new() };
    let Said { status, location, body } = said.unwrap_or(nothing);
    let response = Response::builder().status(status);
    let response = location.iter().fold(response, |response, to| response.header("location", to));
    response.body(Body::from(body)).unwrap()
}

/// A key that signs tokens.
pub(crate) struct Signer {
    kid: String,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn rsa(kid: &str) -> Self {
        Self { kid: kid.to_owned(), key: Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()) }
    }

    pub(crate) fn ec(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.to_owned(), key: Key::Ec(pair) }
    }

    pub(crate) fn ed(kid: &str) -> Self {
        Self { kid: kid.to_owned(), key: Key::Ed(Ed25519KeyPair::generate().unwrap()) }
    }

    /// Its public half, as issuers publish it.
    pub(crate) fn jwk(&self) -> Value {
        match &self.key {
            Key::Rsa(_) => {
                json!({ "kty": "RSA", "use": "sig", "kid": self.kid, "n": BASE64.encode(self.public()), "e": "AQAB" })
            }
            Key::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                let (x, y) = (BASE64.encode(x), BASE64.encode(y));
                json!({ "kty": "EC", "crv": "P-256", "kid": self.kid, "alg": "ES256", "x": x, "y": y })
            }
            Key::Ed(_) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": BASE64.encode(self.public()) })
            }
        }
    }

    /// The bytes of the public half: of RSA, the modulus, which lies in the middle of its DER.
    pub(crate) fn public(&self) -> Vec<u8> {
        match &self.key {
            Key::Rsa(pair) => pair.public_key().as_ref()[9..9 + 256].to_vec(),
            Key::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Key::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Rsa(_) => "RS256",
            Key::Ec(_) => "ES256",
            Key::Ed(_) => "EdDSA",
        }
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": self.algorithm(), "kid": self.kid }), claims)
    }

    /// The same under a header of the test's own.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed =
            format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        format!("{signed}.{}", BASE64.encode(self.sign(signed.as_bytes())))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Rsa(pair) => {
                let mut signature = vec![0; 256];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Key::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}
