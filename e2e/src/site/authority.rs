//! An authority of a scenario's own, and certificates by it: made by openssl.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Site;
use crate::failure::Failure;
use crate::{kubernetes, machine};

/// What its pairs are made with.
const NEW: [&str; 9] = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "3",
];

/// An authority that nobody knows but whom a scenario tells.
pub(crate) struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// A new one, whose certificate is put into a `ConfigMap` under `ca.crt`.
    ///
    /// # Errors
    ///
    /// There is no openssl, or the API server refuses.
    pub(crate) async fn new(site: &Site, space: &str, map: &str) -> Result<Self, Failure> {
        let folder = site.folder(space)?;
        let authority = Self { folder };
        authority.make("ca", &["-subj", "/CN=e2e"]).await?;
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": map },
            "data": { "ca.crt": authority.read("ca.crt")? },
        });
        kubernetes::apply_object(&site.client, space, &object).await?;
        Ok(authority)
    }

    /// A Secret with a pair for these names, as cert-manager makes one.
    ///
    /// # Errors
    ///
    /// There is no openssl, or the API server refuses.
    pub(crate) async fn issue(
        &self,
        site: &Site,
        space: &str,
        secret: &str,
        names: &[String],
    ) -> Result<(), Failure> {
        let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
        let names = format!("subjectAltName={}", names.join(","));
        let (ca, key) = (self.path("ca.crt"), self.path("ca.key"));
        let by = ["-CA", &text(&ca), "-CAkey", &text(&key), "-subj", "/CN=e2e-leaf"];
        let leaf = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", &names];
        self.make(secret, &[&by[..], &leaf[..]].concat()).await?;
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": secret },
            "type": "kubernetes.io/tls",
            "stringData": {
                "tls.crt": self.read(&format!("{secret}.crt"))?,
                "tls.key": self.read(&format!("{secret}.key"))?,
            },
        });
        Ok(kubernetes::apply_object(&site.client, space, &object).await?)
    }

    async fn make(&self, name: &str, more: &[&str]) -> Result<(), Failure> {
        let (certificate, key) =
            (self.path(&format!("{name}.crt")), self.path(&format!("{name}.key")));
        let out = ["-out", &text(&certificate), "-keyout", &text(&key)];
        machine::run(Path::new("openssl"), &[&NEW[..], &out[..], more].concat()).await.map(drop)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn read(&self, file: &str) -> Result<String, Failure> {
        Ok(fs::read_to_string(self.path(file))?)
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
