//! Issuers outside: whose tokens are believed, and whom they vouch for.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    error::Reason,
    value::{Bounds, Raw, Setting},
};

/// An issuer of tokens by OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct OidcIssuer {
    /// The exact `iss` of its tokens, an address: https, or http on this machine.
    pub issuer: String,
    /// Whom its tokens must be for: one of their `aud`.
    pub audience: String,
    /// What the users and groups here begin with for whom it can vouch. With an empty text it can
    /// vouch for any, `root` too.
    pub prefix: String,
    /// The claim that names the user; left out, `sub`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_claim: Option<String>,
    /// The claim that names the user's groups, a text or a list of them; left out, none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// Where its keys are; left out, where its `.well-known/openid-configuration` says, which must be
    /// on the issuer's own host and port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Certificates in PEM to trust it by; left out, the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// The names in the order of the struct, for listings.
const NAMES: [&str; 7] =
    ["issuer", "audience", "prefix", "user_claim", "groups_claim", "jwks_uri", "ca_file"];

/// The most issuers: each token that names none of them is compared with all.
const MOST: usize = 64;

/// A list of mappings in a file; in a variable or flag, the same as JSON.
impl Setting for Vec<OidcIssuer> {
    type Bound = u64;

    fn read(raw: &Raw, _: &Bounds<u64>) -> Result<Self, Reason> {
        let issuers: Self = match raw {
            Raw::Nothing => Vec::new(),
            Raw::List(items) if items.is_empty() => Vec::new(),
            Raw::Rows(rows) => {
                let numbered = (1..).zip(rows);
                numbered.map(|(number, row)| from_row(number, row)).collect::<Result<_, _>>()?
            }
            Raw::Text(text) => serde_json::from_str(text)
                .map_err(|error| Reason::not_a("JSON list", text, Some(error.to_string())))?,
            Raw::List(_) | Raw::Map => return Err(Reason::NotRows),
        };
        if issuers.len() > MOST {
            let (value, allowed) = (issuers.len().to_string(), format!("0 to {MOST} issuers"));
            return Err(Reason::OutOfRange { value, allowed, optional: false });
        }
        Ok(issuers)
    }

    fn raw(&self) -> Raw {
        if self.is_empty() {
            Raw::List(Vec::new())
        } else {
            Raw::Rows(self.iter().map(row).collect())
        }
    }
}

fn from_row(number: usize, row: &[(String, String)]) -> Result<OidcIssuer, Reason> {
    let refused =
        |why: String| Reason::not_a("token issuer", &format!("entry {number}"), Some(why));
    let mut object = Map::new();
    for (name, text) in row {
        if object.insert(name.clone(), text.clone().into()).is_some() {
            return Err(refused(format!("{name} is there twice")));
        }
    }
    serde_json::from_value(Value::Object(object)).map_err(|error| refused(error.to_string()))
}

fn row(issuer: &OidcIssuer) -> Vec<(String, String)> {
    let json = serde_json::to_value(issuer).unwrap_or_default();
    let member = |name: &&str| Some(((*name).to_owned(), json.get(*name)?.as_str()?.to_owned()));
    NAMES.iter().filter_map(member).collect()
}

/// Why a text is not the address of somebody who is asked about others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be https://host or http://host on this machine, perhaps with a path")]
pub struct AddressError;

/// Whether somebody at this address may be asked about others: over TLS, or within this machine.
///
/// # Errors
///
/// They may not, or it is no such address.
pub fn check_address(text: &str) -> Result<(), AddressError> {
    let (scheme, rest) = text.split_once("://").ok_or(AddressError)?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    crate::backup::check_endpoint(&format!("{scheme}://{host}")).map_err(|_why| AddressError)?;
    let fine = |byte: u8| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\';
    if path.bytes().all(fine) { Ok(()) } else { Err(AddressError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_asked_over_tls_or_on_this_machine() {
        for text in [
            "https://issuer.example",
            "https://issuer.example:8443/a/b?c=d",
            "http://127.0.0.1:5556/dex",
            "http://[::1]/",
            "http://localhost",
        ] {
            assert_eq!(check_address(text), Ok(()), "{text}");
        }
        for text in [
            "",
            "https://",
            "https:///path",
            "issuer.example",
            "http://issuer.example",
            "http://169.254.169.254/latest",
            "http://127.0.0.1@evil.example",
            "http://localhost.evil.example",
            "https://user@issuer.example",
            "https://issuer.example?x",
            "https://issuer.example#x",
            "https://issuer.example/a#b",
            "https://issuer.example/a b",
            "https://issuer.example\\@evil.example",
            "file:///etc/passwd",
        ] {
            assert_eq!(check_address(text), Err(AddressError), "{text}");
        }
    }
}
