//! What replication tells people.

use kvs_core::engine::{Life, Report};

/// Writes a report to the log.
pub fn log(report: &Report) {
    match report {
        Report::Refused { peer, refusal, ours: true } => {
            tracing::warn!(%peer, %refusal, "a peer was refused");
        }
        Report::Refused { peer, refusal, ours: false } => {
            tracing::warn!(%peer, %refusal, "a peer refuses this node");
        }
        Report::Life(life) => tracing::info!("{}", says(*life)),
        Report::Repaired { peer, counts } => tracing::info!(
            %peer,
            differing = counts.differing,
            pushed = counts.pushed,
            fetched = counts.fetched,
            "differences repaired"
        ),
        Report::Failed(error) => tracing::error!(error, "replication: the store failed"),
        Report::Broken { peer, how } => tracing::error!(%peer, how, "a peer broke the protocol"),
    }
}

const fn says(life: Life) -> &'static str {
    match life {
        Life::Unborn => "empty: waiting for a node of the cluster to take this one in",
        Life::Filling => "a member now: the data is coming",
        Life::CatchingUp => "all data is here: comparing with the others",
        Life::Serving => "caught up with all that can be reached: serving",
    }
}
