//! The TLS library's settings, made from whom to believe and what to show.

use std::sync::Arc;
use std::time::Duration;

use kvs_client::peer::{
    Anybody, Authority, Expiry, PROTOCOL, PeerName, Signed, Verifier, connecting, for_peers,
    provider,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, Error, ServerConfig};
use webpki::KeyUsage;

use super::{CredentialsError, Trust};
use crate::time::WallClock;

/// Both sides' settings, from one trust.
#[derive(Debug)]
pub(super) struct Configs {
    pub(super) accepting: Arc<ServerConfig>,
    pub(super) connecting: Arc<ClientConfig>,
    pub(super) verifier: Arc<Verifier>,
}

impl Configs {
    pub(super) fn make(
        name: &PeerName,
        trust: &Trust,
        clock: &Arc<dyn WallClock>,
    ) -> Result<Self, CredentialsError> {
        let expiry = match trust {
            Trust::Ring(_) => Expiry::Never,
            Trust::Authority { .. } => Expiry::ByTheClock,
        };
        let verifier = Arc::new(Verifier::new(&trust.authorities()?, expiry)?);
        let (chain, key) = shown(name, trust, &verifier, &**clock)?;
        let clock = Arc::new(Clock(clock.clone()));
        let connecting =
            connecting(clock.clone(), verifier.clone(), chain.clone(), key.clone_key())?;
        let accepting = accepting(&clock, &verifier, chain, key)?;
        Ok(Self { accepting: Arc::new(accepting), connecting: Arc::new(connecting), verifier })
    }
}

type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What a peer is shown: a new certificate of the ring's first authority, or the user's.
fn shown(
    name: &PeerName,
    trust: &Trust,
    verifier: &Verifier,
    clock: &dyn WallClock,
) -> Result<Shown, CredentialsError> {
    match trust {
        Trust::Ring(seeds) => {
            let first = seeds.first().ok_or(CredentialsError::NoSecret)?;
            let Signed { certificate, key } = Authority::derive(first)?.sign(name)?;
            Ok((vec![certificate], key))
        }
        Trust::Authority { chain, key, path, .. } => {
            check_own(name, chain, verifier, clock).map_err(|reason| {
                CredentialsError::NotOurs { path: path.clone(), wanted: name.clone(), reason }
            })?;
            Ok((chain.clone(), key.clone_key()))
        }
    }
}

/// Whether peers will take this chain for `name`'s: better told at the start than by every peer.
fn check_own(
    name: &PeerName,
    chain: &[CertificateDer<'_>],
    verifier: &Verifier,
    clock: &dyn WallClock,
) -> Result<(), String> {
    let (certificate, between) = chain.split_first().ok_or("it has no certificate")?;
    let now = unix_time(clock);
    for usage in [KeyUsage::client_auth(), KeyUsage::server_auth()] {
        let found =
            verifier.check(certificate, between, usage, now).map_err(|error| error.to_string())?;
        if found != *name {
            return Err(format!("it says {found}"));
        }
    }
    Ok(())
}

fn accepting(
    clock: &Arc<Clock>,
    verifier: &Arc<Verifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_details(provider(), clock.clone())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier.clone())
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // A resumed session would outlive the secret that it began with.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Settings of a node that has no cluster file yet: it shows nothing and believes anybody. Only for
/// connections within this machine.
pub(in crate::peer) fn stranger() -> Result<Arc<ClientConfig>, CredentialsError> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody::default()))
        .with_no_client_auth();
    Ok(Arc::new(for_peers(config)))
}

/// The time for the TLS library, through the door that time enters by.
#[derive(Debug)]
struct Clock(Arc<dyn WallClock>);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(&*self.0))
    }
}

pub(super) fn unix_time(clock: &dyn WallClock) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_millis(clock.now().0))
}
