//! Who is who: the authority that the cluster's secret stands for has signed both sides.

use std::sync::Arc;

use kvs_client::ClusterFile;
use kvs_client::peer::{Authority, Expiry, PeerName, Signed, Verifier, connecting};
use rustls::ClientConfig;
use rustls::time_provider::DefaultTimeProvider;

use super::NodeError;

/// TLS as a node of this cluster expects it of its operator.
pub(super) fn config(file: &ClusterFile, name: &str) -> Result<Arc<ClientConfig>, NodeError> {
    let failed = |error: &dyn std::fmt::Display| NodeError::Credentials(error.to_string());
    let seeds = (0..file.secrets().len()).filter_map(|at| file.tls_seed(at));
    let ring: Result<Vec<Authority>, _> = seeds.map(|seed| Authority::derive(&seed)).collect();
    let ring = ring.map_err(|error| failed(&error))?;
    let first = ring.first().ok_or_else(|| failed(&"it has no secret"))?;
    let signed = first.sign(&PeerName::Operator(name.to_owned()));
    let Signed { certificate, key } = signed.map_err(|error| failed(&error))?;
    let believed: Vec<_> = ring.iter().map(Authority::certificate).collect();
    let verifier = Verifier::new(&believed, Expiry::Never).map_err(|error| failed(&error))?;
    let time = Arc::new(DefaultTimeProvider);
    let config = connecting(time, Arc::new(verifier), vec![certificate], key);
    Ok(Arc::new(config.map_err(|error| failed(&error))?))
}
