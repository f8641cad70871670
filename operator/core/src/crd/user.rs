//! `KvsUser`: somebody who may do something with a cluster's keys.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{by_type, fixed, rules};

/// A user of a `KvsCluster`, with a token in a Secret or known by a pod's ServiceAccount.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kvs.kalzu.dev",
    version = "v1alpha1",
    kind = "KvsUser",
    plural = "kvsusers",
    singular = "kvsuser",
    category = "all",
    namespaced,
    status = "KvsUserStatus",
    derive = "PartialEq",
    doc = "A user of a KvsCluster: made there, kept as it is here, and deleted there with its tokens when the KvsUser is.",
    printcolumn = r#"{"name":"Cluster","type":"string","jsonPath":".spec.cluster"}"#,
    printcolumn = r#"{"name":"User","type":"string","jsonPath":".status.user"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Secret","type":"string","jsonPath":".spec.token.secretName"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.message","priority":1}"#,
    crates(
        kube_core = "::kube_core",
        k8s_openapi = "::k8s_openapi",
        schemars = "::schemars",
        serde = "::serde",
        serde_json = "::serde_json"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[
    (
        "self.cluster == oldSelf.cluster",
        "spec.cluster cannot change: the user is there. Make another KvsUser",
    ),
    (
        &fixed("userName"),
        "spec.userName cannot change: keys belong to the user and not to the name. Make another KvsUser",
    ),
    (
        &fixed("serviceAccount"),
        "spec.serviceAccount cannot change: keys belong to the user and not to the name. Make another \
         KvsUser",
    ),
    (
        "!has(oldSelf.token) || (has(self.token) && self.token.secretName == oldSelf.token.secretName)",
        "spec.token.secretName cannot change: whoever reads the Secret would go on with an old token. \
         Make another KvsUser",
    ),
    (
        "!has(self.userName) || !has(self.serviceAccount)",
        "spec.userName and spec.serviceAccount exclude each other: a ServiceAccount has its name already",
    ),
    (
        "!has(self.token) || !has(self.serviceAccount)",
        "spec.token has no use with spec.serviceAccount: its pods show the token that Kubernetes gives \
         them. Leave one of them out",
    ),
])))]
pub struct KvsUserSpec {
    /// The `KvsCluster`, in the same namespace.
    #[schemars(length(min = 1, max = 40))]
    pub cluster: String,

    /// What the user is called there. Left out, as the `KvsUser` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), extend("x-kubernetes-validations" = rules(&[
        (
            "self.matches('^[A-Za-z0-9][A-Za-z0-9._@:+-]*$')",
            "spec.userName must begin with a letter or digit, and have only ASCII letters, digits and \
             . _ @ : + -",
        ),
        ("self != 'root'", ROOT),
    ])))]
    pub user_name: Option<String>,

    /// The ServiceAccount whose pods are this user: they show the token that Kubernetes gives them,
    /// which needs `kubernetes` in the cluster's `config`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccountName>,

    /// What the user may do, as the cluster spells it: `read`, `write`, `delete`, alone or below a key,
    /// as `write:shop/carts`; or what administrators may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 256)),
        extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = rules(&[(SCOPE, SCOPES)]))
    )]
    pub scopes: Vec<String>,

    /// The groups that the user is in, and no others. They must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 128)),
        extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = rules(&[(
            "self.all(g, g.matches('^[A-Za-z0-9][A-Za-z0-9._@:+-]*$'))",
            "spec.groups are names of groups: a letter or digit first, and only ASCII letters, digits \
             and . _ @ : + -",
        )]))
    )]
    pub groups: Vec<String>,

    /// Keeps a token in a Secret, and renews it before it ends. Left out, there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<UserToken>,

    /// Takes over a user of that name who is there already: their scopes and groups become these, and
    /// they are deleted with the `KvsUser`.
    #[serde(default)]
    pub adopt: bool,
}

/// What nobody takes over by mistake.
const ROOT: &str = "root is the cluster's own first user; choose another name, and give it the scope * \
     if it is to do everything";

/// Names of `KvsUser`s: they are users' names, too.
pub(super) const NAME: [(&str, &str); 2] = [
    (
        "size(self.metadata.name) <= 63",
        "metadata.name has more than 63 characters; choose a shorter one, and write a longer user's name \
         into spec.userName",
    ),
    (
        "self.metadata.name != 'root' || has(self.spec.userName) || has(self.spec.serviceAccount)",
        ROOT,
    ),
];

const SCOPE: &str = "self.all(s, s.matches('^([*]|(read|write|delete)(:.+)?|admin:([*]|\
     (users|groups):([*]|create|read|update|delete)|tokens:([*]|create|read|revoke)|\
     resources:([*]|(read|update)(:.+)?)|cluster:([*]|read|update)|\
     backups:([*]|create|read|delete|download)|audit:([*]|read)))$'))";
const SCOPES: &str = "spec.scopes are read, write or delete, each alone or with a key, as \
     write:home/room; admin:users:…, admin:groups:…, admin:tokens:…, admin:resources:…, \
     admin:cluster:…, admin:backups:…, admin:audit:read; or * for a whole last part";

/// A ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountName {
    /// Its name.
    #[schemars(length(min = 1, max = 105))]
    pub name: String,

    /// Its namespace. Left out, the `KvsUser`'s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// A token in a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserToken {
    /// The Secret, which must not be there already: `token` is the token, `url` where the cluster is.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules(&[(
        "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
        "spec.token.secretName must be a Secret's name: lower-case letters, digits, hyphens and dots",
    )])))]
    pub secret_name: String,

    /// How long a token lives. It is renewed when a third of that is left; programs read the Secret
    /// again before it ends.
    #[serde(default = "day")]
    #[schemars(length(min = 2, max = 5), extend("x-kubernetes-validations" = rules(&[(
        "self.matches('^([1-9][0-9]{1,3}m|[1-9][0-9]{0,3}h|[1-9][0-9]{0,2}d)$')",
        "spec.token.ttl must be 10m or more, in minutes, hours or days, as 90m, 24h or 7d",
    )])))]
    pub ttl: String,
}

fn day() -> String {
    "24h".to_owned()
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KvsUserStatus {
    /// `Ready`: whether the user is on the cluster as it is here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = by_type)]
    pub conditions: Vec<Condition>,

    /// The generation of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// In a sentence what is not well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// What the user is called on the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,

    /// When the token in the Secret ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_ends: Option<Time>,
}
