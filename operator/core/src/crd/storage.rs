//! The nodes' disks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{fixed, rules};

/// The disks of the nodes, one each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[
    (
        &fixed("storageClassName"),
        "spec.storage.storageClassName cannot change; make a second cluster and move the data there",
    ),
])))]
pub struct Storage {
    /// Size of each disk, such as `10Gi`: at least 512Mi, of which a node keeps 256 MiB free. It can
    /// grow where the storage class allows it, and never shrink.
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-validations" = rules(&[
        (
            "isQuantity(self)",
            "spec.storage.size is no quantity; write a number and a unit, such as 10Gi",
        ),
        (
            "!isQuantity(self) || quantity(self).compareTo(quantity('512Mi')) >= 0",
            "spec.storage.size is less than 512Mi, the least that a node can work with",
        ),
        (
            "!isQuantity(self) || !isQuantity(oldSelf) || \
             quantity(self).compareTo(quantity(oldSelf)) >= 0",
            "spec.storage.size can grow and not shrink; Kubernetes cannot make a volume smaller",
        ),
    ])))]
    pub size: String,

    /// The storage class. Left out, the cluster's default at the time the disks are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,

    /// What becomes of disks that are no longer needed.
    #[serde(default)]
    pub retain: Retain,
}

/// What becomes of disks that are no longer needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Retain {
    /// They stay. A cluster of the same name finds them again.
    #[default]
    Retain,
    /// The disk of a node that has left is deleted once all others are proven to hold what it had.
    DeleteOnScaleDown,
    /// So it is, and all disks and the identity are deleted with the KvsCluster.
    Delete,
}

impl Retain {
    /// Whether the disk of a node that has left is deleted.
    pub const fn deletes_on_scale_down(self) -> bool {
        matches!(self, Self::DeleteOnScaleDown | Self::Delete)
    }
}
