//! Everything that can be wrong with a request, and the one place that knows its status code.

use axum::body::Body;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use kvs_client::{Absence as AbsenceView, Problem as ProblemView};
use kvs_core::decide::Rejection;
use kvs_core::engine::{ForgetError, UpgradeError};
use kvs_core::json::{JsonError, PatchError};
use kvs_core::value::BadContentType;
use kvs_core::{Absence, KeyError, VersionId};
use thiserror::Error;

use super::denial::{Denial, Kind};
use super::rate::{self, TooMany};
use crate::accounts::AccountError;
use crate::backup::BeginError;
use crate::backup::shelf::ShelfError;
use crate::cluster::{ForgetFailed, UpgradeFailed};
use crate::duty::{Departure, ReadOnlyByConfiguration};
use crate::node::{ReadError, SetModeError, Unwritable};
use crate::records::BadCursor;
use crate::store::StoreError;
use crate::writer::{Refused, SubmitError};

/// Why a request is not answered as it asks. `Display` is what the client reads.
#[derive(Debug, Error)]
pub enum Problem {
    /// The path does not name a key.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// A query parameter is unknown or malformed.
    #[error("query parameter {name}: {reason}")]
    Query {
        /// Which one.
        name: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// A header is malformed.
    #[error("header {name}: {reason}")]
    Header {
        /// Which one.
        name: &'static str,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// A cursor is not one of ours.
    #[error("{0}")]
    Cursor(#[from] BadCursor),
    /// A cursor is of a store that is not this one any more.
    #[error(
        "this cursor is not known here: the store has lost or replaced what it points into; leave it out to start from the beginning"
    )]
    CursorUnknown,
    /// The headers are larger than allowed.
    #[error("the headers have more than {0} bytes, the most that is allowed")]
    HeadersTooLarge(usize),
    /// The body is not JSON, or nested too deep.
    #[error("the body is {0}")]
    Json(#[from] JsonError),
    /// The body broke off.
    #[error("the body could not be read to its end")]
    BodyBrokeOff,
    /// The content type is malformed.
    #[error("{0}")]
    ContentType(#[from] BadContentType),
    /// The route does not take bodies of this type.
    #[error("a body of type {given} is not taken here; send {allowed}")]
    MediaType {
        /// What was sent.
        given: String,
        /// What is taken.
        allowed: &'static str,
    },
    /// The body is JSON but does not say what it should.
    #[error("{0}")]
    Content(String),
    /// A patch cannot be applied.
    #[error("{0}")]
    Patch(#[from] PatchError),
    /// A body is larger than allowed.
    #[error("the {what} has more than {limit} bytes, the most that is allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body did not arrive in time.
    #[error("the request did not arrive within {0:?}")]
    TooSlow(std::time::Duration),
    /// The record is absent.
    #[error("{0}")]
    Absent(Absence),
    /// That revision is not kept.
    #[error("no revision {0} of this key is kept")]
    NoRevision(VersionId),
    /// There is no such backup.
    #[error("there is no backup {0:?}")]
    NoBackup(String),
    /// A proof takes an archive that is not there.
    #[error(
        "the proof takes entry {0}, whose archive is not on this node any more; bring it back, or ask \
         for a proof from a later size"
    )]
    NoArchive(u64),
    /// No backup is begun.
    #[error("{0}")]
    Backup(#[from] BeginError),
    /// The place for backups fails.
    #[error("the place for backups does not do what is asked of it: {0}")]
    BackupPlace(String),
    /// Nothing is at this path.
    #[error("there is no such route; see /openapi.json or /docs")]
    NoRoute,
    /// A feature is off.
    #[error("{switch} is off on this node, so this route is not there")]
    SwitchedOff {
        /// The setting that switches it.
        switch: &'static str,
    },
    /// The path is right, the method not.
    #[error("this method is not allowed here; allowed are {0}")]
    Method(String),
    /// The condition of a conditional write does not hold.
    #[error("{}", precondition(*.0))]
    Precondition(Option<VersionId>),
    /// The key changed under a patch again and again.
    #[error(
        "the key is being changed by others faster than this change can be computed; try again"
    )]
    Contended,
    /// The node takes no writes from clients.
    #[error("this node is in read-only mode: it takes no writes from clients")]
    ReadOnly,
    /// The node leaves its cluster, or has left it.
    #[error("this node takes no writes from clients: {}; another one may", departing(*.0))]
    Departing(Departure),
    /// What changes the cluster is taken from this machine alone.
    #[error(
        "this is taken only from the machine that the node runs on, while `auth_enabled` is false; \
         ask there"
    )]
    NotHere,
    /// Somebody may not do this.
    #[error("{0}")]
    Denied(#[from] Denial),
    /// Somebody asks too much.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Whether credentials are good is not known here yet.
    #[error(
        "this node does not know yet what its cluster knows of accounts, so it cannot judge \
         credentials; another one may"
    )]
    AccountsNotKnown,
    /// The issuer of a token cannot be asked about it.
    #[error("what {0} says of its tokens cannot be had now; another kind of credentials may do")]
    IssuerUnreachable(String),
    /// A user, a group or a token cannot be changed as asked.
    #[error("{0}")]
    Account(AccountError),
    /// A page of another origin has a browser ask for it.
    #[error(
        "this is not taken from web pages of another origin; `cors_allowed_origins` names those that \
         may change values"
    )]
    ForeignPage,
    /// The node is read-only by its configuration.
    #[error(transparent)]
    ReadOnlyByConfiguration(#[from] ReadOnlyByConfiguration),
    /// A node that is alone would take its data with it.
    #[error(
        "this node is the only member of its cluster: nobody would have its data; let another node \
         join first, or just stop this one"
    )]
    OnlyMember,
    /// A node is not a member yet.
    #[error("this node is not a member of its cluster yet")]
    NotMember,
    /// A member is not given up.
    #[error(transparent)]
    NotForgotten(#[from] NotForgotten),
    /// The cluster does not write in the next format yet.
    #[error("the cluster goes on in the format that it writes: {0}")]
    NotUpgraded(UpgradeError),
    /// The node does not know yet what its cluster knows.
    #[error("this node has not caught up with its cluster yet; another one may answer")]
    Syncing,
    /// What is written here would not be taken elsewhere.
    #[error("this node takes no writes now: {0}")]
    Unwritable(#[from] Unwritable),
    /// Too many writes wait.
    #[error("too many writes are waiting; try again in a moment")]
    QueueFull,
    /// The node is stopping.
    #[error("the node is stopping; another one may answer")]
    Stopping,
    /// Too many streams are open.
    #[error("{whose} has {limit} streams open, the most that is allowed; close one")]
    TooManyStreams {
        /// The caller, or the node as a whole.
        whose: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// The node is not ready.
    #[error("the node is not ready: {0}")]
    NotReady(&'static str),
    /// The disk is full.
    #[error("the disk is full; reading goes on, and writing will when there is room")]
    DiskFull,
    /// What is stored is damaged.
    #[error("what is stored here is damaged and is not served; the node's log names it")]
    Damaged(String),
    /// Something failed that is not the client's doing.
    #[error("the node failed to answer; its log says why under this request id")]
    Internal(String),
}

/// Why a member is not given up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotForgotten {
    /// There is none.
    #[error("no member has the id or name {0}; GET /cluster lists them")]
    Unknown(String),
    /// There are several.
    #[error("several members are named {name}; give the id: {ids}")]
    Ambiguous {
        /// The name.
        name: String,
        /// Their ids.
        ids: String,
    },
    /// It is this node.
    #[error("a node cannot give itself up: ask another member, or let this one leave")]
    Itself,
    /// It lives.
    #[error(
        "{0} runs and can be reached, and would be emptied: let it leave (`kvs cluster leave` on \
         it), or stop it first"
    )]
    Reachable(String),
    /// This node is none itself.
    #[error("this node is not a member of the cluster itself; ask another one")]
    NotMember,
}

