//! What a node says once it serves, or is known to wait for others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use kvs_config::Settings;
use kvs_core::engine::Life;
use uuid::Uuid;

use crate::node::Node;

/// What people want to know of a node that was started.
#[derive(Clone, Debug)]
pub(super) struct Greeting {
    /// Where it answers.
    pub(super) url: String,
    data_dir: PathBuf,
    /// Where other nodes reach it, and its cluster.
    cluster: Option<(SocketAddr, Uuid)>,
    /// What it waits for before it serves.
    waits_for: Option<&'static str>,
}

impl Greeting {
    pub(super) fn new(settings: &Settings, scheme: &str, address: SocketAddr) -> Self {
        let url = format!("{scheme}://{}", reachable(address));
        Self { url, data_dir: settings.data_dir.clone(), cluster: None, waits_for: None }
    }

    /// The same with what is known of the node by now.
    pub(super) fn of(self, node: &Node) -> Self {
        let known =
            |cluster: &crate::cluster::Cluster| (cluster.membership.view().me.peer, cluster.id);
        let cluster = node.cluster().map(known);
        Self { cluster, waits_for: waits_for(node.life(), cluster.is_some()), ..self }
    }

    /// For a node in the foreground.
    pub(super) fn foreground(&self) -> String {
        format!("{}\n\nStop it with Ctrl-C.", self.text())
    }

    /// For a node in the background.
    pub(super) fn background(&self, name: &str, log: &Path) -> String {
        let log = log.display();
        format!("{}\n\nStop it with: kvs stop {name}\nIts log: {log}", self.text())
    }

    fn text(&self) -> String {
        format!(
            "\
{state}
Its data lies in {data_dir}
{peers}
{hint}

Authentication is not available yet in this build: whoever reaches this port may read and write.",
            state = self.state(),
            data_dir = self.data_dir.display(),
            peers = self.peers(),
            hint = self.hint(),
        )
    }

    fn state(&self) -> String {
        let (url, version) = (&self.url, env!("CARGO_PKG_VERSION"));
        match self.waits_for {
            None => format!("KVS {version} is ready at {url}"),
            Some(what) => {
                format!("KVS {version} is up at {url}, and not ready: it waits for {what}")
            }
        }
    }

    /// A line of its own, if there is anything to say.
    fn peers(&self) -> String {
        let line = |(at, id)| format!("Other nodes reach it at {at}; cluster {id}\n");
        self.cluster.map(line).unwrap_or_default()
    }

    fn hint(&self) -> String {
        let url = &self.url;
        if self.waits_for.is_some() {
            return format!("See how far it is:\n  curl {url}/health\n  curl {url}/cluster");
        }
        format!(
            "\
Try it:
  curl -X PUT {url}/kv/home/room/socks -d '[\"red\",\"blue\"]'
  curl {url}/kv/home/room/socks
  curl {url}/kv/home/_ls"
        )
    }
}

/// What a node waits for that is here in its life; nothing if it serves.
const fn waits_for(life: Option<Life>, has_secret: bool) -> Option<&'static str> {
    match (life, has_secret) {
        (None | Some(Life::Serving), _) => None,
        (Some(_), false) => Some("a seed on this machine that hands over its cluster file"),
        (Some(Life::Unborn), true) => Some("a node of its cluster that takes it in"),
        (Some(Life::Filling), true) => Some("the rest of the data, which is coming"),
        (Some(Life::CatchingUp), true) => Some("others to compare its data with"),
    }
}

/// What to say when a configuration was written.
pub(super) fn written(path: &Path) -> String {
    format!("There was no {path}: wrote it, with the defaults.", path = path.display())
}

/// An address that a program on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_every_interface_is_shown_as_one_that_can_be_called() {
        let url = |text: &str| {
            Greeting::new(&Settings::default(), "http", text.parse::<SocketAddr>().unwrap()).url
        };
        assert_eq!(url("0.0.0.0:81"), "http://127.0.0.1:81");
        assert_eq!(url("[::]:81"), "http://[::1]:81");
        assert_eq!(url("10.0.0.7:81"), "http://10.0.0.7:81");
    }

    #[test]
    fn a_member_names_its_port_for_others_and_one_that_waits_says_for_what() {
        let alone = Greeting::new(&Settings::default(), "http", ([127, 0, 0, 1], 81).into());
        assert!(alone.text().contains("is ready at http://127.0.0.1:81\nIts data lies in"));
        assert!(!alone.text().contains("Other nodes"), "{}", alone.text());
        let member = Greeting {
            cluster: Some((([127, 0, 0, 1], 1_081).into(), Uuid::nil())),
            waits_for: waits_for(Some(Life::Filling), true),
            ..alone
        };
        let said = member.text();
        assert!(
            said.contains(&format!("at 127.0.0.1:1081; cluster {}\n\n", Uuid::nil())),
            "{said}"
        );
        assert!(said.contains("not ready: it waits for the rest"), "{said}");
        assert!(said.contains("/health") && !said.contains("Try it"), "{said}");
        let ready = Greeting { waits_for: waits_for(Some(Life::Serving), true), ..member };
        assert!(ready.text().contains("is ready at"), "{}", ready.text());
    }
}
