//! What a node says once it serves, or is known to wait for others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use kvs_config::Settings;
use kvs_core::engine::Life;
use uuid::Uuid;

use crate::accounts::ROOT_TOKEN;
use crate::node::Node;
use crate::server::SOCKET;

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
    /// How somebody who reads this may call it.
    credentials: Credentials,
}

/// How to call a node.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Credentials {
    /// Nobody is asked for any.
    NotAsked,
    /// The first token is in a file.
    Kept {
        path: PathBuf,
        /// The token itself, where it was made in this run.
        new: Option<String>,
    },
    /// There is a way to make some.
    ToBeMade,
}

impl Greeting {
    pub(super) fn new(settings: &Settings, scheme: &str, address: SocketAddr) -> Self {
        let url = format!("{scheme}://{}", reachable(address));
        let data_dir = settings.data_dir.clone();
        let credentials = Credentials::of(settings);
        Self { url, data_dir, cluster: None, waits_for: None, credentials }
    }

    /// The same with what is known of the node by now.
    pub(super) fn of(self, node: &Node) -> Self {
        let known =
            |cluster: &crate::cluster::Cluster| (cluster.membership.view().me.peer, cluster.id);
        let cluster = node.cluster().map(known);
        let credentials = self.credentials.clone().with(node, &self.data_dir);
        Self { credentials, cluster, waits_for: waits_for(node.life(), cluster.is_some()), ..self }
    }

    /// For a node in the foreground.
    pub(super) fn foreground(&self, to_a_person: bool) -> String {
        format!("{}\n\nStop it with Ctrl-C.", self.text(to_a_person))
    }

    /// For a node in the background.
    pub(super) fn background(&self, name: &str, log: &Path, to_a_person: bool) -> String {
        let log = log.display();
        format!("{}\n\nStop it with: kvs stop {name}\nIts log: {log}", self.text(to_a_person))
    }

    /// Tokens are shown to people, and to nothing that may keep what it is shown.
    fn text(&self, to_a_person: bool) -> String {
        format!(
            "\
{state}
Its data lies in {data_dir}
{peers}
{hint}

{credentials}",
            state = self.state(),
            data_dir = self.data_dir.display(),
            peers = self.peers(),
            hint = self.hint(),
            credentials = self.credentials.text(&self.socket(), to_a_person),
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

    /// How the owner of the data calls the node.
    fn socket(&self) -> String {
        format!("'unix:{}'", self.data_dir.join(SOCKET).display())
    }

    /// A line of its own, if there is anything to say.
    fn peers(&self) -> String {
        let line = |(at, id)| format!("Other nodes reach it at {at}; cluster {id}\n");
        self.cluster.map(line).unwrap_or_default()
    }

    fn hint(&self) -> String {
        let url = &self.url;
        if self.waits_for.is_some() {
            let status = match self.credentials {
                Credentials::NotAsked => format!("curl {url}/cluster"),
                _ => format!("kvs cluster status --server {}", self.socket()),
            };
            return format!("See how far it is:\n  curl {url}/health\n  {status}");
        }
        let header = self.credentials.header();
        format!(
            "\
Try it:
  curl{header} -X PUT {url}/kv/home/room/socks -d '[\"red\",\"blue\"]'
  curl{header} {url}/kv/home/room/socks
  curl{header} {url}/kv/home/_ls"
        )
    }
}

impl Credentials {
    const fn of(settings: &Settings) -> Self {
        if settings.auth_enabled { Self::ToBeMade } else { Self::NotAsked }
    }

    /// The same with what is known of the node by now: a token that has ended is none.
    fn with(self, node: &Node, data_dir: &Path) -> Self {
        let path = data_dir.join(ROOT_TOKEN);
        let Ok(token) = std::fs::read_to_string(&path) else { return self };
        let is_good = node.accounts().believe(token.trim(), node.now()).is_ok();
        if self == Self::NotAsked || !is_good {
            return self;
        }
        let new = node.accounts().were_born().then(|| token.trim().to_owned());
        Self::Kept { path, new }
    }

    /// What goes behind `curl`.
    fn header(&self) -> String {
        match self {
            Self::NotAsked => String::new(),
            Self::Kept { path, .. } => {
                format!(" -H \"Authorization: Bearer $(cat '{}')\"", path.display())
            }
            Self::ToBeMade => " -H \"Authorization: Bearer $KVS_TOKEN\"".to_owned(),
        }
    }

    fn text(&self, socket: &str, to_a_person: bool) -> String {
        match self {
            Self::NotAsked => "Authentication is off (auth_enabled: false): whoever reaches this \
                               port may read and write."
                .to_owned(),
            Self::ToBeMade => format!(
                "Callers are asked for a token. Make one of the first user with:\n  \
                 export KVS_TOKEN=$(kvs token create --root --server {socket})"
            ),
            Self::Kept { path, new } => {
                let shown = new.as_ref().filter(|_| to_a_person);
                let shown = shown.map(|token| format!("\n  {token}")).unwrap_or_default();
                let path = path.display();
                format!(
                    "Callers are asked for a token. The one of the first user is good for a day, \
                     and kept in\n  {path}{shown}\nMore: kvs user --help, kvs token --help"
                )
            }
        }
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
        assert!(alone.text(true).contains("is ready at http://127.0.0.1:81\nIts data lies in"));
        assert!(!alone.text(true).contains("Other nodes"), "{}", alone.text(true));
        let member = Greeting {
            cluster: Some((([127, 0, 0, 1], 1_081).into(), Uuid::nil())),
            waits_for: waits_for(Some(Life::Filling), true),
            ..alone
        };
        let said = member.text(true);
        assert!(
            said.contains(&format!("at 127.0.0.1:1081; cluster {}\n\n", Uuid::nil())),
            "{said}"
        );
        assert!(said.contains("not ready: it waits for the rest"), "{said}");
        assert!(said.contains("/health") && !said.contains("Try it"), "{said}");
        let ready = Greeting { waits_for: waits_for(Some(Life::Serving), true), ..member };
        assert!(ready.text(true).contains("is ready at"), "{}", ready.text(true));
    }
}
