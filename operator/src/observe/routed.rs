//! To which drained pods Services still lead clients.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::api::{Api, ListParams};
use kube::{Client, Error};
use kvs_operator_core::names::Names;
use kvs_operator_core::observed::{MemberSeen, Ordinal};

/// The ordinals of these pods. Nobody is asked while no node is drained; where nobody says, it is all of them.
pub(super) async fn find(
    client: &Client,
    names: &Names,
    members: &BTreeMap<Ordinal, MemberSeen>,
) -> BTreeSet<Ordinal> {
    let drained = members.iter().filter(|(_, member)| member.draining);
    let drained: BTreeSet<Ordinal> = drained.map(|(ordinal, _)| *ordinal).collect();
    if drained.is_empty() {
        return drained;
    }
    ask(client, names, &drained).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "whom Services lead clients to cannot be seen");
        drained
    })
}

async fn ask(
    client: &Client,
    names: &Names,
    drained: &BTreeSet<Ordinal>,
) -> Result<BTreeSet<Ordinal>, Error> {
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), &names.namespace);
    let of = ListParams::default().labels(&selector(names, drained));
    let slices = slices.list(&of).await?.items;
    let endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
    let leading = endpoints
        .filter(|endpoint| leads(endpoint))
        .filter_map(|endpoint| names.ordinal(endpoint.target_ref.as_ref()?.name.as_deref()?));
    Ok(leading.filter(|ordinal| drained.contains(ordinal)).collect())
}

/// The Service for clients, and those of the pods. The one for nodes leads to all, ready or not.
fn selector(names: &Names, drained: &BTreeSet<Ordinal>) -> String {
    let of_pods = drained.iter().map(|ordinal| names.pod(*ordinal));
    let services: Vec<String> = iter::once(names.cluster.clone()).chain(of_pods).collect();
    format!("kubernetes.io/service-name in ({})", services.join(","))
}

/// Whoever does not say is ready, says the API.
fn leads(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::discovery::v1::EndpointConditions;

    use super::*;

    #[test]
    fn services_of_clients_are_asked_alone() {
        let names = Names::new("db", "apps");
        let asked = selector(&names, &[0, 2].into());
        assert_eq!(asked, "kubernetes.io/service-name in (db,db-0,db-2)");
    }

    #[test]
    fn an_endpoint_leads_unless_it_says_that_it_is_not_ready() {
        let with = |ready| Endpoint {
            conditions: Some(EndpointConditions { ready, ..EndpointConditions::default() }),
            ..Endpoint::default()
        };
        assert!(leads(&Endpoint::default()) && leads(&with(None)) && leads(&with(Some(true))));
        assert!(!leads(&with(Some(false))));
    }
}
