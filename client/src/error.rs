//! Why a call of the client failed.

use kvs_core::KeyError;
use reqwest::Url;

use crate::types::{Absence, Problem};

/// Why a call failed. Each variant says whether the node may have changed something.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's address is not one; nothing was sent.
    #[error("{url:?} is not the address of a server: {reason}")]
    BaseUrl {
        /// What was given.
        url: String,
        /// What is wrong with it, and what is allowed.
        reason: String,
    },
    /// The token cannot be a header; nothing was sent.
    #[error("the token has characters that a header cannot carry; allowed is visible ASCII")]
    Token,
    /// A precondition or content type cannot be a header; nothing was sent.
    #[error("{value:?} cannot be the header {name}; allowed is visible ASCII")]
    Header {
        /// The header.
        name: &'static str,
        /// What was given.
        value: String,
    },
    /// The key is not one; nothing was sent.
    #[error("{key:?} is not a key")]
    Key {
        /// What was given.
        key: String,
        /// The rule that it breaks.
        source: KeyError,
    },
    /// A body did not serialise; nothing was sent.
    #[error("the body of the request does not serialise as JSON")]
    Body(#[source] serde_json::Error),
    /// There was no connection; nothing was sent.
    #[error("cannot connect to {url}")]
    Connect {
        /// The address that was called.
        url: Box<Url>,
        /// What the network said.
        source: reqwest::Error,
    },
    /// The connection broke or fell silent before the answer was complete. The node may have done
    /// what was asked.
    #[error("the answer of {url} did not arrive")]
    Interrupted {
        /// The address that was called.
        url: Box<Url>,
        /// What the network said.
        source: reqwest::Error,
    },
    /// The node refused, and says why; nothing was changed, unless the status is 500 or more.
    #[error(transparent)]
    Problem(Box<Problem>),
    /// The answer is not one of this API: the address may be another program's, or a proxy's. What
    /// was asked may have been done.
    #[error("{url} answered {status} in a way this client does not understand: {detail}")]
    UnexpectedAnswer {
        /// The address that was called.
        url: Box<Url>,
        /// The HTTP status code of the answer.
        status: u16,
        /// What is not understood.
        detail: String,
    },
}

impl ClientError {
    /// The node's own words, where it had any.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// The HTTP status code of the answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::UnexpectedAnswer { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Why nothing is stored at the key, if that is what the node answered.
    pub fn absence(&self) -> Option<Absence> {
        self.problem().and_then(|problem| problem.absence)
    }

    /// Sorts what the network said into "nothing was sent" and "who knows".
    pub(crate) fn transport(url: Url, source: reqwest::Error) -> Self {
        let (url, source) = (Box::new(url), source.without_url());
        if source.is_connect() {
            Self::Connect { url, source }
        } else {
            Self::Interrupted { url, source }
        }
    }

    pub(crate) fn unexpected(url: Url, status: u16, detail: impl Into<String>) -> Self {
        Self::UnexpectedAnswer { url: Box::new(url), status, detail: detail.into() }
    }
}
