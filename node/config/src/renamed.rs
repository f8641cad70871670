//! Names that the first KVS (the one in Go) used, and what to write for them here.

use crate::error::Reason;

/// What became of an old name.
enum Fate {
    /// The new name and an example of its form.
    Now(&'static str, &'static str),
    /// There is nothing to write instead, and why.
    Gone(&'static str),
}

use Fate::{Gone, Now};

const OWN_PACE: &str = "nodes pull from each other at their own pace; leave it out";
const ALWAYS_TLS: &str = "traffic between nodes is always under TLS; leave it out";

const RENAMED: &[(&str, Fate)] = &[
    ("gossip_interval_min", Now("gossip_interval", "1s")),
    ("gossip_interval_max", Now("gossip_interval", "1s")),
    ("bootstrap_max_age_hours", Now("bootstrap_max_age", "720h")),
    ("token_ttl_hours", Now("token_ttl", "1h")),
    ("throttle_delay_ms", Now("bootstrap_rate", "64MiB")),
    ("fetch_delay_ms", Gone(OWN_PACE)),
    ("storage_compression_enabled", Now("compression_enabled", "true")),
    ("default_compression_level", Now("compression_level", "3")),
    ("storage_compression_level", Now("compression_level", "3")),
    ("max_json_size", Now("limits.value_size", "1MiB")),
    ("max_value_size", Now("limits.value_size", "1MiB")),
    ("max_revisions", Now("revisions", "3")),
    ("revision_count", Now("revisions", "3")),
    ("anonymous_read_enabled", Now("allow_anonymous_read", "true")),
    ("anonymous_write_enabled", Now("allow_anonymous_write", "true")),
    ("rate_limit_enabled", Now("rate_limiting_enabled", "false")),
    ("rate_limit_requests", Now("rate_limit", "100")),
    ("tamper_log_enabled", Now("tamper_logging_enabled", "false")),
    ("tamper_log_actions", Gone("every change is logged once tamper_logging_enabled is true")),
    ("backup_enabled", Gone("backups are made if there is a backup_schedule")),
    ("backup_path", Now("backup_target", "/var/backups/kvs")),
    ("backup_retention_days", Now("backup_retention", "7d")),
    ("cluster_secret", Now("cluster_file", "cluster.kvs")),
    ("cluster_tls_enabled", Gone(ALWAYS_TLS)),
    ("cluster_tls_skip_verify", Gone(ALWAYS_TLS)),
    ("cluster_tls_cert_file", Gone(ALWAYS_TLS)),
    ("cluster_tls_key_file", Gone(ALWAYS_TLS)),
    ("tls_cert_file", Now("tls.cert_file", "cert.pem")),
    ("tls_key_file", Now("tls.key_file", "key.pem")),
];

/// Bare numbers of the first KVS that did not count seconds, and what they counted.
const UNITS: &[(&str, &str)] = &[("backup_retention", "d")];

/// What to say about an old name. `assign` writes a setting as the source at hand writes it.
pub(crate) fn refusal(written: &str, assign: impl Fn(&str, &str) -> String) -> Option<Reason> {
    let (_, fate) = RENAMED.iter().find(|(old, _)| *old == written)?;
    Some(match fate {
        Now(path, value) => Reason::Renamed(assign(path, value)),
        Gone(why) => Reason::Gone(why),
    })
}

/// The unit that a bare number had in the first KVS.
pub(crate) fn unit_of_bare_number(path: &str) -> Option<&'static str> {
    UNITS.iter().find(|(name, _)| *name == path).map(|(_, unit)| *unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{field, settings::Settings, value::Raw};

    #[test]
    fn every_new_name_exists_and_takes_its_example_and_no_old_name_does() {
        for (old, fate) in RENAMED {
            assert!(field::find(old).is_none(), "{old} is a setting");
            if let Now(path, example) = fate {
                let field = field::find(path).expect(path);
                let set = (field.set)(&mut Settings::default(), &Raw::Text((*example).to_owned()));
                assert_eq!(set, Ok(()), "{old}");
            }
        }
    }

    #[test]
    fn every_unit_belongs_to_a_setting() {
        assert!(UNITS.iter().all(|(path, _)| field::find(path).is_some()));
    }
}
