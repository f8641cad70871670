//! What a node says when it is ready.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use kvs_config::Settings;

/// What people want to know of a node that is ready.
#[derive(Clone, Debug)]
pub(super) struct Greeting {
    /// Where it answers.
    pub(super) url: String,
    data_dir: PathBuf,
}

impl Greeting {
    pub(super) fn new(settings: &Settings, scheme: &str, address: SocketAddr) -> Self {
        let url = format!("{scheme}://{}", reachable(address));
        Self { url, data_dir: settings.data_dir.clone() }
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
        let Self { url, data_dir } = self;
        format!(
            "\
KVS {version} is ready at {url}
Its data lies in {data_dir}

Try it:
  curl -X PUT {url}/kv/home/room/socks -d '[\"red\",\"blue\"]'
  curl {url}/kv/home/room/socks
  curl {url}/kv/home/_ls

Authentication is not available yet in this build: whoever reaches this port may read and write.",
            version = env!("CARGO_PKG_VERSION"),
            data_dir = data_dir.display(),
        )
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
}
