//! Which changes a running node takes over, and which need a restart.

use crate::settings::{FIELDS, Settings};

const RELOADABLE: &[&str] = &[
    "log_level",
    "rate_limit",
    "rate_limit_window",
    "failed_login_limit",
    "backup_schedule",
    "tls.cert_file",
    "tls.key_file",
    "tls.client_ca_file",
    "tls.client_crl_file",
    "tls.client_name",
];

/// Whether a running node takes over a new value of this setting.
pub fn reloadable(path: &str) -> bool {
    RELOADABLE.contains(&path)
}

/// Whether a setting may be in the live file: a running node takes it over, or one that is held down.
/// Paths of files are not among them: they are taken from the folder of the configuration file.
pub fn may_be_live(path: &str) -> bool {
    path == "fenced" || (reloadable(path) && !path.contains('.'))
}

/// The settings that may be in the live file, in words.
pub(crate) fn live() -> String {
    let names: Vec<_> =
        FIELDS.iter().map(|field| field.path).filter(|path| may_be_live(path)).collect();
    names.join(", ")
}

/// The paths of the settings that differ between two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that a running node takes over.
    pub reloaded: Vec<&'static str>,
    /// Those that count only after a restart.
    pub need_restart: Vec<&'static str>,
}

/// What changed from `old` to `new`.
pub fn diff(old: &Settings, new: &Settings) -> Changes {
    let changed = FIELDS.iter().filter(|field| (field.get)(old) != (field.get)(new));
    let (reloaded, need_restart) =
        changed.map(|field| field.path).partition(|path| reloadable(path));
    Changes { reloaded, need_restart }
}
