//! The first accounts of a cluster: the same from every node that is born from one cluster file.

use uuid::{Builder, Uuid};

use super::{Group, KeyId, Membership, Name, Record, RecordError, SigningKey, User, encode};
use crate::id::{GroupId, NodeId, UserId, VersionId};
use crate::key::RecordId;
use crate::scope::ScopeSet;
use crate::stamp::{Stamp, UnixMillis};
use crate::value::{ContentType, Value};
use crate::version::{Body, Origin, Version};

/// The name of the first user.
pub const ROOT_USER: &str = "root";
/// The name of the first group, whose members may do everything.
pub const ROOT_GROUP: &str = "admin";

/// The identifiers of the first accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootIds {
    /// The user.
    pub user: UserId,
    /// The group.
    pub group: GroupId,
}

impl RootIds {
    /// Those of a cluster.
    pub fn of(cluster: Uuid) -> Self {
        Self {
            user: UserId::new(derive(cluster, "user root")),
            group: GroupId::new(derive(cluster, "group admin")),
        }
    }
}

/// The user `root`, the group `admin` with every scope, the membership and the public part of the
/// first signing key, as versions that are the same to the last bit on every node. They have the
/// least stamp that is written, so that whatever was changed since wins over a node that is born
/// late; and a root that was deleted stays so, since the revocation of its id does.
///
/// # Errors
///
/// None in practice: see [`super::Place::key`].
pub fn root_records(
    cluster: Uuid,
    kid: KeyId,
    public: &[u8],
) -> Result<Vec<(RecordId, Version)>, RecordError> {
    let RootIds { user, group } = RootIds::of(cluster);
    let born = UnixMillis(0);
    let (name, scopes) = (Name::known(ROOT_USER), ScopeSet::EMPTY);
    let root = User { id: user, name, scopes, disabled: false, created_at: born };
    let (name, scopes) = (Name::known(ROOT_GROUP), ScopeSet::everything());
    let admin = Group { id: group, name, scopes, created_at: born };
    let key = SigningKey { kid, public: public.to_vec(), sealed: None, created_at: born };
    let records = [
        Record::User(root),
        Record::Group(admin),
        Record::Membership(Membership { group, user }),
        Record::SigningKey(key),
    ];
    records.iter().map(|record| version(cluster, record)).collect()
}

fn version(cluster: Uuid, record: &Record) -> Result<(RecordId, Version), RecordError> {
    let (key, body) = encode(record)?;
    let version = Version {
        stamp: Stamp::MIN.next(),
        origin: Origin { node: NodeId::new(derive(cluster, "node")), joined: UnixMillis(0) },
        uuid: VersionId::new(derive(cluster, key.as_str())),
        created_at: UnixMillis(0),
        owner: None,
        expires_at: None,
        body: Body::Value(Value::plain(ContentType::JSON, body.into())),
    };
    Ok((RecordId::value(key), version))
}

/// A UUID (version 8) of the cluster's for one use.
fn derive(cluster: Uuid, label: &str) -> Uuid {
    let mut hasher = blake3::Hasher::new_derive_key("kvs accounts 1: first records");
    hasher.update(cluster.as_bytes()).update(label.as_bytes());
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    Builder::from_custom_bytes(bytes).into_uuid()
}
