//! `kvs systemd`: a unit file.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Done, output};
use crate::config::{self, Environment, Sources};
use crate::daemon::InstanceName;

/// Print a systemd unit that runs a node.
///
/// The unit lets the node write to its data directory alone, which must be there and be the user's.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs systemd /etc/kvs/node1.yaml --user kvs | sudo tee /etc/systemd/system/kvs-node1.service
  sudo systemctl daemon-reload && sudo systemctl enable --now kvs-node1")]
pub(super) struct Systemd {
    /// The configuration file; its .yaml may be left out [default: config.yaml]
    config: Option<PathBuf>,

    /// The user that the node runs as; it must own the data directory
    #[arg(long, default_value = "kvs")]
    user: String,
}

impl Systemd {
    pub(super) fn run(self, environment: &Environment) -> Done {
        let config = std::path::absolute(config::find(self.config.as_deref())?.path)?;
        let file = Some(config.clone());
        let sources = Sources { file, environment: environment.clone(), ..Sources::default() };
        let settings = sources.load()?.settings;
        let program = std::env::current_exe()?;
        let name = InstanceName::of(&config)?;
        let drain = settings.drain_delay.as_millis() + settings.drain_timeout.as_millis();
        let drain = drain.div_ceil(1_000);
        output::line(format_args!(
            "\
[Unit]
Description=KVS node {name}
Documentation=https://github.com/kvs-project/kvs
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User={user}
ExecStart={program} run {config}
ExecReload=/bin/kill -HUP $MAINPID
# Clients get drain_delay to go elsewhere and requests in flight drain_timeout; closing the store takes
# the rest.
TimeoutStopSec={stop}
Restart=on-failure
# A wrong configuration does not get better by trying again.
RestartPreventExitStatus=2 64
LimitNOFILE=65536
NoNewPrivileges=true
PrivateTmp=true
ProtectSystem=strict
ProtectKernelTunables=true
ProtectControlGroups=true
ReadWritePaths={data_dir}

[Install]
WantedBy=multi-user.target",
            user = self.user,
            program = quoted(&program),
            config = quoted(&config),
            stop = drain + 30,
            data_dir = quoted(&settings.data_dir),
        ))
    }
}

/// A path as an argument in a unit file, where % and $ have meanings.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    if text.contains([' ', '\t', '"', '\\']) { format!("\"{text}\"") } else { text }
}