fn departing(departure: Departure) -> &'static str {
    match departure {
        Departure::Leaving => "it leaves its cluster",
        Departure::Left => "it has left its cluster",
    }
}

fn precondition(current: Option<VersionId>) -> String {
    match current {
        Some(uuid) => format!("the condition does not hold: the current version is {uuid}"),
        None => "the condition does not hold: the key is absent".to_owned(),
    }
}

/// How a problem looks from outside.
struct Look {
    status: StatusCode,
    /// What programs compare: the last part of `type`.
    slug: &'static str,
    title: &'static str,
}

const fn look(status: StatusCode, slug: &'static str, title: &'static str) -> Look {
    Look { status, slug, title }
}

fn of_account(error: &AccountError) -> Look {
    use StatusCode as S;
    match error {
        AccountError::Exists { .. } => look(S::CONFLICT, "account-exists", "Name in use"),
        AccountError::Unknown { .. }
        | AccountError::NoToken(_)
        | AccountError::NotMember { .. } => {
            look(S::NOT_FOUND, "account-unknown", "No such account")
        }
        AccountError::Whose | AccountError::Ttl(_) | AccountError::Disabled(_) => {
            look(S::UNPROCESSABLE_ENTITY, "content-wrong", "Wrong content")
        }
        AccountError::NoKey => look(S::SERVICE_UNAVAILABLE, "no-signing-key", "No signing key"),
        AccountError::Contended => look(S::CONFLICT, "contended", "Contended account"),
        // Each of these becomes a problem of its own kind: see the conversion.
        AccountError::Lacking(_)
        | AccountError::Read(_)
        | AccountError::Record(_)
        | AccountError::Submit(_)
        | AccountError::Refused(_) => look(S::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
    }
}

impl Problem {
    /// A query parameter that is not as it should be.
    pub fn query(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Query { name: name.into(), reason: reason.into() }
    }

    /// A header that is not visible ASCII.
    pub fn header(name: &'static str) -> Self {
        Self::Header { name, reason: "must be visible ASCII".to_owned() }
    }

    /// The status code: who has to act.
    pub fn status(&self) -> StatusCode {
        self.look().status
    }

    fn look(&self) -> Look {
        use StatusCode as S;
        match self {
            Self::Key(KeyError::System) => look(S::FORBIDDEN, "system-key", "Reserved key"),
            Self::Key(_) => look(S::BAD_REQUEST, "key-malformed", "Malformed key"),
            Self::Query { .. } => look(S::BAD_REQUEST, "query-malformed", "Malformed query"),
            Self::Header { .. } => look(S::BAD_REQUEST, "header-malformed", "Malformed header"),
            Self::Cursor(_) => look(S::BAD_REQUEST, "cursor-malformed", "Malformed cursor"),
            Self::CursorUnknown => look(S::CONFLICT, "cursor-unknown", "Unknown cursor"),
            Self::HeadersTooLarge(_) => {
                look(S::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", "Headers too large")
            }
            Self::Json(_) => look(S::BAD_REQUEST, "json-malformed", "Malformed JSON"),
            Self::BodyBrokeOff => look(S::BAD_REQUEST, "body-broke-off", "Incomplete body"),
            Self::ContentType(_) => {
                look(S::UNSUPPORTED_MEDIA_TYPE, "content-type-malformed", "Malformed content type")
            }
            Self::MediaType { .. } => look(
                S::UNSUPPORTED_MEDIA_TYPE,
                "content-type-not-taken",
                "Unsupported content type",
            ),
            Self::Content(_) => look(S::UNPROCESSABLE_ENTITY, "content-wrong", "Wrong content"),
            Self::Patch(_) => look(S::UNPROCESSABLE_ENTITY, "patch-impossible", "Impossible patch"),
            Self::TooLarge { .. } => look(S::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::TooSlow(_) => look(S::REQUEST_TIMEOUT, "too-slow", "Too slow"),
            Self::Absent(_) => look(S::NOT_FOUND, "key-absent", "No such key"),
            Self::NoRevision(_) => look(S::NOT_FOUND, "revision-absent", "No such revision"),
            Self::NoBackup(_) => look(S::NOT_FOUND, "backup-absent", "No such backup"),
            Self::NoArchive(_) => look(S::NOT_FOUND, "archive-absent", "No such archive"),
            Self::Backup(BeginError::Busy(_)) => {
                look(S::CONFLICT, "backup-running", "Backup being made")
            }
            Self::Backup(BeginError::NotCaughtUp) => {
                look(S::SERVICE_UNAVAILABLE, "syncing", "Not caught up")
            }
            Self::Backup(BeginError::NotOnDisk) => {
                look(S::NOT_FOUND, "switched-off", "Switched off")
            }
            Self::BackupPlace(_) => look(S::BAD_GATEWAY, "backup-place", "Place for backups fails"),
            Self::NoRoute => look(S::NOT_FOUND, "no-route", "No such route"),
            Self::SwitchedOff { .. } => look(S::NOT_FOUND, "switched-off", "Switched off"),
            Self::Method(_) => {
                look(S::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            Self::Precondition(_) => {
                look(S::PRECONDITION_FAILED, "condition-failed", "Condition failed")
            }
            Self::Contended => look(S::CONFLICT, "contended", "Contended key"),
            Self::ReadOnly => look(S::FORBIDDEN, "read-only", "Read-only mode"),
            Self::Departing(_) => look(S::SERVICE_UNAVAILABLE, "departing", "Leaving the cluster"),
            Self::NotHere => look(S::FORBIDDEN, "not-here", "Only from its machine"),
            Self::Denied(denial) => match denial.kind() {
                Kind::Unknown(kind) => look(S::UNAUTHORIZED, kind, "Credentials wanted"),
                Kind::Forbidden(kind) => look(S::FORBIDDEN, kind, "Not allowed"),
            },
            Self::TooMany(_) => {
                look(S::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests")
            }
            Self::AccountsNotKnown => {
                look(S::SERVICE_UNAVAILABLE, "accounts-not-known", "Accounts not known yet")
            }
            Self::IssuerUnreachable(_) => {
                look(S::SERVICE_UNAVAILABLE, "issuer-unreachable", "Issuer not reachable")
            }
            Self::Account(error) => of_account(error),
            Self::ForeignPage => look(S::FORBIDDEN, "foreign-page", "Not from that page"),
            Self::ReadOnlyByConfiguration(_) => {
                look(S::CONFLICT, "read-only-configured", "Read-only by configuration")
            }
            Self::OnlyMember => look(S::CONFLICT, "only-member", "Only member"),
            Self::NotMember => look(S::CONFLICT, "not-a-member", "Not a member"),
            Self::NotForgotten(NotForgotten::Unknown(_)) => {
                look(S::NOT_FOUND, "member-unknown", "No such member")
            }
            Self::NotForgotten(_) => look(S::CONFLICT, "member-kept", "Not forgotten"),
            Self::NotUpgraded(_) => look(S::CONFLICT, "not-upgraded", "Not upgraded"),
            Self::Syncing => look(S::SERVICE_UNAVAILABLE, "syncing", "Not caught up"),
            Self::Unwritable(Unwritable::Clock(_)) => {
                look(S::SERVICE_UNAVAILABLE, "clock-ahead", "Clock ahead")
            }
            Self::Unwritable(Unwritable::Twin) => {
                look(S::SERVICE_UNAVAILABLE, "twin", "Two processes of one node")
            }
            Self::QueueFull => look(S::SERVICE_UNAVAILABLE, "queue-full", "Queue full"),
            Self::Stopping => look(S::SERVICE_UNAVAILABLE, "stopping", "Stopping"),
            Self::TooManyStreams { .. } => {
                look(S::SERVICE_UNAVAILABLE, "too-many-streams", "Too many streams")
            }
            Self::NotReady(_) => look(S::SERVICE_UNAVAILABLE, "not-ready", "Not ready"),
            Self::DiskFull => look(S::INSUFFICIENT_STORAGE, "disk-full", "Disk full"),
            Self::Damaged(_) => look(S::INTERNAL_SERVER_ERROR, "damaged", "Damaged data"),
            Self::Internal(_) => look(S::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    /// What the log is to know and the client is not.
    fn internal(&self) -> Option<&str> {
        match self {
            Self::Damaged(text) | Self::Internal(text) => Some(text),
            _ => None,
        }
    }

    /// The body that tells of the problem.
    pub fn view(&self, request_id: Option<String>) -> ProblemView {
        let Look { status, slug, title } = self.look();
        let (absence, since) = match self {
            Self::Absent(absence) => absence_view(*absence),
            _ => (None, None),
        };
        ProblemView {
            kind: format!("urn:kvs:problem:{slug}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            request_id,
            absence,
            since,
        }
    }

    /// The answer that tells of the problem. Internal text goes to the log under the request id.
    pub fn answer(&self) -> Response<Body> {
        let request_id = format!("{:016x}", rand::random::<u64>());
        if let Some(text) = self.internal() {
            tracing::error!(request_id, error = text, "a request failed");
        }
        let view = self.view(Some(request_id));
        // Plain strings and numbers: nothing in it can fail to be written.
        let body = serde_json::to_vec(&view).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static(kvs_client::PROBLEM_CONTENT_TYPE);
        headers.insert(CONTENT_TYPE, kind);
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Self::TooMany(too_many) = self {
            headers.insert(RETRY_AFTER, too_many.retry_after().into());
            rate::tell(too_many.standing(), headers);
        }
        if let Self::Denied(denial) = self
            && self.status() == StatusCode::UNAUTHORIZED
        {
            headers.insert(WWW_AUTHENTICATE, denial.challenge());
        }
        if let Self::Method(allowed) = self
            && let Ok(allowed) = HeaderValue::from_str(allowed)
        {
            headers.insert(ALLOW, allowed);
        }
        response
    }
}

fn absence_view(absence: Absence) -> (Option<AbsenceView>, Option<u64>) {
    match absence {
        Absence::NeverWritten => (Some(AbsenceView::NeverWritten), None),
        Absence::DeletedAt(at) => (Some(AbsenceView::Deleted), Some(at.0)),
        Absence::ExpiredAt(at) => (Some(AbsenceView::Expired), Some(at.0)),
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { .. } => Self::DiskFull,
            StoreError::Damaged(_) | StoreError::Row { .. } => Self::Damaged(error.to_string()),
            StoreError::Failed(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<ShelfError> for Problem {
    fn from(error: ShelfError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "the place for backups fails");
        Self::BackupPlace(error.to_string())
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Abandoned(error) => Self::Internal(error.to_string()),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::QueueFull => Self::QueueFull,
            SubmitError::Stopping => Self::Stopping,
            SubmitError::Leaving => Self::Departing(Departure::Leaving),
            SubmitError::Store(error) => error.into(),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Lacking(lacking) => Denial::from(lacking).into(),
            AccountError::Read(error) => error.into(),
            AccountError::Submit(error) => error.into(),
            AccountError::Refused(refused) => refused.into(),
            AccountError::Record(error) => Self::Damaged(error.to_string()),
            error => Self::Account(error),
        }
    }
}

impl From<SetModeError> for Problem {
    fn from(error: SetModeError) -> Self {
        match error {
            SetModeError::Configured(error) => error.into(),
            SetModeError::Writer(error) => error.into(),
        }
    }
}

impl From<ForgetFailed> for Problem {
    fn from(error: ForgetFailed) -> Self {
        match error {
            ForgetFailed::Refused(ForgetError::Itself) => NotForgotten::Itself.into(),
            ForgetFailed::Refused(ForgetError::Clock(ahead)) => Unwritable::Clock(ahead).into(),
            ForgetFailed::Refused(ForgetError::NoMember) => NotForgotten::NotMember.into(),
            // It was found among the members a moment before.
            ForgetFailed::Refused(ForgetError::Unknown) | ForgetFailed::NoAnswer => {
                Self::Internal(error.to_string())
            }
        }
    }
}

impl From<UpgradeFailed> for Problem {
    fn from(error: UpgradeFailed) -> Self {
        match error {
            UpgradeFailed::Refused(UpgradeError::NoMember) => Self::NotMember,
            UpgradeFailed::Refused(UpgradeError::Clock(ahead)) => Unwritable::Clock(ahead).into(),
            UpgradeFailed::Refused(refused) => Self::NotUpgraded(refused),
            UpgradeFailed::NoAnswer => Self::Internal(error.to_string()),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Rejected(rejection) => rejection.into(),
            Refused::Damaged => Self::Damaged(refused.to_string()),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Absent(absence) => Self::Absent(absence),
            Rejection::Condition { current } => Self::Precondition(current),
            Rejection::Moved => Self::Contended,
        }
    }
}
