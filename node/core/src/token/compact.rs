//! The text of a token: three parts in base64url, separated by dots.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::{Claims, TokenError};

/// The most bytes a token may have. A request's headers have at most 32 KiB.
pub const MAX_TOKEN: usize = 16 << 10;

/// What a key is for. There is no `none`, and nothing symmetric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `EdDSA` with Ed25519: the only one of our own tokens.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 7] =
        [Self::EdDsa, Self::Rs256, Self::Rs384, Self::Rs512, Self::Ps256, Self::Es256, Self::Es384];

    /// The name in headers and key sets (RFC 7518, RFC 8037).
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
        }
    }

    /// The algorithm with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

#[derive(Serialize)]
struct OurHeader<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

#[derive(Deserialize)]
struct Issuer {
    iss: String,
}

/// A token whose signature nobody has checked.
#[derive(Clone)]
pub struct Unverified {
    /// The first two parts as they were sent: what was signed.
    signed: String,
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// A token whose signature fits its key, or that its maker calls theirs. Whether it may be used here and now is another question.
#[derive(Clone)]
pub struct Verified {
    payload: Vec<u8>,
}

impl Unverified {
    /// Takes a token apart.
    ///
    /// # Errors
    ///
    /// [`TokenError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        if text.len() > MAX_TOKEN {
            return Err(TokenError::Malformed("it is longer than 16 KiB"));
        }
        let malformed = || TokenError::Malformed("it is not three parts separated by dots");
        let (signed, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
        Ok(Self {
            signed: signed.to_owned(),
            header: read_header(header)?,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    /// Who says to have made it.
    ///
    /// # Errors
    ///
    /// [`TokenError::Malformed`].
    pub fn issuer(&self) -> Result<String, TokenError> {
        read(&self.payload).map(|Issuer { iss }| iss)
    }

    /// Which key it says to be signed with.
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The bytes that were signed.
    pub fn signed(&self) -> &str {
        &self.signed
    }

    /// The signature over [`Self::signed`].
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Checks the signature with a key that is for `algorithm`, whatever the header says: `fits` is
    /// told the signed bytes and the signature, and is not asked where the algorithms differ.
    ///
    /// # Errors
    ///
    /// [`TokenError::Algorithm`] or [`TokenError::Signature`].
    pub fn verify(
        self,
        algorithm: Algorithm,
        fits: impl FnOnce(&[u8], &[u8]) -> bool,
    ) -> Result<Verified, TokenError> {
        if self.header.alg != algorithm.name() {
            return Err(TokenError::Algorithm { found: self.header.alg, expected: algorithm });
        }
        if !fits(self.signed.as_bytes(), &self.signature) {
            return Err(TokenError::Signature);
        }
        Ok(Verified { payload: self.payload })
    }

    /// The same where whoever made the token was asked, and has said that it is theirs.
    pub fn vouched(self) -> Verified {
        Verified { payload: self.payload }
    }
}

impl fmt::Debug for Unverified {
    /// Shows which key it names and nothing that could be used.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

impl Verified {
    /// What one of our own tokens says.
    ///
    /// # Errors
    ///
    /// [`TokenError::Malformed`].
    pub fn claims(&self) -> Result<Claims, TokenError> {
        self.read()
    }

    /// What a token says, in the form of its issuer.
    ///
    /// # Errors
    ///
    /// [`TokenError::Malformed`].
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, TokenError> {
        read(&self.payload)
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").finish_non_exhaustive()
    }
}

/// The text of a token: what was signed, and the signature over it.
pub fn compact(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", BASE64.encode(signature))
}

/// The first two parts of a token of our own.
pub(super) fn to_sign(kid: &str, claims: &impl Serialize) -> String {
    let header = OurHeader { alg: Algorithm::EdDsa.name(), typ: "JWT", kid };
    // Neither has maps, whose keys might not be texts: both always have a JSON form.
    let part = |json: Result<Vec<u8>, _>| BASE64.encode(json.unwrap_or_default());
    format!("{}.{}", part(serde_json::to_vec(&header)), part(serde_json::to_vec(claims)))
}

fn read_header(part: &str) -> Result<Header, TokenError> {
    let header: Header = read(&decode(part)?)?;
    match header.crit {
        None => Ok(header),
        Some(IgnoredAny) => Err(TokenError::Malformed("its header asks for extensions (crit)")),
    }
}

/// Refuses padding, other alphabets and stray bits: one sequence of bytes has one text.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64.decode(part).map_err(|_why| TokenError::Malformed("a part of it is not base64url"))
}

/// Refuses members that come twice, so that no two readers can see different claims.
fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, TokenError> {
    serde_json::from_slice(json)
        .map_err(|_why| TokenError::Malformed("a part of it lacks a member, or is no such JSON"))
}
