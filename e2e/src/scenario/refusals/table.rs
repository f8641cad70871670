//! What is wrong, and what is said of it.

/// A wrong name or spec, and a part of what the API server says of it.
pub(super) struct Wrong {
    pub(super) what: &'static str,
    pub(super) says: &'static str,
}

const fn wrong(what: &'static str, says: &'static str) -> Wrong {
    Wrong { what, says }
}

pub(super) static NAMES: &[Wrong] = &[
    wrong(
        "abcdefghijklmnopqrstuvwxyz-abcdefghijklmno",
        "has more than 40 characters; choose a shorter one",
    ),
    wrong("1db", "must begin with a letter"),
    wrong("my.db", "only lower-case letters, digits and hyphens"),
    wrong("DB", "must consist of lower case alphanumeric characters"),
];

pub(super) static SPECS: &[Wrong] = &[
    wrong("replicas: 0", "greater than or equal to 1"),
    wrong("replicas: 101", "less than or equal to 100"),
    wrong("replicas: three", "must be of type integer"),
    wrong("replica: 3", "unknown field \"spec.replica\""),
    wrong("storage: {}", "spec.storage.size: Required value"),
    wrong("storage: {size: ten}", "write a number and a unit, such as 10Gi"),
    wrong("storage: {size: 511Mi}", "less than 512Mi, the least that a node can work with"),
    wrong(
        "storage: {size: 1Gi, retain: Keep}",
        "supported values: \"Retain\", \"DeleteOnScaleDown\", \"Delete\"",
    ),
    wrong("storage: {size: 1Gi, class: fast}", "unknown field \"spec.storage.class\""),
    wrong("storage: {size: 1Gi, storageClassName: ''}", "at least 1 chars"),
    wrong("image: ''", "at least 1 chars"),
    wrong("image: 'kvs: 1'", "write name:tag or name@digest"),
    wrong(
        "imagePullPolicy: Sometimes",
        "supported values: \"Always\", \"IfNotPresent\", \"Never\"",
    ),
    wrong("imagePullSecrets: pull", "must be of type array"),
    wrong("mode: Stopped", "supported values: \"Running\", \"Paused\", \"Hibernated\""),
    wrong("forget: [db-2]", "`kubectl kvs members` shows them"),
    wrong(
        "forget: [00000000-0000-0000-0000-000000000001, 00000000-0000-0000-0000-000000000001]",
        "Duplicate value",
    ),
    wrong("config: {port: 1}", "unknown field \"spec.config.port\""),
    wrong("config: {cluster_file: /x}", "unknown field \"spec.config.cluster_file\""),
    wrong("config: {revision: 3}", "unknown field \"spec.config.revision\""),
    wrong("config: {revisions: many}", "must be of type integer"),
    wrong("config: {log_level: loud}", "supported values"),
    wrong("config: {durability: maybe}", "supported values"),
    wrong("config: {block_cache: big}", "write a size such as 64MiB"),
    wrong("config: {drain_timeout: '10'}", "write a duration such as 30s"),
    wrong("config: {limits: {value: 1MiB}}", "unknown field \"spec.config.limits.value\""),
    wrong("config: {cors_allowed_origins: '*'}", "must be of type array"),
    wrong("identitySecret: ''", "at least 1 chars"),
    wrong("bootstrap: {}", "spec.bootstrap.fromBackup: Required value"),
    wrong(
        "bootstrap: {fromBackup: {target: s3://backups, name: kvs-0190b6f24c1e-20261123T030000000Z}}",
        "fromBackup.secretName: Required value",
    ),
    wrong(
        "identitySecret: a\nbootstrap: {fromBackup: {target: backups, secretName: s, name: kvs-0190b6f24c1e-20261123T030000000Z}}",
        "write s3://bucket or s3://bucket/prefix",
    ),
    wrong(
        "identitySecret: a\nbootstrap: {fromBackup: {target: s3://backups, secretName: s, name: nightly}}",
        "as status.backup of a KvsBackup has it",
    ),
    wrong(
        "identitySecret: a\nbootstrap: {fromBackup: {target: s3://backups, secretName: s, name: kvs-0190b6f24c1e-20261123T030000000Z, endpoint: http://s3.example.org}}",
        "must be https://host",
    ),
    wrong(
        "bootstrap: {fromBackup: {target: s3://backups, secretName: s, name: kvs-0190b6f24c1e-20261123T030000000Z}}",
        "fromBackup needs spec.identitySecret",
    ),
    wrong("caConfigMap: ''", "at least 1 chars"),
    wrong("tls: {mode: Secret}", "must name a Secret with tls.crt and tls.key"),
    wrong("tls: {secretName: web}", "write mode: Secret, or leave the name out"),
    wrong("tls: {mode: 'On', secretName: web}", "supported values: \"Off\", \"Secret\""),
    wrong("resources: {requests: {memory: lots}}", "write a number and a unit, such as 500m"),
    wrong("nodeSelector: [fast]", "must be of type object"),
    wrong("tolerations: [{operator: Exists, tolerationSeconds: soon}]", "must be of type integer"),
    wrong(
        "topologySpread: [{topologyKey: rack, whenUnsatisfiable: DoNotSchedule}]",
        "maxSkew: Required value",
    ),
    wrong("podLabels: {app.kubernetes.io/name: x}", "are the operator's own; choose others"),
    wrong("podAnnotations: {kvs.kalzu.dev/x: z}", "are the operator's own; choose others"),
    wrong("env: [{name: KVS__PORT, value: '1'}]", "write settings below spec.config"),
    wrong("env: [{value: '1'}]", "name: Required value"),
    wrong(
        "service: {type: External}",
        "supported values: \"ClusterIP\", \"NodePort\", \"LoadBalancer\"",
    ),
    wrong("service: {annotations: {kvs.kalzu.dev/x: z}}", "are the operator's own; choose others"),
    wrong("fenced: [3]", "take out what is above, or hold nodes down that there are"),
    wrong("fenced: [-1]", "greater than or equal to 0"),
    wrong("fenced: [1, 1]", "Duplicate value"),
    wrong("fenced: [db-1]", "must be of type integer"),
    wrong("rollout: {canary: 4}", "let fewer pods go first, or leave it out"),
    wrong("rollout: {canary: 0}", "greater than or equal to 1"),
    wrong("rollout: {timeoutMinutes: 0}", "greater than or equal to 1"),
    wrong("rollout: {override: {gate: Agreement}}", "expires: Required value"),
    wrong(
        "rollout: {override: {gate: Everything, expires: '2026-01-31T12:00:00Z'}}",
        "supported values",
    ),
    wrong("rollout: {override: {gate: Agreement, expires: tomorrow}}", "date-time"),
    wrong("networkPolicy: strict", "must be of type boolean"),
];

const FROM_BACKUP: &str = "identitySecret: a\nbootstrap: {fromBackup: {target: s3://backups, \
    secretName: s, name: kvs-0190b6f24c1e-20261123T030000000Z}}";

/// What there is, and the change of it that is refused.
pub(super) static CHANGES: &[(&str, Wrong)] = &[
    ("storage: {size: 2Gi}", wrong("storage: {size: 1Gi}", "can grow and not shrink")),
    (
        "storage: {size: 1Gi, storageClassName: a}",
        wrong(
            "storage: {size: 1Gi, storageClassName: b}",
            "make a second cluster and move the data there",
        ),
    ),
    (
        "storage: {size: 1Gi, storageClassName: a}",
        wrong("storage: {size: 1Gi}", "make a second cluster and move the data there"),
    ),
    (
        "identitySecret: a",
        wrong("identitySecret: b", "for another identity, make another KvsCluster"),
    ),
    ("{}", wrong("identitySecret: b", "for another identity, make another KvsCluster")),
    (
        FROM_BACKUP,
        wrong("identitySecret: a", "spec.bootstrap cannot change: it says how the cluster began"),
    ),
    ("identitySecret: a", wrong(FROM_BACKUP, "make another KvsCluster")),
];
