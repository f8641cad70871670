//! Clients that say by a certificate who they are.

use std::fs;
use std::path::Path;
use std::time::Duration;

use kvs_config::Settings;
use kvs_node::server::{Server, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::served::{DEADLINE, Served, serve_on, settings};
use crate::tls::{certify, pem};

/// Somebody who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = pem("CERTIFICATE", params.self_signed(&key).unwrap().der());
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// A certificate with its key, of somebody of that name.
    fn identity(
        &self,
        name: &str,
        serial: u64,
        change: impl FnOnce(&mut CertificateParams),
    ) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from(serial));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        pem("CERTIFICATE", certificate.der()) + &pem("PRIVATE KEY", &key.serialize_der())
    }

    /// The list of what it has revoked.
    fn revoked(&self, serials: &[u64]) -> String {
        let (this_update, next_update) = (date_time_ymd(2020, 1, 1), date_time_ymd(4000, 1, 1));
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        pem("X509 CRL", list.signed_by(&self.issuer).unwrap().der())
    }
}

/// A node that asks clients who they are, and believes an authority.
struct Site {
    served: Served,
    tls: Tls,
    authority: Authority,
    root: String,
    dir: TempDir,
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new("the authority");
        let file = |name: &str| Some(dir.path().join(name));
        fs::write(dir.path().join("ca.pem"), &authority.certificate).unwrap();
        fs::write(dir.path().join("crl.pem"), authority.revoked(&[])).unwrap();
        let tls = kvs_config::Tls {
            client_ca_file: file("ca.pem"),
            client_crl_file: file("crl.pem"),
            ..certify(dir.path())
        };
        let settings = Settings { tls, auth_enabled: true, ..settings(dir.path()) };
        let tls = Tls::load(&settings.tls).unwrap().unwrap();
        let server = Server::bind(&settings).unwrap().with_tls(Some(tls.clone()));
        let served = serve_on(server, settings).await;
        served.node.accounts().ready().await;
        let root = fs::read_to_string(dir.path().join("root-token")).unwrap().trim().to_owned();
        let site = Self { served, tls, authority, root, dir };
        let ann = json!({ "name": "ann", "scopes": ["read", "write"] });
        assert_eq!(site.as_root(Method::POST, "/api/users", &ann).await, 201);
        site
    }

    /// A client that shows this certificate.
    fn client(&self, identity: Option<&str>) -> reqwest::Client {
        client(self.dir.path(), identity)
    }

    async fn as_root(&self, method: Method, path: &str, body: &Value) -> u16 {
        let request = self.client(None).request(method, self.url(path)).bearer_auth(&self.root);
        request.body(body.to_string()).send().await.unwrap().status().as_u16()
    }

    /// Who the node says the client is: their name, or what is wrong with them.
    async fn who(&self, client: &reqwest::Client) -> String {
        let whoami = client.get(self.url("/api/whoami")).send().await.unwrap();
        let body: Value = serde_json::from_slice(&whoami.bytes().await.unwrap()).unwrap();
        assert_eq!(body["token"], Value::Null, "a certificate is no token");
        let said = body["user"].as_str().or_else(|| body["type"].as_str()).unwrap();
        said.trim_start_matches("urn:kvs:problem:").to_owned()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.served.address)
    }
}

fn client(dir: &Path, identity: Option<&str>) -> reqwest::Client {
    let node = fs::read(dir.join("cert.pem")).unwrap();
    let node = reqwest::Certificate::from_pem(&node).unwrap();
    let mut http = reqwest::Client::builder().tls_certs_only([node]);
    if let Some(identity) = identity {
        http = http.identity(reqwest::Identity::from_pem(identity.as_bytes()).unwrap());
    }
    http.build().unwrap()
}

#[tokio::test]
async fn a_client_is_the_user_whom_its_certificate_names_and_a_token_counts_more() {
    let site = Site::new().await;
    let ann = site.client(Some(&site.authority.identity("ann", 1, |_| {})));
    assert_eq!(site.who(&ann).await, "ann");
    let put = ann.put(site.url("/kv/x")).body("1").send().await.unwrap();
    assert_eq!(put.status(), 201);
    let denied = ann.delete(site.url("/kv/x")).send().await.unwrap();
    assert_eq!(denied.status(), 403);
    let metadata = ann.get(site.url("/kv/x/_metadata")).send().await.unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.bytes().await.unwrap()).unwrap();
    assert!(metadata["owner"].is_string(), "what she writes is hers: {metadata}");

    let as_root = ann.get(site.url("/api/whoami")).bearer_auth(&site.root).send().await.unwrap();
    let as_root: Value = serde_json::from_slice(&as_root.bytes().await.unwrap()).unwrap();
    assert_eq!(as_root["user"], "root");
    // One that is no good is not made up for by the certificate.
    let wrong = ann.get(site.url("/api/whoami")).bearer_auth("wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(site.who(&site.client(None)).await, "credentials-missing");
    site.served.stop().await;
}

