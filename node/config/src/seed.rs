//! Where nodes to join are found.

use std::{fmt, str::FromStr};

/// How far a peer port lies above the client port, where nobody says otherwise.
pub const PEER_PORT_OFFSET: u16 = 1_000;

/// A node to join: a name or address, and its peer port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seed {
    host: String,
    port: u16,
}

impl Seed {
    /// Host name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Peer port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// Why a text names no seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// Of another scheme.
    #[error("write host:port with the client port, or peer://host:port with the peer port")]
    Scheme,
    /// Nothing before the port.
    #[error("it has no host; write host:port")]
    NoHost,
    /// What stands for the host is none.
    #[error("{0} is not a host name or address")]
    Host(String),
    /// An address of IPv6 without brackets.
    #[error("an IPv6 address needs brackets: [address]:port")]
    Brackets,
    /// No port, or not a number from 1 to 65535.
    #[error("it needs a port from 1 to 65535: host:port")]
    Port,
    /// The peer port would be none.
    #[error(
        "its peer port would be {0} + {PEER_PORT_OFFSET}, and ports end at 65535; write \
         peer://host:port with the peer port"
    )]
    NoPeerPort(u16),
}

impl FromStr for Seed {
    type Err = SeedError;

    /// Reads `host:port`, which names the client port, or `peer://host:port`.
    fn from_str(text: &str) -> Result<Self, SeedError> {
        if let Some(address) = text.strip_prefix("peer://") {
            let (host, port) = split(address)?;
            return Ok(Self { host, port });
        }
        if text.contains("://") {
            return Err(SeedError::Scheme);
        }
        let (host, client) = split(text)?;
        let port = client.checked_add(PEER_PORT_OFFSET).ok_or(SeedError::NoPeerPort(client))?;
        Ok(Self { host, port })
    }
}

fn split(address: &str) -> Result<(String, u16), SeedError> {
    let (host, port) = address.rsplit_once(':').ok_or(SeedError::Port)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or(SeedError::Brackets)?,
        None if host.contains(':') => return Err(SeedError::Brackets),
        None => host,
    };
    if host.is_empty() {
        return Err(SeedError::NoHost);
    }
    let in_host = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
    if !host.chars().all(in_host) {
        return Err(SeedError::Host(host.escape_debug().to_string()));
    }
    // A sign would be read as part of a number.
    let port = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = port.and_then(|port| port.parse().ok()).filter(|port| *port != 0);
    Ok((host.to_owned(), port.ok_or(SeedError::Port)?))
}

/// As `peer://host:port`.
impl fmt::Display for Seed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(out, "peer://[{host}]:{port}")
        } else {
            write!(out, "peer://{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, SeedError> {
        let seed: Seed = text.parse()?;
        assert_eq!(seed.to_string().parse(), Ok(seed.clone()));
        Ok(format!("{} {}", seed.host(), seed.port()))
    }

    #[test]
    fn a_client_port_stands_for_the_peer_port_above_it() {
        assert_eq!(read("db-0.db:8080").unwrap(), "db-0.db 9080");
        assert_eq!(read("127.0.0.1:1").unwrap(), "127.0.0.1 1001");
        assert_eq!(read("[::1]:8080").unwrap(), "::1 9080");
        assert_eq!(read("a:64535").unwrap(), "a 65535");
        assert_eq!(read("a:64536"), Err(SeedError::NoPeerPort(64_536)));
    }

    #[test]
    fn a_peer_port_is_taken_as_it_is() {
        assert_eq!(read("peer://db:7000").unwrap(), "db 7000");
        assert_eq!(read("peer://[fe80::1%eth0]:65535").unwrap(), "fe80::1%eth0 65535");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for text in ["a", "a:", "a:0", "a:65536", "a:+80", "a:8o", "[::1]"] {
            assert!(matches!(read(text), Err(SeedError::Port | SeedError::Brackets)), "{text}");
        }
        assert_eq!(read(""), Err(SeedError::Port));
        assert_eq!(read(":8080"), Err(SeedError::NoHost));
        assert_eq!(read("::1:8080"), Err(SeedError::Brackets));
        assert_eq!(read("[::1:8080"), Err(SeedError::Brackets));
        assert_eq!(read("http://a:8080"), Err(SeedError::Scheme));
        assert_eq!(read("a/b:8080"), Err(SeedError::Host("a/b".into())));
        assert_eq!(read("a b:8080"), Err(SeedError::Host("a b".into())));
    }
}
