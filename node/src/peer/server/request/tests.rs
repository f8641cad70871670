use std::net::SocketAddr;

use kvs_core::NodeId;

use super::*;

fn status(route: PeerRoute, role: PeerRole, address: &str) -> Option<u16> {
    let address: SocketAddr = address.parse().unwrap();
    check(route, &PeerCaller { role, address }).err().map(|turned| turned.status)
}

#[test]
fn every_route_takes_those_that_its_row_names() {
    for route in PeerRoute::all() {
        let node = || PeerRole::Node(NodeId::from_bytes([1; 16]));
        let operator = || PeerRole::Operator("one".into());
        for address in ["10.0.0.1:9", "127.0.0.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            let local = address != "10.0.0.1:9";
            let answers =
                [node(), operator(), PeerRole::Nobody].map(|role| status(route, role, address));
            let expected = match route.callers() {
                Callers::Nodes => [None, Some(403), Some(401)],
                Callers::NodesAndOperator => [None, None, Some(401)],
                Callers::Operator => [Some(403), None, Some(401)],
                Callers::ThisMachine if local => [None, None, None],
                Callers::ThisMachine => [Some(403), Some(403), Some(403)],
            };
            assert_eq!(answers, expected, "{} from {address}", route.name());
        }
    }
}