#[tokio::test]
async fn who_is_nobody_here_is_refused_and_so_is_whoever_is_disabled() {
    let site = Site::new().await;
    let known = |name: &str| site.client(Some(&site.authority.identity(name, 1, |_| {})));
    assert_eq!(site.who(&known("ben")).await, "identity-unmapped");
    assert_eq!(site.who(&known("a b")).await, "certificate-unmapped");
    let ann = known("ann");
    assert_eq!(site.who(&ann).await, "ann");
    let disabled = json!({ "disabled": true });
    assert_eq!(site.as_root(Method::PATCH, "/api/users/ann", &disabled).await, 200);
    assert_eq!(site.who(&ann).await, "identity-unmapped");
    // What takes no credentials is told to everybody.
    assert_eq!(ann.get(site.url("/livez")).send().await.unwrap().status(), 200);
    site.served.stop().await;
}

#[tokio::test]
async fn certificates_of_others_for_something_else_and_of_yesterday_are_not_let_in() {
    let site = Site::new().await;
    let stranger = Authority::new("the authority").identity("ann", 1, |_| {});
    let server = site.authority.identity("ann", 2, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let ended =
        site.authority.identity("ann", 3, |params| params.not_after = date_time_ymd(2020, 1, 1));
    for (what, identity) in [("stranger", stranger), ("server", server), ("ended", ended)] {
        let sent = site.client(Some(&identity)).get(site.url("/livez")).send().await;
        assert!(sent.is_err(), "{what}: {sent:?}");
    }
    site.served.stop().await;
}

#[tokio::test]
async fn a_certificate_that_ends_while_its_connection_is_open_says_nothing_any_more() {
    let site = Site::new().await;
    // The node's clock stands still in 2023; handshakes go by the machine's.
    let until =
        site.authority.identity("ann", 1, |params| params.not_after = date_time_ymd(3000, 1, 1));
    let ann = site.client(Some(&until));
    assert_eq!(site.who(&ann).await, "ann");
    site.served.clock.advance(Duration::from_hours(24 * 366 * 1_000));
    assert_eq!(site.who(&ann).await, "token-expired");
    site.served.stop().await;
}

#[tokio::test]
async fn what_is_revoked_is_refused_once_the_files_are_read_again_on_open_connections_too() {
    let site = Site::new().await;
    let (ann, other) =
        (site.authority.identity("ann", 7, |_| {}), site.authority.identity("ann", 8, |_| {}));
    let (revoked, stays) = (site.client(Some(&ann)), site.client(Some(&other)));
    for client in [&revoked, &stays] {
        assert_eq!(site.who(client).await, "ann");
    }
    fs::write(site.dir.path().join("crl.pem"), site.authority.revoked(&[7])).unwrap();
    site.tls.read_again();
    let refused = async {
        // The connection that is open ends with the answer that is under way, if there is one.
        while revoked.get(site.url("/livez")).send().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, refused).await.unwrap();
    assert_eq!(site.who(&stays).await, "ann");

    // What cannot be read changes nothing.
    fs::write(site.dir.path().join("crl.pem"), "no list").unwrap();
    site.tls.read_again();
    assert!(site.client(Some(&ann)).get(site.url("/livez")).send().await.is_err());
    assert_eq!(site.who(&stays).await, "ann");
    site.served.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_cannot_use_the_certificate_of_a_browser() {
    let site = Site::new().await;
    let ann = site.client(Some(&site.authority.identity("ann", 1, |_| {})));
    let own = site.url("");
    for (origin, wanted) in [
        ("https://evil.example", 403),
        ("null", 403),
        (own.replace("https", "http").as_str(), 403),
        (own.as_str(), 201),
    ] {
        let put = ann.put(site.url("/kv/x")).header("origin", origin).body("1").send().await;
        assert_eq!(put.unwrap().status(), wanted, "{origin}");
    }
    site.served.stop().await;
}

#[test]
fn files_of_authorities_and_lists_that_are_none_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new("the authority");
    let (ca, crl) = (dir.path().join("ca.pem"), dir.path().join("crl.pem"));
    let files = kvs_config::Tls {
        client_ca_file: Some(ca.clone()),
        client_crl_file: Some(crl.clone()),
        ..certify(dir.path())
    };
    let error = Tls::load(&files).unwrap_err().to_string();
    assert!(error.contains("ca.pem"), "{error}");
    fs::write(&ca, &authority.certificate).unwrap();
    fs::write(&crl, &authority.certificate).unwrap();
    let error = Tls::load(&files).unwrap_err().to_string();
    assert!(error.contains("crl.pem: there is none in it"), "{error}");
    fs::write(&crl, authority.revoked(&[1])).unwrap();
    Tls::load(&files).unwrap().unwrap();
}
