//! Where peers reach this node.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use kvs_config::{PEER_PORT_OFFSET, Seed, Settings};

use super::ClusterError;
use crate::membership;
use crate::peer::PeerServer;

/// How often a port is tried for that the system chose for one protocol and has given away in the
/// other.
const ATTEMPTS: usize = 16;

/// Takes the port for peers: the same number for connections and for datagrams.
pub(super) fn bind(settings: &Settings) -> Result<(PeerServer, UdpSocket), ClusterError> {
    let wanted = SocketAddr::new(settings.bind_address, peer_port(settings)?);
    let mut left = if wanted.port() == 0 { ATTEMPTS } else { 1 };
    loop {
        left -= 1;
        let server = PeerServer::bind(wanted)?;
        match membership::bind(server.local_addr()) {
            Ok(socket) => return Ok((server, socket)),
            Err(error) if left == 0 => return Err(error.into()),
            Err(_taken) => {}
        }
    }
}

fn peer_port(settings: &Settings) -> Result<u16, ClusterError> {
    match (settings.peer_port, settings.port) {
        (Some(port), _) => Ok(port),
        // Where the system chooses one it chooses both.
        (None, 0) => Ok(0),
        (None, port) => port.checked_add(PEER_PORT_OFFSET).ok_or(ClusterError::NoPeerPort { port }),
    }
}

/// The address that others are told.
pub(super) fn advertised(settings: &Settings, seeds: &[Seed]) -> IpAddr {
    let bound = settings.bind_address;
    if let Some(address) = settings.advertise_address {
        return address;
    }
    if !bound.is_unspecified() {
        return bound;
    }
    let towards = seeds.iter().find_map(|seed| route(bound, (seed.host(), seed.port())));
    // Where no seed can be found yet: the way to anywhere. TEST-NET-1 is never sent to.
    let anywhere = || route(bound, ("192.0.2.1", 9));
    towards.or_else(anywhere).unwrap_or_else(|| loopback(bound))
}

/// The address from which the system would send to `target`; nothing is sent.
fn route(bound: IpAddr, target: (&str, u16)) -> Option<IpAddr> {
    let socket = UdpSocket::bind(SocketAddr::new(bound, 0)).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

const fn loopback(bound: IpAddr) -> IpAddr {
    match bound {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(port: u16, peer_port: Option<u16>) -> Settings {
        Settings { port, peer_port, ..Settings::default() }
    }

    #[test]
    fn the_port_for_peers_is_a_thousand_above_unless_it_is_set() {
        assert_eq!(peer_port(&settings(8080, None)).unwrap(), 9080);
        assert_eq!(peer_port(&settings(8080, Some(7000))).unwrap(), 7000);
        assert_eq!(peer_port(&settings(0, None)).unwrap(), 0);
        assert_eq!(peer_port(&settings(64_535, None)).unwrap(), 65_535);
        let error = peer_port(&settings(64_536, None)).unwrap_err().to_string();
        assert!(error.contains("64536 + 1000") && error.contains("`peer_port`"), "{error}");
    }

    #[test]
    fn both_protocols_get_one_port() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _within = runtime.enter();
        let (server, socket) = bind(&settings(0, None)).unwrap();
        assert_eq!(server.local_addr().port(), socket.local_addr().unwrap().port());
    }

    #[test]
    fn what_is_told_others_is_an_address_that_they_can_reach() {
        let told = |settings: &Settings| advertised(settings, &[]);
        let bound = |address: &str| Settings {
            bind_address: address.parse().unwrap(),
            ..Settings::default()
        };
        assert!(told(&Settings::default()).is_loopback());
        assert_eq!(told(&bound("10.1.2.3")).to_string(), "10.1.2.3");
        assert!(!told(&bound("0.0.0.0")).is_unspecified());
        let given = Settings { advertise_address: "10.9.9.9".parse().ok(), ..bound("0.0.0.0") };
        assert_eq!(told(&given).to_string(), "10.9.9.9");
    }
}
