//! Whose the cluster file is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::Blueprint;
use crate::crd::Retain;

impl Blueprint<'_> {
    /// The Secret with the cluster file.
    pub fn identity_name(&self) -> String {
        self.cluster.spec.identity_secret.clone().unwrap_or_else(|| self.names.identity())
    }

    /// The owners that this Secret is to have instead of these; nothing if they are right. It is deleted
    /// with the `KvsCluster` only where all disks are: without it they cannot be used. One that people
    /// brought is theirs.
    pub fn identity_owners(&self, has: &[OwnerReference]) -> Option<Vec<OwnerReference>> {
        if self.cluster.spec.identity_secret.is_some() {
            return None;
        }
        let is_cluster =
            |one: &&OwnerReference| one.kind == "KvsCluster" && one.name == self.names.cluster;
        let goes = self.cluster.spec.storage.retain == Retain::Delete;
        let wanted: Option<OwnerReference> = Some(self.owner())
            .filter(|_| goes)
            .and_then(|owner| serde_json::from_value(owner).ok());
        let uid = |one: &OwnerReference| one.uid.clone();
        if has.iter().filter(is_cluster).map(uid).eq(wanted.iter().map(uid)) {
            return None;
        }
        let others = has.iter().filter(|one| !is_cluster(one)).cloned();
        Some(others.chain(wanted).collect())
    }
}
