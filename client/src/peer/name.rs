//! The name in a certificate.

use std::fmt;

use kvs_core::NodeId;
use uuid::Uuid;

const NODE: &str = "kvs:node:";
const OPERATOR: &str = "kvs:operator:";
/// Longest name of an operator: what Kubernetes allows.
const OPERATOR_MAX: usize = 253;

/// Who a certificate says its holder is: a URI among its subject alternative names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerName {
    /// `kvs:node:UUID`.
    Node(NodeId),
    /// `kvs:operator:NAME`.
    Operator(String),
}

impl PeerName {
    /// The node, if it is one.
    pub const fn node(&self) -> Option<NodeId> {
        match self {
            Self::Node(node) => Some(*node),
            Self::Operator(_) => None,
        }
    }

    /// Reads a URI; nothing if it is not one of ours.
    pub fn from_uri(uri: &str) -> Option<Self> {
        if let Some(node) = uri.strip_prefix(NODE) {
            return Some(Self::Node(NodeId::new(canonical_uuid(node)?)));
        }
        let name = uri.strip_prefix(OPERATOR)?;
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        let fits = (1..=OPERATOR_MAX).contains(&name.len()) && name.bytes().all(fine);
        fits.then(|| Self::Operator(name.to_owned()))
    }
}

/// One identifier has one spelling here, so that certificates can be compared by eye.
fn canonical_uuid(text: &str) -> Option<Uuid> {
    let uuid: Uuid = text.parse().ok()?;
    (uuid.to_string() == text).then_some(uuid)
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "{NODE}{node}"),
            Self::Operator(name) => write!(f, "{OPERATOR}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_it_is_written() {
        let node = PeerName::Node(NodeId::from_bytes([7; 16]));
        let operator = PeerName::Operator("kvs-system.one".into());
        for name in [node, operator] {
            assert_eq!(PeerName::from_uri(&name.to_string()), Some(name));
        }
    }

    #[test]
    fn other_uris_are_nobodys_name() {
        let longest = "a".repeat(OPERATOR_MAX);
        assert!(PeerName::from_uri(&format!("{OPERATOR}{longest}")).is_some());
        for uri in [
            "",
            "kvs:node:",
            "kvs:node:07070707070707070707070707070707",
            "kvs:node:0707070A-0707-0707-0707-070707070707",
            "KVS:node:07070707-0707-0707-0707-070707070707",
            "kvs:operator:",
            "kvs:operator:UP",
            &format!("{OPERATOR}{longest}a"),
            "spiffe://example.org/kvs",
        ] {
            assert_eq!(PeerName::from_uri(uri), None, "{uri}");
        }
    }
}
