//! Why somebody may not do something, and what the tamper-evident log is told of it: every denial is
//! one of these, and each goes through [`note`]; what looks as if never written, through
//! [`note_hidden`].

use http::HeaderValue;
use kvs_core::access::Because;
use kvs_core::account::Lacking;
use kvs_core::audit::{Event, Subject};
use kvs_core::mode::Permission;
use kvs_core::token::TokenError;
use kvs_core::{Key, KeyError, RecordId, Right};
use thiserror::Error;

use super::shared::{Peer, Shared};
use super::{Call, Problem};
use crate::audit::Notice;
use crate::node::Node;

/// Why somebody may not do something.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denial {
    /// Nobody may do this without saying who they are.
    #[error("this takes credentials: send `Authorization: Bearer TOKEN`")]
    Nameless,
    /// The header that says who somebody is says it in no way known here.
    #[error("the header authorization is not `Bearer TOKEN`, once")]
    Scheme,
    /// The certificate that the client shows names nobody.
    #[error(
        "the client's certificate has no name, or more than one, that a user here can have; \
         `tls.client_name` says where it is looked for"
    )]
    Certificate,
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
            Self::Certificate => Unknown("certificate-unmapped"),
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

    /// The right that is lacking, where that is known.
    pub(super) const fn right(&self) -> Option<Right> {
        match self {
            Self::Scope(right) | Self::ScopeOn(right, _) => Some(*right),
            Self::Unseen => Some(Right::Write),
            Self::Rule(Because::Bit { permission, .. }) => Some(match permission {
                Permission::Read => Right::Read,
                Permission::Delete => Right::Delete,
                Permission::Create | Permission::Write => Right::Write,
            }),
            Self::Rule(because) => because.missing_scope(),
            Self::Nameless
            | Self::Scheme
            | Self::Certificate
            | Self::Token(_)
            | Self::Giving(_) => None,
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
        TokenError::Disowned => "token-disowned",
        TokenError::Unmapped(_) => "identity-unmapped",
        TokenError::User => "token-user",
    }
}

/// Somebody who was denied something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Denied<'a> {
    /// Who.
    pub(super) subject: Subject,
    /// Where from.
    pub(super) peer: Peer,
    /// On which key, if it was about one.
    pub(super) key: Option<&'a Key>,
    /// The right that the route takes, if the denial names none.
    pub(super) right: Right,
}

/// Takes note of a problem that is a denial, and says whether it is one. Nothing is denied without it.
pub(super) fn note(node: &Node, shared: &Shared, denied: Denied<'_>, problem: &Problem) -> bool {
    match problem {
        Problem::Denied(denial) => note_denial(node, shared, denied, denial),
        Problem::Key(KeyError::System) => record(node, denied),
        // Whoever could not be asked about a token may have been made to send the node elsewhere.
        Problem::NotHere | Problem::ForeignPage | Problem::IssuerUnreachable(_) => {
            node.audit().login_failed(denied.peer.address());
        }
        _ => return false,
    }
    true
}

fn note_denial(node: &Node, shared: &Shared, denied: Denied<'_>, denial: &Denial) {
    let (kind, is_unknown) = match denial.kind() {
        Kind::Unknown(kind) => (kind, true),
        Kind::Forbidden(kind) => (kind, false),
    };
    shared.metrics.note_denial(is_unknown);
    // Neither the key nor the token: the tamper-evident log has who asked for what.
    tracing::debug!(kind, peer = ?denied.peer, "denied");
    if is_unknown {
        node.audit().login_failed(denied.peer.address());
    } else {
        record(node, Denied { right: denial.right().unwrap_or(denied.right), ..denied });
    }
}

/// Takes note that somebody was told that there is nothing, since they may not see what is there.
pub(super) fn note_hidden(call: &Call, key: &Key, right: Right) {
    let (subject, peer) = (call.caller.subject(), call.peer);
    record(&call.node, Denied { subject, peer, key: Some(key), right });
}

/// The same where it is not known yet whether there is something.
pub(super) async fn note_if_hidden(call: &Call, key: &Key) {
    if call.caller.is_unlimited() {
        return;
    }
    // What cannot be read is told to whoever reads it.
    let there = call.node.version(&RecordId::value(key.clone())).await;
    if matches!(there, Ok(Some(_))) && matches!(call.node.newest(&call.caller, key).await, Ok(None))
    {
        note_hidden(call, key, Right::Read);
    }
}

/// Whoever has no name is counted by where they come from, so that nobody fills a disk by asking.
fn record(node: &Node, Denied { subject, peer, key, right }: Denied<'_>) {
    if subject == Subject::Anonymous {
        return node.audit().login_failed(peer.address());
    }
    let record = key.cloned().map(RecordId::value);
    let notice = Notice::refused(Event::Denial(right), subject, record);
    node.audit().denied(notice, peer.address(), node.now());
}
