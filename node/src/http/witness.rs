//! What requests tell the tamper-evident log beside what they write: who was denied what, what
//! administrators changed, and which of their tokens are in use.

use http::{Method, Uri};
use kvs_core::audit::{Event, Outcome, Subject};
use kvs_core::quota::Standing;
use kvs_core::{Key, Right};

use super::denial::{self, Denied};
use super::shared::{Peer, Shared};
use super::{Access, Answer, Endpoint, Problem, Route};
use crate::audit::Notice;
use crate::caller::Caller;
use crate::node::Node;

/// What becomes known of a request on the way to its answer.
#[derive(Debug)]
pub(super) struct Asked {
    /// The row of the table that it is for.
    pub(super) route: Option<&'static Route>,
    /// Whether its caller may call that at all.
    pub(super) admitted: bool,
    /// How its caller stands, if they are limited.
    pub(super) standing: Option<Standing>,
    subject: Subject,
    peer: Peer,
    uri: Uri,
}

impl Asked {
    /// Nothing but where it comes from and for what.
    pub(super) fn of(peer: Peer, uri: &Uri) -> Self {
        let (subject, uri) = (Subject::Anonymous, uri.clone());
        Self { route: None, admitted: false, standing: None, subject, peer, uri }
    }

    /// Takes note of who asks.
    pub(super) fn by(&mut self, node: &Node, caller: &Caller) {
        self.subject = caller.subject();
        if let Some(bearer) = caller.token().filter(|bearer| bearer.administers) {
            node.audit().token_used(bearer.claims.jti, bearer.rights.user, node.now());
        }
    }

    /// Tells the log what was denied. What is still to be told of an administrator's act.
    pub(super) fn note(&self, node: &Node, shared: &Shared, answer: &Answer) -> Option<Notice> {
        if let Err(problem) = answer
            && self.note_denial(node, shared, problem)
        {
            return None;
        }
        let right = self.act().filter(|_| self.admitted)?;
        let outcome = if answer.is_ok() { Outcome::Done } else { Outcome::Failed };
        let (event, subject) = (Event::Admin(right), self.subject);
        Some(Notice { event, subject, record: None, outcome })
    }

    fn note_denial(&self, node: &Node, shared: &Shared, problem: &Problem) -> bool {
        let (key, right) = (self.key(), self.right());
        let denied = Denied { subject: self.subject, peer: self.peer, key: key.as_ref(), right };
        denial::note(node, shared, denied, problem)
    }

    /// The right that the route takes, if administrators change something by it.
    fn act(&self) -> Option<Right> {
        let route = self.route?;
        match route.access {
            Access::Admin(right) | Access::Accounts(right) => {
                Some(right).filter(|_| route.method != Method::GET)
            }
            _ => None,
        }
    }

    /// The key that the path names, if it names one.
    fn key(&self) -> Option<Key> {
        let Endpoint::Key(sub, _) = self.route?.endpoint else { return None };
        let path = self.uri.path().strip_prefix("/kv/")?;
        let path = match sub {
            Some(sub) => path.strip_suffix(sub)?.strip_suffix('/')?,
            None => path,
        };
        Key::from_url_path(path).ok()
    }

    fn right(&self) -> Right {
        let rights = self.route.map(Route::rights).unwrap_or_default();
        rights.first().copied().unwrap_or(Right::Read)
    }
}
