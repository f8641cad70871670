//! What scenarios run on: the API server, the operator, the images, and an agent in each namespace.

mod agent;
mod authority;
mod bucket;
mod cluster;
mod gather;

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::{Client, Error};
use serde_json::json;

pub(crate) use self::agent::Agent;
pub(crate) use self::authority::Authority;
pub(crate) use self::bucket::Bucket;
pub(crate) use self::cluster::Cluster;

use crate::audit::Audit;
use crate::failure::{Failure, expect};
use crate::wait::until;
use crate::{Run, kubernetes, machine, say};

/// Where the operator is.
pub(crate) const OPERATOR_SPACE: &str = "kvs-system";
/// Its Deployment, its lease, and what its pods are called.
pub(crate) const OPERATOR: &str = "kvs-operator";
/// All that is applied to install it.
const INSTALL: &str = include_str!("../../install.yaml");
/// Kinds of Prometheus' operator, which is not there itself.
const MONITORING: &str = include_str!("../fixtures/monitoring.yaml");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a program ends by that was killed by SIGKILL.
const KILLED: i32 = 137;
/// Within which a machine starts a program again that ended for the first time.
const STARTED_AGAIN: Duration = Duration::from_secs(30);

/// How the one container of an operator's pod is.
fn first_container(pod: &Pod) -> Option<ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first().cloned()
}

/// What scenarios run on.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) client: Client,
    registry: String,
    tag: String,
    audit: Option<PathBuf>,
    machines: Option<PathBuf>,
    s3: Option<String>,
    versions: Option<PathBuf>,
    out: PathBuf,
    gate: bool,
}

