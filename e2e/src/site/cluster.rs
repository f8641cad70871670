//! One `KvsCluster` of a scenario.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::{Error, ResourceExt as _};
use kvs_operator_core::crd::KvsCluster;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Agent, Site};
use crate::failure::{Failure, expect};
use crate::wait::until;
use crate::{kubernetes, machine};

/// One `KvsCluster`.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) site: Site,
    pub(crate) space: String,
    pub(crate) name: String,
}

impl Cluster {
    /// A cluster, which need not be there yet.
    pub(crate) fn new(site: &Site, space: &str, name: &str) -> Self {
        Self { site: site.clone(), space: space.to_owned(), name: name.to_owned() }
    }

    /// Makes it, with small nodes that ask nobody who they are, unless the spec says otherwise.
    ///
    /// # Errors
    ///
    /// The API server refuses it.
    pub(crate) async fn make(&self, spec: Value) -> Result<(), Failure> {
        let mut object = json!({
            "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsCluster",
            "metadata": { "name": self.name },
            "spec": { "config": { "auth_enabled": false } },
        });
        merge(&mut object["spec"], small());
        merge(&mut object["spec"], spec);
        Ok(kubernetes::apply_object(&self.site.client, &self.space, &object).await?)
    }

    /// Makes it as an example has it, as small as here is room for; with what the place needs.
    ///
    /// # Errors
    ///
    /// There is no such cluster in the example, or the API server refuses it.
    pub(crate) async fn make_as(&self, example: &str, place: Value) -> Result<(), Failure> {
        let mut objects = kubernetes::objects(example)?.into_iter();
        let ours = |one: &Value| {
            one["kind"] == "KvsCluster" && one["metadata"]["name"] == json!(self.name)
        };
        let object = objects.find(ours);
        let mut object = object.ok_or_else(|| Failure::new("the example has no such cluster"))?;
        merge(&mut object["spec"], small());
        merge(&mut object["spec"], place);
        Ok(kubernetes::apply_object(&self.site.client, &self.space, &object).await?)
    }

    fn api(&self) -> Api<KvsCluster> {
        Api::namespaced(self.site.client.clone(), &self.space)
    }

    /// As it is there.
    ///
    /// # Errors
    ///
    /// It is not, or the API server does not answer.
    pub(crate) async fn get(&self) -> Result<KvsCluster, Error> {
        self.api().get(&self.name).await
    }

    /// Changes it.
    ///
    /// # Errors
    ///
    /// The API server refuses.
    pub(crate) async fn change(&self, change: Value) -> Result<(), Failure> {
        let patch = Patch::Merge(change);
        self.api().patch(&self.name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Changes its spec.
    ///
    /// # Errors
    ///
    /// The API server refuses.
    pub(crate) async fn ask_for(&self, spec: Value) -> Result<(), Failure> {
        self.change(json!({ "spec": spec })).await
    }

    /// Deletes it.
    ///
    /// # Errors
    ///
    /// The API server refuses.
    pub(crate) async fn delete(&self) -> Result<(), Failure> {
        self.api().delete(&self.name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Its pods, by name.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub(crate) async fn pods(&self) -> Result<Vec<Pod>, Error> {
        kubernetes::pods(&self.site.client, &self.space, &self.name).await
    }

    /// Objects of a kind in its namespace.
    pub(crate) fn of<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.site.client.clone(), &self.space)
    }

    /// The label that all have which are made for it.
    pub(crate) fn label(&self) -> String {
        format!("app.kubernetes.io/instance={}", self.name)
    }

    /// Its claims.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub(crate) async fn claims(&self) -> Result<Vec<PersistentVolumeClaim>, Error> {
        Ok(self.of().list(&ListParams::default().labels(&self.label())).await?.items)
    }

    /// Where its nodes answer clients.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub(crate) async fn addresses(&self) -> Result<Vec<String>, Error> {
        Ok(kubernetes::addresses(&self.pods().await?))
    }

