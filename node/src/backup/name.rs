//! Names of backups.

use std::fmt;

use jiff::Timestamp;
use kvs_core::{NodeId, UnixMillis};

const ARCHIVE: &str = ".tar.zst";
const MANIFEST: &str = ".manifest.json";
/// Hexadecimal digits of the node's id: enough to tell the nodes of a cluster apart.
const NODE: usize = 12;

/// A backup's name: `kvs-NODE-TIME`, its node's id shortened and its time in UTC to the millisecond.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupName(String);

impl BackupName {
    /// The name of a backup that a node makes now.
    pub fn new(node: NodeId, at: UnixMillis) -> Self {
        let time = i64::try_from(at.0).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        let time = time.unwrap_or(Timestamp::MAX).strftime("%Y%m%dT%H%M%S%3f");
        Self(format!("{}{time}Z", Self::prefix(node)))
    }

    /// Reads a name; nothing if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (node, time) = text.strip_prefix("kvs-")?.split_once('-')?;
        let (day, clock) = time.strip_suffix('Z')?.split_once('T')?;
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = |text: &str, count| {
            text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let fine = node.len() == NODE && hex(node) && digits(day, 8) && digits(clock, 9);
        fine.then(|| Self(text.to_owned()))
    }

    /// What the names of a node's backups begin with.
    pub fn prefix(node: NodeId) -> String {
        let id = node.uuid().simple().to_string();
        format!("kvs-{}-", &id[..NODE])
    }

    /// Whether a node with this id made it.
    pub fn is_of(&self, node: NodeId) -> bool {
        self.0.starts_with(&Self::prefix(node))
    }

    /// The file with the data.
    pub fn archive(&self) -> String {
        format!("{self}{ARCHIVE}")
    }

    /// The file that tells what is in it.
    pub fn manifest(&self) -> String {
        format!("{self}{MANIFEST}")
    }

    /// The backup that a file with data belongs to.
    pub fn of_archive(file: &str) -> Option<Self> {
        Self::parse(file.strip_suffix(ARCHIVE)?)
    }

    /// The backup that a manifest belongs to.
    pub fn of_manifest(file: &str) -> Option<Self> {
        Self::parse(file.strip_suffix(MANIFEST)?)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_name_tells_the_node_and_the_time_and_is_read_back() {
        let node = NodeId::new(Uuid::from_u128(0x0123_4567_89ab_cdef << 64));
        let name = BackupName::new(node, UnixMillis(1_700_000_000_123));
        assert_eq!(name.as_str(), "kvs-0123456789ab-20231114T221320123Z");
        assert!(name.is_of(node) && !name.is_of(NodeId::new(Uuid::nil())));
        assert_eq!(BackupName::of_archive(&name.archive()), Some(name.clone()));
        assert_eq!(BackupName::of_manifest(&name.manifest()), Some(name.clone()));
        assert_eq!(BackupName::of_manifest(&name.archive()), None);
    }

    #[test]
    fn what_is_no_name_is_none() {
        for text in [
            "",
            "kvs-0123456789ab-20231114T22132012Z",
            "kvs-0123456789ab-20231114T2213201234Z",
            "kvs-0123456789aX-20231114T221320123Z",
            "../kvs-0123456789ab-20231114T221320123Z",
            "kvs-0123456789ab-20231114T221320123Z/",
        ] {
            assert_eq!(BackupName::parse(text), None, "{text}");
        }
    }
}
