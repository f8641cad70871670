//! What all requests to a node share, and what tells their senders apart.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;

use kvs_config::Limits;

use super::metrics::Metrics;
use super::streams::Streams;

/// What requests share beside the node.
#[derive(Debug)]
pub struct Shared {
    /// Places for answers that stay open.
    pub streams: Streams,
    /// What is counted of requests.
    pub metrics: Metrics,
    /// Where the node answers.
    pub address: OnceLock<SocketAddr>,
}

impl Shared {
    /// The state before the first request.
    pub fn new(limits: &Limits) -> Self {
        let streams = Streams::new(limits.streams_per_caller, limits.streams_total);
        Self { streams, metrics: Metrics::default(), address: OnceLock::new() }
    }
}

/// By what callers without a name are told apart: their address, of an IPv6 address the first half,
/// since whoever has one address of a network has all of them. Nothing where no network is involved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Peer {
    network: Option<IpAddr>,
    /// Whether it is another machine.
    remote: bool,
}

impl Peer {
    /// Whether it is this machine.
    pub const fn is_local(&self) -> bool {
        !self.remote
    }
}

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let network = match address {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        };
        Self { network: Some(network), remote: !address.is_loopback() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_are_one_peer_and_ipv4_addresses_are_not() {
        let peer = |text: &str| Peer::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:2"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_ne!(peer("10.0.0.1"), peer("10.0.0.2"));
        assert_eq!(peer("::ffff:10.0.0.1"), peer("10.0.0.1"));
    }

    #[test]
    fn this_machine_is_told_from_others() {
        let local = |text: &str| Peer::from(text.parse::<IpAddr>().unwrap()).is_local();
        assert!(local("127.0.0.1") && local("127.9.9.9") && local("::1"));
        assert!(local("::ffff:127.0.0.1") && Peer::default().is_local());
        assert!(!local("10.0.0.1") && !local("::") && !local("::2") && !local("0.0.0.0"));
    }
}