    /// Takes its status away, as a restore from a backup does, if this is its version.
    ///
    /// # Errors
    ///
    /// It is another one by now, or the API server refuses.
    pub(crate) async fn erase_status(&self, version: &str) -> Result<(), Failure> {
        let of = json!({ "resourceVersion": version });
        let patch = Patch::Merge(json!({ "metadata": of, "status": null }));
        self.api().patch_status(&self.name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Runs `kvs` in the first pod, as a person who may `exec` there.
    ///
    /// # Errors
    ///
    /// There is no kubectl, or the command fails.
    pub(crate) async fn kvs(&self, arguments: &[&str]) -> Result<String, Failure> {
        self.kvs_in(&format!("{}-0", self.name), arguments).await
    }

    async fn kvs_in(&self, pod: &str, arguments: &[&str]) -> Result<String, Failure> {
        let exec = ["-n", &self.space, "exec", pod, "--", "kvs"];
        let local = ["--local", "/etc/kvs/config/config.yaml"];
        machine::run(Path::new("kubectl"), &[&exec[..], arguments, &local].concat()).await
    }

    /// Runs `kubectl kvs` in its namespace.
    ///
    /// # Errors
    ///
    /// There is no such plug-in, or it refuses.
    pub(crate) async fn plugin(&self, arguments: &[&str]) -> Result<String, Failure> {
        let place = ["kvs", "-n", &self.space];
        machine::run(Path::new("kubectl"), &[&place[..], arguments].concat()).await
    }

    /// A token with every right, as a person makes one.
    ///
    /// # Errors
    ///
    /// There is no kubectl, or the node makes none.
    pub(crate) async fn root_token(&self) -> Result<String, Failure> {
        Ok(self.kvs(&["token", "create", "--root"]).await?.trim().to_owned())
    }

    /// The names of the backups on the disk of a pod's node.
    ///
    /// # Errors
    ///
    /// There is no kubectl, or the node does not say.
    pub(crate) async fn backups_of(&self, pod: &str) -> Result<Vec<String>, Failure> {
        let said = self.kvs_in(pod, &["backup", "list", "--json"]).await?;
        let name = |line: &str| Ok(serde_json::from_str::<Value>(line)?["name"].clone());
        let names: Vec<Value> = said.lines().map(name).collect::<Result<_, Failure>>()?;
        Ok(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
    }

    /// The uids of its pods.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub(crate) async fn uids(&self) -> Result<Vec<String>, Failure> {
        Ok(self.pods().await?.into_iter().filter_map(|pod| pod.metadata.uid).collect())
    }

    /// Deletes a pod.
    ///
    /// # Errors
    ///
    /// The API server refuses.
    pub(crate) async fn delete_pod(&self, pod: &Pod) -> Result<(), Failure> {
        self.of::<Pod>().delete(&pod.name_any(), &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until it is as it was asked for: so many nodes that serve and hold the same, or none, and
    /// nothing under way.
    ///
    /// # Errors
    ///
    /// Not within this time, with what the status said last.
    pub(crate) async fn settles(
        &self,
        replicas: i32,
        within: Duration,
    ) -> Result<Duration, Failure> {
        let what = format!("{} is settled with {replicas}", self.name);
        let ((), took) = until(&what, within, async || {
            let cluster = self.get().await?;
            let status = cluster.status.unwrap_or_default();
            let pods = self.pods().await?;
            let ready = pods.iter().filter(|pod| kubernetes::is_ready(pod)).count();
            let holds = |kind: &str, wanted: &str| {
                let mut all = status.conditions.iter();
                all.any(|one| one.type_ == kind && one.status == wanted)
            };
            let settled = status.observed_generation == cluster.metadata.generation
                && (status.replicas, status.ready_replicas) == (replicas, replicas)
                && i32::try_from(ready) == Ok(replicas)
                && pods.len() == ready
                && (replicas == 0 || holds("Converged", "True"))
                && holds("Progressing", "False");
            if settled {
                return Ok(Some(()));
            }
            let message = status.message.unwrap_or_default();
            Err(Failure::new(format!("{} of {replicas} ready; {message}", status.ready_replicas)))
        })
        .await?;
        Ok(took)
    }

    /// Waits until every node that serves clients says that it holds what each of the others held at an instant
    /// after `since`. The condition alone may rest on what they agreed about before.
    ///
    /// # Errors
    ///
    /// Not within this time, with what a node said last.
    pub(crate) async fn agrees_since(
        &self,
        since: Instant,
        agent: &Agent,
        token: Option<&str>,
        within: Duration,
    ) -> Result<(), Failure> {
        until("every node agrees with all others", within, async || {
            let all = self.addresses().await?;
            for node in &all {
                let passed = since.elapsed();
                let said = agent.ask("GET", &format!("{node}/cluster"), None, token).await?;
                let said = serde_json::from_str(&said.body)?;
                agrees(&said, all.len().saturating_sub(1), passed)?;
            }
            Ok(Some(()))
        })
        .await
        .map(drop)
    }

    /// Waits for a condition; gives its reason and message.
    ///
    /// # Errors
    ///
    /// Not within this time.
    pub(crate) async fn says(
        &self,
        kind: &str,
        status: &str,
        text: &str,
        within: Duration,
    ) -> Result<(String, Duration), Failure> {
        let what = format!("{} says {kind}={status} with {text:?}", self.name);
        until(&what, within, async || {
            let all = self.get().await?.status.unwrap_or_default().conditions;
            let found = all.into_iter().find(|one| one.type_ == kind);
            let Some(found) = found else { return Ok(None) };
            let said = format!("{}: {}", found.reason, found.message);
            if found.status == status && said.contains(text) {
                return Ok(Some(said));
            }
            Err(Failure::new(format!("{}={}, {said}", found.type_, found.status)))
        })
        .await
    }
}

/// Whether a node serves, and has agreed within this time with so many others that are members.
fn agrees(said: &Value, others: usize, within: Duration) -> Result<(), Failure> {
    let peers = said["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let members: Vec<_> = peers.iter().filter(|peer| peer["standing"] == "joined").collect();
    let lately = |peer: &&Value| {
        let age = peer["agreed_age"].as_u64().map(Duration::from_millis);
        age.is_some_and(|age| age < within)
    };
    let all = members.len() == others && members.iter().all(lately);
    expect(said["life"] == "serving" && all, || format!("it says {said}"))
}

/// What a node takes little with.
fn small() -> Value {
    json!({
        "storage": { "size": "1Gi" },
        "config": { "digest_leaves": 65_536, "block_cache": "16MiB", "write_buffer": "16MiB" },
    })
}

/// Adds members; objects into objects, anything else in place of what is there, and null to take it away.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                if value.is_null() {
                    into.remove(&name);
                } else {
                    merge(into.entry(name).or_insert_with(|| json!({})), value);
                }
            }
        }
        (into, from) => *into = from,
    }
}
