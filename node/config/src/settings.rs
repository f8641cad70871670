//! The table of all settings. Order here is the order of the default file.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use crate::{
    choice::{ClientName, Durability, LogFormat, LogLevel},
    duration::Duration,
    field::settings,
    issuer::OidcIssuer,
    size::Size,
    value::{between, one_of},
};

settings! {
    /// Everything that can be set on a node.
    ///
    /// Settings of features that this build lacks are here under their final names, so that a
    /// file need not change when they come; until then any value but the default is refused.
    settings {
        /// Name of this node as people see it: 1 to 253 bytes without control characters.
        /// Left out, it is the host name. The node's identity is a UUID of its own, not this.
        node_id: Option<String> = None;

        /// Address to listen on for clients. Loopback keeps the node to this machine;
        /// 0.0.0.0 or :: opens it on every interface.
        bind_address: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

        /// TCP port for clients. 0 lets the system choose a free one.
        port: u16 = 8080, between(0, 65_535);

        /// Folder for everything the node keeps; made when absent. A relative path in a file is
        /// taken from the folder of that file, one in a variable or option from the current
        /// folder. One folder belongs to one node.
        data_dir: PathBuf = PathBuf::from("./data");

        /// Refuses client writes with 403 and goes on serving reads.
        read_only: bool = false;

        /// Least severe events to log. More is slower and fills the disk; it never shows
        /// values or credentials. Taken over without a restart.
        log_level: LogLevel = LogLevel::Info;

        /// What a line of the log looks like: text for people, json for collectors.
        log_format: LogFormat = LogFormat::Text;

        /// When a write is acknowledged: sync, after the log is on disk; async, before, with
        /// the flush following within `flush_interval`. async is faster for writers that come
        /// one at a time and loses the last writes when power fails.
        durability: Durability = Durability::Sync;

        /// Longest time from an acknowledged write to its flush, with `durability: async`. This
        /// bounds what a power loss takes. Longer: fewer flushes, more to lose.
        flush_interval: Duration = Duration::millis(100),
            between(Duration::millis(1), Duration::seconds(10));

        /// Compresses stored values with zstd where that makes them smaller.
        compression_enabled: bool = true;

        /// zstd level. Higher: smaller files, slower writes.
        compression_level: i32 = 3, between(1, 19);

        /// Time after which a key expires whose write and prefix say nothing else. Left out,
        /// keys stay until they are deleted.
        default_ttl: Option<Duration> = None, between(Duration::seconds(1), Duration::MAX);

        /// Keeps older versions of each key, to be listed and restored.
        revision_history_enabled: bool = true;

        /// Older versions kept per key. More: longer history, more disk, in proportion.
        revisions: u32 = 3, between(1, 255);

        /// Age after which an older version is no longer shown even if fewer than `revisions` are
        /// kept; it leaves the disk with the key's next write. Left out, age alone drops none.
        revision_max_age: Option<Duration> = None,
            between(Duration::minutes(1), Duration::MAX);

        /// How long it is remembered that a key was deleted or expired, for 404 answers and
        /// `_changes`. In a cluster the time begins once every member knows of it, so that no
        /// member can bring it back. Longer: more disk per deleted key.
        tombstone_retention: Duration = Duration::hours(24),
            between(Duration::seconds(1), Duration::MAX);

        /// Furthest that a clock may be ahead before other nodes refuse what it stamps; a node stops
        /// its own writes at a quarter of it. Larger: tolerates worse clocks; a wrong one then wins
        /// over right ones for as long.
        max_clock_drift: Duration = Duration::seconds(60),
            between(Duration::seconds(1), Duration::hours(1));

        /// Leaves of the digest tree, in memory whatever the number of keys: 1048576 take
        /// 22 MB and suit millions of keys, 65536 take 1.4 MB and suit small installs.
        digest_leaves: u32 = 1_048_576, one_of(&[65_536, 1_048_576]);

        /// Memory for blocks of the store that were read. Larger: fewer reads from disk.
        /// With `write_buffer`, `queue_size` and the digest tree it is most of what a node takes.
        block_cache: Size = Size::mib(256), between(Size::mib(8), Size::gib(1024));

        /// Memory for writes not yet in sorted files, for all column families together.
        /// Larger: fewer, larger files and a longer start after a crash.
        write_buffer: Size = Size::mib(128), between(Size::mib(4), Size::gib(64));

        /// Bytes of disk that writes leave free, so that the store can flush and compact: below
        /// it writes get 507 and reads go on. Smaller: more room for data, and a full disk may
        /// stop the store's own work.
        disk_reserve: Size = Size::mib(256), between(Size::mib(16), Size::gib(64));

        /// Bytes that may wait for the writer; beyond it writes get 503 with Retry-After.
        /// Larger: absorbs longer bursts, with longer waits and more memory.
        queue_size: Size = Size::mib(64), between(Size::mib(1), Size::gib(4));

        /// How long a node that is told to stop goes on serving while it asks its clients to go
        /// elsewhere. Longer: time for whoever sends it requests to hear of it, such as a load
        /// balancer; and slower restarts. 0: it stops at once.
        drain_delay: Duration = Duration::millis(0),
            between(Duration::millis(0), Duration::minutes(5));

        /// Time that requests in flight get to finish when the node stops. Longer: slower
        /// restarts; shorter: clients see broken connections.
        drain_timeout: Duration = Duration::seconds(10),
            between(Duration::millis(100), Duration::minutes(10));

        /// Origins whose pages may call this node from a browser, such as
        /// `https://app.example.org`, or `*` for all. Empty, no page may: nothing is taken from one
        /// without a token, and none can read an answer.
        cors_allowed_origins: Vec<String> = Vec::new();

        /// Shows /members/ to anyone who can connect. Off, it takes `admin:cluster:read`.
        members_public: bool = true;

        /// Shows /metrics to anyone who can connect. There are no keys or values in it. Off, it
        /// takes `admin:cluster:read`.
        metrics_public: bool = true;

        /// Asks callers who they are: key routes take tokens, and administration is possible. Off,
        /// whoever reaches the port may do everything with keys.
        auth_enabled: bool = true;

        /// Lets callers without credentials read. Has no effect while `auth_enabled` is false:
        /// then anyone may.
        allow_anonymous_read: bool = false;

        /// Lets callers without credentials write, never delete. Has no effect while
        /// `auth_enabled` is false: then anyone may do both.
        allow_anonymous_write: bool = false;

        /// Life of a token that does not ask for another. Longer: fewer renewals, and a stolen
        /// token is of use for longer.
        token_ttl: Duration = Duration::hours(1), between(Duration::minutes(1), Duration::days(30));

        /// Longest life that a token may ask for.
        token_max_ttl: Duration = Duration::days(30),
            between(Duration::minutes(1), Duration::MAX);

        /// Issuers outside whose tokens are believed beside our own, by OpenID Connect: a list of
        /// mappings with issuer, audience, prefix and, if need be, `user_claim`, `groups_claim`,
        /// `jwks_uri` and `ca_file`. What somebody may do is up to the user and the groups here that
        /// have the names that the issuer vouches for, after the prefix.
        oidc: Vec<OidcIssuer> = Vec::new();

        /// Keeps a tamper-evident log of every change, in the same write as the change, and of what
        /// callers were denied. What is done while it is off is in no log.
        tamper_logging_enabled: bool = true;

        /// Entries of the tamper-evident log that go into one archive file. The store keeps one to two
        /// times as many, 200 bytes each. More: fewer, larger files, and more of the log in the store.
        audit_segment: u32 = 262_144, one_of(&[256, 4_096, 65_536, 262_144, 1_048_576]);

        /// Limits the requests of each caller on this node, and how often credentials may be no
        /// good. A caller is a user or, without credentials, an address; of an IPv6 address, its
        /// network of 64 bits.
        rate_limiting_enabled: bool = true;

        /// Requests that one caller may make per `rate_limit_window`, reads and writes apart; a
        /// batch counts its items. All may come at once, and come back steadily: the default is
        /// 100,000 a second, more than most single callers can make. Smaller: callers are kept from
        /// each other, and busy ones get 429. Taken over without a restart.
        rate_limit: u32 = 6_000_000, between(1, 1_000_000_000);

        /// The time that `rate_limit` and `failed_login_limit` count over. Longer: allows longer
        /// bursts. Taken over without a restart.
        rate_limit_window: Duration = Duration::minutes(1),
            between(Duration::seconds(1), Duration::hours(24));

        /// Credentials from one address that may be no good per `rate_limit_window`. After that none
        /// from there are looked at that are not known here already, until some have come back.
        /// Larger: somebody who guesses costs more. Taken over without a restart.
        failed_login_limit: u32 = 600, between(1, 1_000_000_000);

        /// Addresses or networks of proxies whose X-Forwarded-For is believed. Behind a proxy that is
        /// not here, all callers have one address.
        trusted_proxies: Vec<String> = Vec::new();

        /// Makes this node a member of a cluster, of one if it knows no other. Off, it opens no
        /// port for peers and stands alone.
        clustering_enabled: bool = true;

        /// Address at which other nodes reach this one. Left out, it is `bind_address`; where that
        /// is 0.0.0.0 or ::, the address by which this machine reaches the first seed.
        advertise_address: Option<IpAddr> = None;

        /// Other members of the cluster, as host:port of their port for clients, or as
        /// peer://host:port of their peer port where that is not 1000 above. Any that answers is
        /// enough; names are looked up again and again, and one with several addresses is several
        /// seeds. An empty node waits for one that takes it in. Empty, the node needs nobody: it
        /// is a cluster of its own, which others can join.
        seed_nodes: Vec<String> = Vec::new();

        /// The secret file that the nodes of one cluster share; `kvs cluster new` makes one. Only
        /// its owner may be able to read it. Left out, it is cluster.kvs in `data_dir`; if there is
        /// none, a node on a loopback address makes one or is given that of a seed, and one on
        /// another address does not join anybody. A relative path in a file is taken from the
        /// folder of that file.
        cluster_file: Option<PathBuf> = None;

        /// Port for other nodes: TCP, and UDP of the same number. Left out, it is port + 1000. 0
        /// lets the system choose a free one, which only nodes that this one joins will know.
        peer_port: Option<u16> = None, between(0, 65_535);

        /// Time between two comparisons of digests with a random peer. Longer: less idle
        /// traffic, and what a stream missed is found later.
        sync_interval: Duration = Duration::seconds(10),
            between(Duration::seconds(1), Duration::hours(1));

        /// The same for a while after a comparison found differences, or failed.
        catchup_interval: Duration = Duration::seconds(1),
            between(Duration::millis(100), Duration::minutes(1));

        /// Time between two probes of a member. Longer: less traffic, and a dead member is noticed
        /// later, some seconds for each second of this. Nothing is lost or forgotten by it.
        gossip_interval: Duration = Duration::seconds(1),
            between(Duration::millis(100), Duration::minutes(1));

        /// Serves clients while the node still catches up with the others after a start; it may then
        /// answer with old values.
        serve_while_syncing: bool = false;

        /// Age of the oldest revisions that a new node fetches. Live keys always come, whatever
        /// their age. Longer: a longer bootstrap.
        bootstrap_max_age: Duration = Duration::hours(720),
            between(Duration::hours(1), Duration::MAX);

        /// Bytes a second that this node takes while it is new and fills itself. Left out, as fast
        /// as the network allows.
        bootstrap_rate: Option<Size> = None, between(Size::kib(64), Size::gib(1024));

        /// Names (`node_id`) of nodes that are held down. One that is told to run and finds its own name
        /// here opens nothing and waits until it is taken out; one that runs is not stopped by it.
        fenced: Vec<String> = Vec::new();

        /// When backups are made, as five cron fields in UTC: minute, hour, day of the month,
        /// month, day of the week, such as `0 3 * * *`. One that was missed is made up for once.
        /// Left out, they are made only on demand. Taken over without a restart.
        backup_schedule: Option<String> = None;

        /// Age after which a backup of this node is deleted, once it has made a newer one.
        /// Longer: more disk.
        backup_retention: Duration = Duration::days(7),
            between(Duration::hours(1), Duration::MAX);

        /// Where backups go: a folder, or `s3://bucket/prefix` (see `backup_s3`). Left out, it is
        /// backups in `data_dir`, which does not outlive the disk: choose another one.
        backup_target: Option<String> = None;
    }

    groups {
        /// What one request may ask of a node. Larger values serve larger requests and let one
        /// caller take more memory and time from the others.
        limits: Limits {
            /// Largest value, as sent; a larger one gets 413.
            value_size: Size = Size::mib(1), between(Size::kib(1), Size::mib(64));

            /// Deepest nesting of JSON; a deeper one gets 400. Parsing takes stack for each level.
            json_depth: usize = 128, between(1, 1_024);

            /// Largest body of a batch; a larger one gets 413.
            batch_size: Size = Size::mib(16), between(Size::kib(1), Size::gib(1));

            /// Most items of a batch. A batch is written in one go, and others wait for it.
            batch_items: usize = 1_000, between(1, 100_000);

            /// Largest answer of a list, a tree or a batch; what does not fit comes with the
            /// next page.
            answer_size: Size = Size::mib(16), between(Size::kib(64), Size::gib(1));

            /// Largest request headers together; larger ones get 431.
            header_size: Size = Size::kib(32), between(Size::kib(8), Size::mib(1));

            /// Most `_changes` streams that one caller may have open. Each takes a connection and
            /// up to `stream_backlog` of memory.
            streams_per_caller: usize = 16, between(1, 10_000);

            /// Most `_changes` streams open on this node.
            streams_total: usize = 1_000, between(1, 100_000);

            /// Bytes that may wait for a slow reader of a stream before it is cut off with its
            /// cursor.
            stream_backlog: Size = Size::mib(1), between(Size::kib(64), Size::mib(256));

            /// Most keys that one request examines; a list then goes on with the next page.
            scan_keys: usize = 10_000, between(100, 10_000_000);

            /// Longest time from a request's headers to its answer; streams have none.
            request_timeout: Duration = Duration::seconds(30),
                between(Duration::millis(100), Duration::hours(1));
        }

        /// How the S3 of `backup_target` is reached. What is left out is taken from the variables
        /// that other programs read: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
        /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
        backup_s3: BackupS3 {
            /// Address of the server: https, or http on this machine. Left out here and in
            /// `AWS_ENDPOINT_URL`, it is Amazon's for the region.
            endpoint: Option<String> = None;

            /// Region of the bucket. Left out here and in `AWS_REGION`, it is us-east-1.
            region: Option<String> = None;

            /// Id of the key to sign requests with.
            access_key_id: Option<String> = None;

            /// File that has the secret of that key, and nothing else.
            secret_access_key_file: Option<PathBuf> = None;
        }

        /// TLS for clients, with a certificate and its key. All files are read again when they change.
        tls: Tls {
            /// Certificate chain in PEM, the node's own first.
            cert_file: Option<PathBuf> = None;

            /// Private key of that certificate in PEM.
            key_file: Option<PathBuf> = None;

            /// Certificates, in PEM, of authorities whose word counts on who a client is: a client
            /// that shows a certificate of theirs needs no token. Left out, none is asked for.
            client_ca_file: Option<PathBuf> = None;

            /// Lists, in PEM, of certificates that these authorities have revoked.
            client_crl_file: Option<PathBuf> = None;

            /// Where such a certificate has the name of its user. It must have just one there.
            client_name: ClientName = ClientName::CommonName;
        }

        /// ServiceAccounts of a Kubernetes cluster as users, who are called
        /// `system:serviceaccount:NAMESPACE:NAME` here, in the groups `system:serviceaccounts` and
        /// `system:serviceaccounts:NAMESPACE`. The default values suit a node in a pod.
        kubernetes: Kubernetes {
            /// Whom their tokens must be for. Left out, none is believed.
            audience: Option<String> = None;

            /// The exact `iss` of their tokens.
            issuer: String = "https://kubernetes.default.svc.cluster.local".to_owned();

            /// Address of the API server, which has their keys: https, or http on this machine.
            api_server: String = "https://kubernetes.default.svc".to_owned();

            /// Certificates in PEM to trust the API server by.
            ca_file: PathBuf =
                PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");

            /// File with the token that the API server is shown, read anew each time.
            token_file: PathBuf =
                PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/token");

            /// Asks the API server about each token (TokenReview) instead of checking it here by the
            /// server's keys: a pod that is gone is refused within a minute. The node's own account
            /// must be bound to `system:auth-delegator`.
            token_review: bool = false;
        }

        /// An authority of yours for the traffic between nodes, instead of the one that the
        /// cluster file stands for. All three files or none, in PEM.
        peer_tls: PeerTls {
            /// Certificates of the authority. Peers must be signed by it.
            ca_file: Option<PathBuf> = None;

            /// This node's certificate, then those between it and the authority. It must have the
            /// URI `kvs:node:ID` as a subject alternative name, with the node's own id, and allow
            /// client and server authentication.
            cert_file: Option<PathBuf> = None;

            /// Private key of that certificate.
            key_file: Option<PathBuf> = None;
        }
    }
}
