//! Why somebody may not do something. Every denial is one of these, so that whoever keeps a record of
//! denials finds all of them in one place: [`note`].

use http::HeaderValue;
use kvs_core::access::Because;
use kvs_core::account::Lacking;
use kvs_core::token::TokenError;
use kvs_core::{Key, Right};
use thiserror::Error;

use super::shared::{Peer, Shared};

/// Why somebody may not do something.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denial {
    /// Nobody may do this without saying who they are.
    #[error("this takes credentials: send `Authorization: Bearer TOKEN`")]
    Nameless,
    /// The header that says who somebody is says it in no way known here.
    #[error("the header authorization is not `Bearer TOKEN`, once")]
    Scheme,
    /// The token is not believed.
    #[error("{0}")]
    Token(TokenError),
    /// The caller lacks a scope.
    #[error("the scope {0} is missing")]
    Scope(Right),
    /// The caller lacks a scope on a key.
    #[error("the scope {0} on {1} is missing")]
    ScopeOn(Right, Key),
    /// A rule about the key forbids it.
    #[error("{}", rule(.0))]
    Rule(Because),
    /// The caller would give what they lack.
    #[error(transparent)]
    Giving(#[from] Lacking),
    /// Neither the key nor who may write it is anything that the caller may know.
    #[error("the caller may not write here")]
    Unseen,
}

/// Whether better credentials might help, and what programs compare.
pub(super) enum Kind {
    /// 401.
    Unknown(&'static str),
    /// 403.
    Forbidden(&'static str),
}

impl Denial {
    pub(super) const fn kind(&self) -> Kind {
        use Kind::{Forbidden, Unknown};
        match self {
            Self::Nameless => Unknown("credentials-missing"),
            Self::Scheme => Unknown("credentials-malformed"),
            Self::Token(error) => Unknown(token(error)),
            Self::Scope(_) | Self::ScopeOn(..) => Forbidden("scope-missing"),
            Self::Giving(_) => Forbidden("scope-not-held"),
            Self::Unseen => Forbidden("mode-denies"),
            Self::Rule(because) => match because {
                Because::Expired(_) => Unknown("token-expired"),
                Because::NeverAnonymous(_) | Because::AnonymousOff(_) => {
                    Unknown("credentials-missing")
                }
                Because::LacksScope(_) => Forbidden("scope-missing"),
                _ => Forbidden("mode-denies"),
            },
        }
    }

    /// What a 401 says about the credentials that are wanted (RFC 6750, section 3).
    pub(super) const fn challenge(&self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Token(_) => "Bearer realm=\"kvs\", error=\"invalid_token\"",
            Self::Scheme => "Bearer realm=\"kvs\", error=\"invalid_request\"",
            _ => "Bearer realm=\"kvs\"",
        })
    }
}

fn rule(because: &Because) -> String {
    if matches!(because, Because::NeverAnonymous(_) | Because::AnonymousOff(_)) {
        return format!("{because}, so this takes credentials: send `Authorization: Bearer TOKEN`");
    }
    because.to_string()
}

const fn token(error: &TokenError) -> &'static str {
    match error {
        TokenError::Malformed(_) => "token-malformed",
        TokenError::Algorithm { .. } => "token-algorithm",
        TokenError::Issuer(_) => "token-issuer",
        TokenError::UnknownKey(_) => "token-key",
        TokenError::Signature => "token-signature",
        TokenError::Audience { .. } => "token-audience",
        TokenError::Expired(_) => "token-expired",
        TokenError::NotYetValid(_) => "token-not-yet-valid",
        TokenError::Revoked => "token-revoked",
        TokenError::User => "token-user",
    }
}

/// Takes note of a denial. Nothing is denied without it, but for what looks as if never written.
pub(super) fn note(shared: &Shared, peer: Peer, denial: &Denial) {
    let kind = match denial.kind() {
        Kind::Unknown(kind) | Kind::Forbidden(kind) => kind,
    };
    shared.metrics.note_denial(matches!(denial.kind(), Kind::Unknown(_)));
    // Neither the key nor the token: who asked from where is for the log of denials.
    tracing::debug!(kind, ?peer, "denied");
}
