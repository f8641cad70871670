//! Key sets (RFC 7517), and what their keys sign.

use std::collections::HashMap;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use kvs_core::token::Algorithm;
use serde::Deserialize;
use serde_json::Value;

/// The most keys of a set that are looked at.
pub(super) const MOST: usize = 64;

/// A set of keys, as an issuer publishes it.
#[derive(Debug, Deserialize)]
pub(super) struct Published {
    /// Each is read on its own: one of a kind that is not known here does not spoil the others.
    keys: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of an issuer that tokens can be signed with, by what tokens call them.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    named: HashMap<String, PublicKey>,
    /// The one that has no name, if there is just one such key.
    nameless: Option<PublicKey>,
}

/// A public key, and the one algorithm that it is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    pub(super) algorithm: Algorithm,
    parts: Parts,
}

#[derive(Debug, PartialEq, Eq)]
enum Parts {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point, uncompressed, or the key of `EdDSA`.
    Curve(Vec<u8>),
}

impl From<Published> for KeySet {
    fn from(published: Published) -> Self {
        let mut set = Self::default();
        let mut nameless = 0;
        for key in published.keys.into_iter().take(MOST) {
            let Some((kid, key)) = read(key) else { continue };
            if let Some(kid) = kid {
                // Which of two of one name is meant nobody can say: the first.
                set.named.entry(kid).or_insert(key);
            } else {
                nameless += 1;
                set.nameless = (nameless == 1).then_some(key);
            }
        }
        set
    }
}

impl KeySet {
    /// The key that a token means. One that names none means the only one that there is.
    pub(super) fn find(&self, kid: Option<&str>) -> Option<&PublicKey> {
        let Some(kid) = kid else {
            let mut all = self.named.values().chain(&self.nameless);
            let only = all.next()?;
            return all.next().is_none().then_some(only);
        };
        self.named.get(kid)
    }
}

fn read(key: Value) -> Option<(Option<String>, PublicKey)> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let signs = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
    let verifies =
        jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|op| op == "verify"));
    if !signs || !verifies {
        return None;
    }
    let part = |text: &Option<String>| BASE64.decode(text.as_deref()?).ok();
    let (usual, parts) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => (Algorithm::Rs256, Parts::Rsa { n: part(&jwk.n)?, e: part(&jwk.e)? }),
        ("EC", Some("P-256")) => (Algorithm::Es256, point(&part(&jwk.x)?, &part(&jwk.y)?, 32)?),
        ("EC", Some("P-384")) => (Algorithm::Es384, point(&part(&jwk.x)?, &part(&jwk.y)?, 48)?),
        ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, Parts::Curve(part(&jwk.x)?)),
        _ => return None,
    };
    let algorithm = match &jwk.alg {
        None => usual,
        Some(name) => Algorithm::named(name).filter(|named| is_for(*named, usual))?,
    };
    Some((jwk.kid, PublicKey { algorithm, parts }))
}

/// Whether a key whose kind is usually for one algorithm can be for another.
fn is_for(named: Algorithm, usual: Algorithm) -> bool {
    use Algorithm::{Ps256, Rs256, Rs384, Rs512};
    named == usual || usual == Rs256 && matches!(named, Rs384 | Rs512 | Ps256)
}

fn point(x: &[u8], y: &[u8], length: usize) -> Option<Parts> {
    let fits = x.len() == length && y.len() == length;
    fits.then(|| Parts::Curve([&[4u8][..], x, y].concat()))
}

impl PublicKey {
    /// Whether the signature is that of these bytes under this key.
    pub(super) fn fits(&self, signed: &[u8], signature: &[u8]) -> bool {
        match (&self.parts, self.algorithm) {
            (Parts::Rsa { n, e }, algorithm) => {
                let Some(parameters) = rsa(algorithm) else { return false };
                let key = RsaPublicKeyComponents { n, e };
                key.verify(parameters, signed, signature).is_ok()
            }
            (Parts::Curve(point), algorithm) => {
                let Some(curve) = curve(algorithm) else { return false };
                UnparsedPublicKey::new(curve, point).verify(signed, signature).is_ok()
            }
        }
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Es384 => None,
    }
}

fn curve(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::Es256 => Some(&ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => Some(&ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDsa => Some(&ED25519),
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 | Algorithm::Ps256 => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Example keys of RFC 7517 (appendix A.1) and RFC 8037 (appendix A.2).
    const X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
    const Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";
    const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn set(keys: &Value) -> KeySet {
        serde_json::from_value::<Published>(json!({ "keys": keys })).unwrap().into()
    }

    fn ec(kid: &str) -> Value {
        json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": X, "y": Y })
    }

    #[test]
    fn keys_are_for_one_algorithm_and_for_signatures() {
        let check = |key: Value, wanted: Option<Algorithm>| {
            let found = read(key.clone()).map(|(_, key)| key.algorithm);
            assert_eq!(found, wanted, "{key}");
        };
        let rsa = |more: Value| {
            let mut key = json!({ "kty": "RSA", "n": X, "e": "AQAB" });
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            key
        };
        check(ec("a"), Some(Algorithm::Es256));
        check(json!({ "kty": "OKP", "crv": "Ed25519", "x": ED }), Some(Algorithm::EdDsa));
        check(rsa(json!({})), Some(Algorithm::Rs256));
        check(rsa(json!({ "alg": "PS256", "use": "sig" })), Some(Algorithm::Ps256));
        check(rsa(json!({ "alg": "RS512", "key_ops": ["verify"] })), Some(Algorithm::Rs512));
        for wrong in [
            json!({ "alg": "ES256" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": "none" }),
            json!({ "use": "enc" }),
            json!({ "key_ops": ["sign"] }),
        ] {
            check(rsa(wrong), None);
        }
        check(json!({ "kty": "oct", "k": X }), None);
        check(json!({ "kty": "EC", "crv": "P-256", "alg": "ES384", "x": X, "y": Y }), None);
        check(json!({ "kty": "EC", "crv": "P-384", "x": X, "y": Y }), None);
        check(json!({ "kty": "EC", "crv": "secp256k1", "x": X, "y": Y }), None);
        check(json!({ "kty": "EC", "crv": "P-256", "x": X }), None);
        check(json!("nothing"), None);
    }

    #[test]
    fn a_token_that_names_no_key_means_the_only_one() {
        let one = set(&json!([ec("a"), { "kty": "oct", "kid": "b", "k": X }]));
        assert!(one.find(None).is_some() && one.find(Some("a")).is_some());
        assert!(one.find(Some("b")).is_none() && one.find(Some("")).is_none());
        let two = set(&json!([ec("a"), ec("b")]));
        assert!(two.find(None).is_none() && two.find(Some("b")).is_some());
        assert!(set(&json!([])).find(None).is_none());
        let nameless = json!({ "kty": "OKP", "crv": "Ed25519", "x": ED });
        assert!(set(&json!([nameless])).find(None).is_some());
        assert!(set(&json!([nameless, nameless])).find(None).is_none());
    }

    #[test]
    fn a_set_has_at_most_64_keys() {
        let keys: Vec<_> = (0..=MOST).map(|number| ec(&number.to_string())).collect();
        let set = set(&keys.into());
        assert!(set.find(Some("63")).is_some() && set.find(Some("64")).is_none());
    }
}
