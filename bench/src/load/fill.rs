//! Writing the keys that are measured with.

use std::{ops::Range, sync::Arc};

use rand::{SeedableRng, rngs::SmallRng};
use tokio::task::JoinSet;

use super::LoadError;
use crate::{
    target::{Endpoint, TargetError},
    workload::{ValuePool, Workload, key_name},
};

/// Keys in one request; etcd takes at most 128 in a transaction.
const PER_REQUEST: u64 = 100;

/// Connections that fill side by side.
const CONNECTIONS: u64 = 8;

/// Writes the keys of a workload with numbers in `range`, each once.
pub async fn fill(
    endpoint: Endpoint,
    workload: &Workload,
    range: Range<u64>,
) -> Result<(), LoadError> {
    let values = Arc::new(ValuePool::new(workload.value_size, workload.seed));
    let mut parts = JoinSet::new();
    for part in 0..CONNECTIONS {
        let first = range.start + part * PER_REQUEST;
        parts.spawn(fill_part(endpoint, Arc::clone(&values), first..range.end));
    }
    for outcome in parts.join_all().await {
        outcome.map_err(|source| LoadError::Fill { name: endpoint.protocol.name(), source })?;
    }
    Ok(())
}

/// Every eighth hundred of keys, from the first on.
async fn fill_part(
    endpoint: Endpoint,
    values: Arc<ValuePool>,
    range: Range<u64>,
) -> Result<(), TargetError> {
    let mut session = endpoint.connect().await?;
    let mut rng = SmallRng::seed_from_u64(range.start);
    let step = usize::try_from(CONNECTIONS * PER_REQUEST).expect("it is small");
    for first in range.clone().step_by(step) {
        let last = range.end.min(first + PER_REQUEST);
        let items: Vec<_> =
            (first..last).map(|number| (key_name(number), values.draw(&mut rng))).collect();
        session.put_all(&items).await?;
    }
    Ok(())
}
