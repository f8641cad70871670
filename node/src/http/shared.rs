//! What all requests to a node share, and what tells their senders apart.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;

use kvs_config::{Network, Settings};

use super::metrics::Metrics;
use super::streams::Streams;

/// What requests share beside the node.
#[derive(Debug)]
pub struct Shared {
    /// Places for answers that stay open.
    pub streams: Streams,
    /// What is counted of requests.
    pub metrics: Metrics,
    /// Whose word counts on where requests come from.
    pub proxies: Vec<Network>,
    /// Where the node answers.
    pub address: OnceLock<SocketAddr>,
}

impl Shared {
    /// The state before the first request.
    pub fn new(settings: &Settings) -> Self {
        let limits = &settings.limits;
        let streams = Streams::new(limits.streams_per_caller, limits.streams_total);
        // Every text was seen to be a network when the settings were read.
        let proxies = settings.trusted_proxies.iter().filter_map(|text| text.parse().ok());
        let (proxies, address) = (proxies.collect(), OnceLock::new());
        Self { streams, metrics: Metrics::default(), proxies, address }
    }
}

/// By what callers without a name are told apart: their address, of an IPv6 address the first half,
/// since whoever has one address of a network has all of them; this machine's own stays whole.
/// Nothing where no network is involved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Peer(Option<IpAddr>);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        let network = match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            whole => whole,
        };
        Self(Some(network))
    }
}

impl Peer {
    /// The address, or that of its network; `::` where no network is involved.
    pub fn address(self) -> IpAddr {
        self.0.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
    }

    /// Whether it is on this machine.
    pub fn is_here(self) -> bool {
        self.0.is_none_or(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_here() {
        let peer = |text: &str| Peer::from(text.parse::<IpAddr>().unwrap());
        assert!(Peer::default().is_here());
        for here in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert!(peer(here).is_here(), "{here}");
        }
        for elsewhere in ["10.0.0.1", "::2", "::", "fe80::1", "0.0.0.0"] {
            assert!(!peer(elsewhere).is_here(), "{elsewhere}");
        }
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_peer_and_ipv4_addresses_are_not() {
        let peer = |text: &str| Peer::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:2"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_ne!(peer("10.0.0.1"), peer("10.0.0.2"));
        assert_eq!(peer("::ffff:10.0.0.1"), peer("10.0.0.1"));
    }
}
