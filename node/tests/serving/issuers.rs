//! Issuers that are reached over TLS: here another node, whose keys are a value.

use std::fs;
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use kvs_config::{OidcIssuer, Settings};
use kvs_node::server::{Server, Tls};
use serde_json::json;
use tempfile::TempDir;

use crate::served::{NOW, Served, serve_on, serve_with, settings};
use crate::tls::certify;

/// An issuer with TLS, and the key that it signs with.
struct Issuer {
    served: Served,
    key: Ed25519KeyPair,
    dir: TempDir,
}

impl Issuer {
    async fn start() -> Self {
        let (dir, key) = (tempfile::tempdir().unwrap(), Ed25519KeyPair::generate().unwrap());
        let settings = Settings { tls: certify(dir.path()), ..settings(dir.path()) };
        let tls = Tls::load(&settings.tls).unwrap();
        let served = serve_on(Server::bind(&settings).unwrap().with_tls(tls), settings).await;
        let issuer = Self { served, key, dir };
        let x = BASE64.encode(issuer.key.public_key().as_ref());
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "one", "x": x }] });
        let trusting = fs::read(issuer.certificate()).unwrap();
        let trusting = reqwest::Certificate::from_pem(&trusting).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([trusting]).build().unwrap();
        let put = http.put(issuer.url("/kv/keys")).body(keys.to_string()).send().await.unwrap();
        assert_eq!(put.status(), 201);
        issuer
    }

    fn certificate(&self) -> std::path::PathBuf {
        self.dir.path().join("cert.pem")
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.served.address)
    }

    fn token(&self) -> String {
        let now = NOW / 1_000;
        let header = json!({ "alg": "EdDSA", "kid": "one" });
        let claims =
            json!({ "iss": self.url(""), "aud": "kvs", "sub": "ann", "iat": now, "exp": now + 60 });
        let parts = [header, claims].map(|part| BASE64.encode(part.to_string()));
        let signed = parts.join(".");
        format!("{signed}.{}", BASE64.encode(self.key.sign(signed.as_bytes())))
    }
}

/// What a node says of the issuer's token that trusts it by this file: status and kind of problem.
async fn judged(issuer: &Issuer, ca_file: &Path) -> (u16, String) {
    let believed = OidcIssuer {
        issuer: issuer.url(""),
        audience: "kvs".to_owned(),
        prefix: "corp:".to_owned(),
        user_claim: None,
        groups_claim: None,
        jwks_uri: Some(issuer.url("/kv/keys?raw")),
        ca_file: Some(ca_file.to_owned()),
    };
    let node = serve_with(|settings| {
        settings.auth_enabled = true;
        settings.oidc = vec![believed];
    })
    .await;
    node.node.accounts().ready().await;
    let whoami = reqwest::Client::new().get(node.url("/api/whoami")).bearer_auth(issuer.token());
    let answer = whoami.send().await.unwrap();
    let status = answer.status().as_u16();
    let body: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    node.stop().await;
    (
        status,
        body["type"].as_str().unwrap_or_default().trim_start_matches("urn:kvs:problem:").to_owned(),
    )
}

#[tokio::test]
async fn an_issuer_is_trusted_by_its_file_of_authorities_and_by_nothing_else() {
    let issuer = Issuer::start().await;
    // Its keys were had: what is missing is a user here.
    let believed = (401, "identity-unmapped".to_owned());
    assert_eq!(judged(&issuer, &issuer.certificate()).await, believed);
    let other = tempfile::tempdir().unwrap();
    certify(other.path());
    let unreachable = (503, "issuer-unreachable".to_owned());
    assert_eq!(judged(&issuer, &other.path().join("cert.pem")).await, unreachable);
    assert_eq!(judged(&issuer, &other.path().join("absent.pem")).await, unreachable);
    issuer.served.stop().await;
}
