//! Where a cluster begins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::rules;

/// What a new cluster begins with. Left out, it begins empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// A backup in a bucket of S3. It is brought back once, onto the first disk, before there is any node;
    /// the other nodes are filled from that one. A cluster that has disks does not look at it again.
    pub from_backup: FromBackup,
}

/// A backup in a bucket of S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FromBackup {
    /// The bucket, and what names in it begin with: the `backup_target` of the cluster that made the backup,
    /// such as `s3://backups/db`.
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-validations" = rules(&[(
        "self.matches('^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\\\\s]+)*$')",
        "spec.bootstrap.fromBackup.target is no bucket; write s3://bucket or s3://bucket/prefix",
    )])))]
    pub target: String,

    /// Which backup, as `status.backup` of its `KvsBackup` has it, or `kvs backup list`.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = rules(&[(
        "self.matches('^kvs-[0-9a-f]{12}-[0-9]{8}T[0-9]{9}Z$')",
        "spec.bootstrap.fromBackup.name is no backup's name; write it as status.backup of a KvsBackup has \
         it, such as kvs-0190b6f24c1e-20261123T030000000Z",
    )])))]
    pub name: String,

    /// Where S3 is, such as `https://s3.example.org`. Left out, Amazon's for the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules(&[(
        "self.matches('^https://[A-Za-z0-9._:\\\\[\\\\]-]+/?$')",
        "spec.bootstrap.fromBackup.endpoint must be https://host or https://host:port, without a path",
    )])))]
    pub endpoint: Option<String>,

    /// The bucket's region. Left out, us-east-1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,

    /// A Secret with the key of S3: what it is called under `id`, what it signs with under `secret`.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}
