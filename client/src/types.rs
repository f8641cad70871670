//! The JSON bodies of the public API.
//!
//! Times are Unix milliseconds, durations are strings like `90s`, cursors are opaque strings.
//! With the feature `openapi` every type here describes itself in the API description.

mod value;

mod account;
mod audit;
mod backup;
mod batch;
mod change;
mod cluster;
mod duty;
mod history;
mod list;
mod metadata;
mod node;
mod problem;
mod relay;
mod tree;

mod present;
#[cfg(feature = "openapi")]
mod schema;
#[cfg(test)]
mod tests;

pub use self::{
    account::{
        CreatedToken, Explanation, Group, GroupMember, GroupPatch, NewAccount, NewToken,
        RotateKeys, RotatedKeys, Token, TokenKey, User, UserPatch, WhoAmI,
    },
    audit::{AuditEntry, AuditHead, AuditPage, AuditPeer},
    backup::{Backup, BackupFailure, BackupProgress, BackupStarted, BackupStatus, Backups},
    batch::{BatchItem, BatchOutcome, BatchRequest, BatchResponse, BatchResult},
    change::{Change, ChangeOp, Reset},
    cluster::{ClusterStatus, Drained, ForgetRequest, ModeRequest, NodeMode, PeerStatus, Repair},
    duty::{Duties, DutyOrder, DutyRequest},
    history::{Revision, RevisionOp, Superseded},
    list::{ItemMetadata, ListItem, Page},
    metadata::{Field, Metadata, MetadataPatch, ModeSetting, ModeView},
    node::{Convergence, Health, Member, Members},
    problem::{Absence, PROBLEM_CONTENT_TYPE, Problem},
    relay::{RelayAnswer, RelayRequest},
    tree::{More, NestedTree, TreeItem},
    value::{JSON_CONTENT_TYPE, RestoreRequest, Stored, Value, ValueError, Written},
};
