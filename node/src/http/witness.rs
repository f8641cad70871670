//! What requests tell the tamper-evident log beside what they write: who was denied what, what
//! administrators did, and which of their tokens are in use.

use http::{Method, Uri};
use kvs_core::audit::{Event, Outcome, Subject};
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
    subject: Subject,
    peer: Peer,
    uri: Uri,
}

impl Asked {
    /// Nothing but where it comes from and for what.
    pub(super) fn of(peer: Peer, uri: &Uri) -> Self {
        let (subject, uri) = (Subject::Anonymous, uri.clone());
        Self { route: None, admitted: false, subject, peer, uri }
    }

    /// Takes note of who asks.
    pub(super) fn by(&mut self, node: &Node, caller: &Caller) {
        self.subject = caller.subject();
        if let Some(bearer) = caller.token().filter(|bearer| bearer.administers) {
            node.audit().token_used(bearer.claims.jti, bearer.rights.user, node.now());
        }
    }

    /// Tells the log of what was denied. How what was not denied ended, if it was an administrator's
    /// act.
    pub(super) fn denied(&self, node: &Node, shared: &Shared, answer: &Answer) -> Option<Notice> {
        match answer {
            Err(Problem::Denied(denial)) => {
                let key = self.key();
                let (subject, peer, right) = (self.subject, self.peer, self.right());
                let denied = Denied { subject, peer, key: key.as_ref(), right };
                denial::note(node, shared, denied, denial);
                None
            }
            Err(Problem::NotHere | Problem::ForeignPage) => {
                node.audit().login_failed(self.peer.address());
                None
            }
            answer => self.act().filter(|_| self.admitted).map(|right| {
                let outcome = if answer.is_ok() { Outcome::Done } else { Outcome::Failed };
                let (event, subject) = (Event::Admin(right), self.subject);
                Notice { event, subject, record: None, outcome }
            }),
        }
    }

    /// The right that the route takes, if it is for administrators alone.
    fn act(&self) -> Option<Right> {
        match self.route?.access {
            Access::Admin(right) | Access::Accounts(right) => Some(right),
            _ => None,
        }
    }

    /// Tells the log of an act. It is on disk before its answer; one that only looks need not be.
    pub(super) async fn administered(&self, node: &Node, notice: Notice) {
        if self.route.is_some_and(|route| route.method == Method::GET) {
            node.audit().record(notice);
        } else {
            // That it was not recorded is counted and said, and undoes nothing.
            let _ = node.audit().record_durably(notice).await;
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
        let rights = self.route.map(|route| route.rights()).unwrap_or_default();
        rights.first().copied().unwrap_or(Right::Read)
    }
}
