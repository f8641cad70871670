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
