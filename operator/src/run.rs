//! Starts and stops: health first, then the lease, then the work.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use futures_util::StreamExt as _;
use futures_util::stream::select_all;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::client::ClientBuilder;
use kube::runtime::controller::{self, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, Config, ResourceExt as _};
use kvs_operator_core::build;
use kvs_operator_core::crd::KvsCluster;
use kvs_operator_core::names::MANAGER;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backups;
use crate::fence::Fence;
use crate::lease::Holder;
use crate::metrics::Metrics;
use crate::reconcile::{failed, reconcile};
use crate::schedules;
use crate::settings::Settings;
use crate::site::Site;
use crate::users;

/// Clusters that are looked at at once: each look takes memory for all that it reads.
const AT_ONCE: u16 = 8;

/// The operator does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// There is no API server to be found.
    #[error("cannot find the API server: {0}")]
    Config(#[from] kube::Error),
    /// The port is taken.
    #[error("cannot listen on {0}: {1}")]
    Listen(std::net::SocketAddr, std::io::Error),
}

/// Runs until it is told to stop.
///
/// # Errors
///
/// It cannot start.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<(), StartError> {
    let tasks = TaskTracker::new();
    let metrics = Arc::new(Metrics::default());
    let listener = tokio::net::TcpListener::bind(settings.listen).await;
    let listener = listener.map_err(|error| StartError::Listen(settings.listen, error))?;
    let serving = axum::serve(listener, health(metrics.clone()));
    let ending = stop.clone();
    tasks.spawn(async move {
        let ended = serving.with_graceful_shutdown(ending.cancelled_owned()).await;
        if let Err(error) = ended {
            tracing::error!(%error, "health is no longer served");
        }
    });
    let fence = Fence::default();
    let (client, unfenced) = clients(&fence).await?;
    let site = build::Site {
        image: settings.node_image.clone(),
        namespace: settings.namespace.clone(),
        monitors: false,
    };
    let site = Arc::new(Site::new(client, fence.clone(), site, settings.name.clone(), metrics));
    let mut holder = Holder::new(unfenced, &settings.namespace, MANAGER, &settings.name, fence);
    while holder.take(&stop).await.is_some() {
        lead(&settings, &site, &mut holder, &stop).await;
        if stop.is_cancelled() {
            break;
        }
    }
    tasks.close();
    tasks.wait().await;
    Ok(())
}

/// What writes only with the lease, and what the lease is taken with.
async fn clients(fence: &Fence) -> Result<(Client, Client), kube::Error> {
    let config = Config::infer().await.map_err(kube::Error::InferConfig)?;
    let fenced = ClientBuilder::try_from(config.clone())?.with_layer(fence).build();
    Ok((fenced, Client::try_from(config)?))
}

/// Works for as long as the lease is this operator's. All that is under way is dropped when it is not.
async fn lead(
    settings: &Settings,
    site: &Arc<Site>,
    holder: &mut Holder,
    stop: &CancellationToken,
) {
    tracing::info!("this operator is the one that acts");
    site.metrics.leads(true);
    tokio::select! {
        () = holder.keep(stop) => {}
        () = site.served.follow(&site.client, &site.metrics) => {}
        () = work(settings, site) => tracing::error!("the watches ended"),
    }
    // It is another one's to say.
    site.metrics.unserved(0);
    // Only now: whoever has it next finds nothing under way.
    if stop.is_cancelled() {
        holder.let_go().await;
    }
    site.metrics.leads(false);
}

async fn work(settings: &Settings, site: &Arc<Site>) {
    // What is applied depends on it, from the first look on.
    site.served.look_for_monitors(&site.client).await;
    let spaces = settings.spaces();
    let controllers = spaces.iter().flat_map(|space| {
        [
            controller(space, site).boxed(),
            backups::controller(space, site).boxed(),
            schedules::controller(space, site).boxed(),
            users::controller(space, site).boxed(),
        ]
    });
    let mut all = select_all(controllers);
    while let Some(result) = all.next().await {
        if let Err(error) = result {
            tracing::debug!(%error, "a watch or a step failed");
        }
    }
}

/// What came of a look.
pub(crate) type Worked = Result<(), String>;

fn controller(
    space: &str,
    site: &Arc<Site>,
) -> impl futures_util::Stream<Item = Worked> + Send + use<> {
    let client = &site.client;
    let ours = watcher::Config::default().labels("app.kubernetes.io/managed-by=kvs-operator");
    // Pods have the labels of their template, and lead to their cluster by name.
    Controller::new(api::<KvsCluster>(client, space), watcher::Config::default())
        .owns(api::<StatefulSet>(client, space), ours.clone())
        .owns(api::<Service>(client, space), ours.clone())
        .owns(api::<ConfigMap>(client, space), ours.clone())
        .owns(api::<ServiceAccount>(client, space), ours.clone())
        .owns(api::<PodDisruptionBudget>(client, space), ours.clone())
        .owns(api::<NetworkPolicy>(client, space), ours.clone())
        .with_config(controller::Config::default().concurrency(AT_ONCE))
        .watches(api::<Pod>(client, space), ours, |pod: Pod| cluster_of(&pod))
        .run(reconcile, |cluster, error, site| failed(&cluster, error, &site), site.clone())
        .map(|result| result.map(drop).map_err(|error| error.to_string()))
}

/// All of a kind in a namespace; without one, everywhere.
pub(crate) fn api<K>(client: &Client, space: &str) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
{
    if space.is_empty() { Api::all(client.clone()) } else { Api::namespaced(client.clone(), space) }
}

fn cluster_of(pod: &Pod) -> Option<ObjectRef<KvsCluster>> {
    let name = pod.labels().get("app.kubernetes.io/instance")?;
    Some(ObjectRef::new(name).within(&pod.namespace()?))
}

fn health(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        // Whoever waits for the lease is as ready as whoever has it: updates must not wait for it.
        .route("/readyz", get(|| async { "ok" }))
        .route("/metrics", get(|State(metrics): State<Arc<Metrics>>| async move { metrics.text() }))
        .with_state(metrics)
}