impl Site {
    /// The cluster of KUBECONFIG.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) async fn new(run: &Run) -> Result<Self, Failure> {
        let client = Client::try_default().await?;
        Ok(Self {
            client,
            registry: run.registry.clone(),
            tag: run.tag.clone(),
            audit: run.audit.clone(),
            machines: run.machines.clone(),
            s3: run.s3.clone(),
            versions: run.versions.clone(),
            out: run.out.clone(),
            gate: run.gate,
        })
    }

    /// An image of ours.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("{}{name}:{}", self.registry, self.tag)
    }

    /// The node's image under another tag: for pods it is another one.
    pub(crate) fn next_image(&self) -> String {
        format!("{}kvs:next", self.registry)
    }

    /// An empty folder on this machine for what is called so.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.out.join("work").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The image of a server of S3, where there is one.
    pub(crate) fn s3(&self) -> Option<&str> {
        self.s3.as_deref()
    }

    /// What starts API servers of other releases, where some are built.
    pub(crate) fn versions(&self) -> Option<&Path> {
        self.versions.as_deref()
    }

    /// The same scenarios' site on another API server, whose machines are none.
    pub(crate) fn elsewhere(&self, client: Client) -> Self {
        Self { client, audit: None, machines: None, s3: None, versions: None, ..self.clone() }
    }

    /// Installs the operator, and waits until one acts.
    ///
    /// # Errors
    ///
    /// The API server refuses, or the operator does not start.
    pub(crate) async fn install(&self) -> Result<(), Failure> {
        self.define_monitors().await?;
        let took = self.apply_operator().await?;
        self.scale_operator(2).await?;
        let (leader, waited) = self.leader(Duration::from_secs(90)).await?;
        say(&format!("operator installed in {took:.1?}, {leader} acts after {waited:.1?}"));
        Ok(())
    }

    /// Defines the kinds of Prometheus' operator where they are not: those that somebody brought say more. The
    /// operator asks for them when it begins to act, and every two minutes.
    async fn define_monitors(&self) -> Result<(), Failure> {
        for object in kubernetes::objects(MONITORING)? {
            let (api, name) = kubernetes::place(&self.client, "", &object);
            if api.get_opt(&name).await?.is_none() {
                kubernetes::apply_object(&self.client, "", &object).await?;
            }
        }
        until("the kinds of Prometheus' operator are known", Duration::from_secs(30), async || {
            let known = self.client.list_api_group_resources("monitoring.coreos.com/v1").await?;
            let is_known = |kind: &str| known.resources.iter().any(|one| one.kind == kind);
            Ok((is_known("ServiceMonitor") && is_known("PrometheusRule")).then_some(()))
        })
        .await?;
        Ok(())
    }

    /// Applies all that an operator is, and does not wait for it.
    ///
    /// # Errors
    ///
    /// The API server refuses.
    pub(crate) async fn apply_operator(&self) -> Result<Duration, Failure> {
        let manifest = INSTALL
            .replace(&format!("kvs-operator:{VERSION}"), &self.image("kvs-operator"))
            .replace(&format!(" kvs:{VERSION}"), &format!(" {}", self.image("kvs")));
        let ((), took) = until("the operator is installed", Duration::from_mins(1), async || {
            kubernetes::apply(&self.client, OPERATOR_SPACE, &manifest).await.map(Some)
        })
        .await?;
        Ok(took)
    }

    /// Has so many operators, and waits until they are there, or gone.
    ///
    /// # Errors
    ///
    /// They are not within a minute.
    pub(crate) async fn scale_operator(&self, replicas: i32) -> Result<Duration, Failure> {
        let all: Api<Deployment> = Api::namespaced(self.client.clone(), OPERATOR_SPACE);
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        all.patch(OPERATOR, &PatchParams::default(), &patch).await?;
        let ((), took) = until("the operators are there", Duration::from_mins(1), async || {
            let status = all.get(OPERATOR).await?.status.unwrap_or_default();
            let (all, ready) = (status.replicas.unwrap_or(0), status.ready_replicas.unwrap_or(0));
            Ok((all == replicas && ready == replicas).then_some(()))
        })
        .await?;
        Ok(took)
    }

    /// Which operator acts.
    ///
    /// # Errors
    ///
    /// None does, within this time.
    pub(crate) async fn leader(&self, within: Duration) -> Result<(String, Duration), Failure> {
        until("an operator acts", within, async || Ok(self.holder().await?)).await
    }

    /// Kills the operator that acts, where the site has machines by a signal that it never sees: its lease
    /// runs out. Its pod goes, too, or the same one would act again. Says how long it takes until another
    /// one does.
    ///
    /// # Errors
    ///
    /// None does, within a minute.
    pub(crate) async fn kill_leader(&self) -> Result<Duration, Failure> {
        if self.has_machines() {
            let (leader, _) = self.leader(Duration::from_secs(30)).await?;
            self.signal("KILL", &leader).await?;
        }
        self.end_leader(Some(0)).await
    }

    /// Kills the operator that acts by a signal that it never sees, and waits until its machine has started it
    /// again in its pod: the lease is still that pod's, so that it acts again at once.
    ///
    /// # Errors
    ///
    /// Its machine cannot be reached; it ended otherwise, or is not started again.
    pub(crate) async fn crash_leader(&self) -> Result<(), Failure> {
        let (leader, _) = self.leader(Duration::from_secs(30)).await?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), OPERATOR_SPACE);
        let before = first_container(&pods.get(&leader).await?).map_or(0, |one| one.restart_count);
        self.signal("KILL", &leader).await?;
        let (ended, _) = until("the operator is started again", STARTED_AGAIN, async || {
            let now = first_container(&pods.get(&leader).await?).filter(|one| {
                let runs = one.state.as_ref().is_some_and(|state| state.running.is_some());
                runs && one.restart_count > before
            });
            Ok(now.map(|one| one.last_state.and_then(|last| last.terminated)))
        })
        .await?;
        let code = ended.map(|ended| ended.exit_code);
        expect(code == Some(KILLED), || format!("{leader} was to be killed, and ended by {code:?}"))
    }

    /// What [`Site::kill_leader`] does, in words.
    pub(crate) const fn how_killed(&self) -> &'static str {
        if self.has_machines() { "killed by SIGKILL" } else { "deleted without grace" }
    }

    /// Ends the operator that acts, with so many seconds to do it in; says how long it takes until
    /// another one does.
    ///
    /// # Errors
    ///
    /// None does, within a minute.
    pub(crate) async fn end_leader(&self, grace: Option<u32>) -> Result<Duration, Failure> {
        let (leader, _) = self.leader(Duration::from_secs(30)).await?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), OPERATOR_SPACE);
        let delete = DeleteParams { grace_period_seconds: grace, ..DeleteParams::default() };
        pods.delete(&leader, &delete).await?;
        let (_, took) = until("another operator acts", Duration::from_mins(1), async || {
            Ok(self.holder().await?.filter(|holder| *holder != leader))
        })
        .await?;
        Ok(took)
    }

    /// Who holds the operators' lease.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub(crate) async fn holder(&self) -> Result<Option<String>, Error> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), OPERATOR_SPACE);
        let lease = leases.get_opt(OPERATOR).await?;
        Ok(lease.and_then(|lease| lease.spec?.holder_identity).filter(|holder| !holder.is_empty()))
    }

    /// The audit log, from now on.
    ///
    /// # Errors
    ///
    /// It is not to be had here.
    pub(crate) fn audit(&self) -> Result<Audit, Failure> {
        Audit::from_now(self.audit_path()?)
    }

    /// The audit log's file.
    ///
    /// # Errors
    ///
    /// It is not to be had here.
    pub(crate) fn audit_path(&self) -> Result<&Path, Failure> {
        let missing = || Failure::new("this cluster's audit log cannot be read from here");
        self.audit.as_deref().ok_or_else(missing)
    }

    /// Whether time is short: CI waits for the end of it at every commit.
    pub(crate) const fn is_gate(&self) -> bool {
        self.gate
    }

    /// Whether the API server's audit log can be read.
    pub(crate) const fn has_audit(&self) -> bool {
        self.audit.is_some()
    }

    /// Whether the machines of the cluster can be reached.
    pub(crate) const fn has_machines(&self) -> bool {
        self.machines.is_some()
    }

    /// Sends a signal to the programs of a pod.
    ///
    /// # Errors
    ///
    /// Its machine cannot be reached, or there is no such pod.
    pub(crate) async fn signal(&self, signal: &str, pod: &str) -> Result<(), Failure> {
        machine::run(self.script()?, &["signal", signal, pod]).await.map(drop)
    }

    /// Makes a disk of the class `small` larger, as its driver would.
    ///
    /// # Errors
    ///
    /// The machines cannot be reached, or there is no such disk.
    pub(crate) async fn enlarge(&self, volume: &str, size: &str) -> Result<(), Failure> {
        machine::run(self.script()?, &["enlarge", volume, size]).await.map(drop)
    }

    /// Empties a disk that no program has open.
    ///
    /// # Errors
    ///
    /// The machines cannot be reached, or there is no such disk.
    pub(crate) async fn wipe(&self, volume: &str) -> Result<(), Failure> {
        machine::run(self.script()?, &["wipe", volume]).await.map(drop)
    }

    fn script(&self) -> Result<&Path, Failure> {
        let missing = || Failure::new("the machines of this cluster cannot be reached");
        self.machines.as_deref().ok_or_else(missing)
    }

    /// Runs a command in the network of a machine of the cluster.
    ///
    /// # Errors
    ///
    /// It cannot be reached, or the command fails.
    pub(crate) async fn on_machine(
        &self,
        number: &str,
        command: &[&str],
    ) -> Result<String, Failure> {
        machine::run(self.script()?, &[&["nsenter", number], command].concat()).await
    }

    /// Who the API server's tokens are of.
    ///
    /// # Errors
    ///
    /// It does not say.
    pub(crate) async fn issuer(&self) -> Result<String, Failure> {
        let request = http::Request::get("/.well-known/openid-configuration").body(Vec::new())?;
        let said: serde_json::Value = self.client.request(request).await?;
        let missing = || Failure::new("the API server does not say who its issuer is");
        said["issuer"].as_str().map(str::to_owned).ok_or_else(missing)
    }

    /// The API server's version.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub(crate) async fn version(&self) -> Result<String, Failure> {
        Ok(self.client.apiserver_version().await?.git_version)
    }
}
