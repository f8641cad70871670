//! The pure part of KVS: everything that can be a function of its arguments.
//!
//! No clock, no randomness, no I/O: time and identifiers come in as arguments, so that every node
//! decides alike and every law can be tested. Reading order:
//!
//! 1. [`key`]: what a key is and how it lies on disk.
//! 2. [`stamp`], [`clock`]: when something was written.
//! 3. [`version`], [`mod@merge`]: what was written, and which of two writes wins.
//! 4. [`decide`]: what a command does to a record.
//! 5. [`mod@format`], [`codec`], [`value`]: the bytes of all that.
//! 6. [`digest`]: the tree by which two nodes find their differences.
//! 7. [`sync`]: the conversation in which they do.
//! 8. [`members`], [`agreement`]: who counts, and what everybody is known to hold.
//! 9. [`engine`], [`wire`]: replication as one state machine, and what nodes say to each other.
//! 10. [`membership`]: who can be reached; [`seal`]: how its datagrams travel.
//! 11. [`meta`], [`mode`]: who may do what with a key.
//! 12. [`scope`], [`account`], [`token`]: what callers hold, and how they prove it.
//! 13. [`access`]: the decision, and why.
//! 14. [`audit`]: the tamper-evident log.
//! 15. [`quota`]: how much somebody may do in a time.
//! 16. [`json`]: what we ask of a JSON text.

pub mod access;
pub mod account;
pub mod agreement;
pub mod audit;
pub mod clock;
pub mod codec;
pub mod decide;
pub mod digest;
pub mod engine;
pub mod format;
pub mod id;
pub mod json;
pub mod key;
pub mod members;
pub mod membership;
pub mod merge;
pub mod meta;
pub mod mode;
pub mod quota;
pub mod scope;
pub mod seal;
pub mod stamp;
pub mod sync;
pub mod token;
pub mod value;
pub mod version;
pub mod wire;

pub use clock::Clock;
pub use decide::{Command, Condition, Decision, Expiry, Guard, Rejection, decide};
pub use format::Format;
pub use id::{GroupId, NodeId, TokenId, UserId, VersionId};
pub use key::{Key, KeyError, Kind, Prefix, RecordId};
pub use merge::{Outcome, Rank, Superseded, merge};
pub use meta::Meta;
pub use mode::Mode;
pub use scope::{Right, Scope, ScopeSet};
pub use stamp::{Stamp, UnixMillis};
pub use value::{ContentType, Value};
pub use version::{Absence, Body, BodyKind, Head, Origin, Version};
