//! The agent, seen from outside: orders go through the API server's proxy to its pod.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams};
use kube::{Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Site;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::load::{Answer, Ask, Check, Checked, Order, Report};
use crate::wait::until;

/// What an agent is called, where there is one.
const NAME: &str = "agent";
const PORT: u16 = 8082;
/// How much of the load that was ordered has to flow. The last answers are not waited for, and a machine of two
/// cores is at its limit while pods start.
const SHARE: f64 = 0.95;
/// Where an agent has the certificates of authorities that it trusts.
const AUTHORITIES: &str = "/var/run/authorities";

/// What the pod of an agent has beside itself.
#[derive(Default)]
struct Beside {
    /// A volume called `beside`, and where it is mounted.
    volume: Option<(Value, &'static str)>,
    env: Vec<Value>,
}

/// The agent of a namespace.
#[derive(Clone)]
pub(crate) struct Agent {
    client: Client,
    space: String,
    name: String,
}

impl Agent {
    /// Starts one, and waits until it takes orders.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub(crate) async fn start(site: &Site, space: &str) -> Result<Self, Failure> {
        Self::start_as(site, space, NAME, None, Beside::default()).await
    }

    /// Starts another one, on a machine.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub(crate) async fn on_machine(
        site: &Site,
        space: &str,
        name: &'static str,
        machine: &str,
    ) -> Result<Self, Failure> {
        Self::start_as(site, space, name, Some(machine), Beside::default()).await
    }

    /// Starts another one, anywhere.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub(crate) async fn beside(
        site: &Site,
        space: &str,
        name: &'static str,
    ) -> Result<Self, Failure> {
        Self::start_as(site, space, name, None, Beside::default()).await
    }

    /// A token of its account for this audience, good for as long as its pod is there.
    ///
    /// # Errors
    ///
    /// The API server gives none.
    pub(crate) async fn bound_token(&self, audience: &str) -> Result<String, Failure> {
        let Self { space, name, .. } = self;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), space);
        let bound = json!({
            "apiVersion": "v1", "kind": "Pod", "name": name, "uid": pods.get(name).await?.uid(),
        });
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": { "audiences": [audience], "expirationSeconds": 600, "boundObjectRef": bound },
        });
        let uri = format!("/api/v1/namespaces/{space}/serviceaccounts/default/token");
        let request = http::Request::post(uri).body(serde_json::to_vec(&request)?)?;
        let made: Value = self.client.request(request).await?;
        let none = || Failure::new("the API server gave no token");
        made["status"]["token"].as_str().map(str::to_owned).ok_or_else(none)
    }

    /// Deletes its pod, and waits until that is gone.
    ///
    /// # Errors
    ///
    /// The API server refuses, or the pod stays.
    pub(crate) async fn delete(&self) -> Result<(), Failure> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.space);
        pods.delete(&self.name, &DeleteParams::default()).await?;
        until("the agent is gone", Duration::from_mins(1), async || {
            Ok(pods.get_opt(&self.name).await?.is_none().then_some(()))
        })
        .await?;
        Ok(())
    }

    /// Starts one that trusts the authority whose certificate is in a `ConfigMap`, and no other.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub(crate) async fn with_authority(
        site: &Site,
        space: &str,
        map: &str,
    ) -> Result<Self, Failure> {
        let volume = Some((json!({ "configMap": { "name": map } }), AUTHORITIES));
        let file = format!("{AUTHORITIES}/ca.crt");
        let env = vec![json!({ "name": "SSL_CERT_FILE", "value": file })];
        Self::start_as(site, space, NAME, None, Beside { volume, env }).await
    }

    async fn start_as(
        site: &Site,
        space: &str,
        name: &'static str,
        machine: Option<&str>,
        beside: Beside,
    ) -> Result<Self, Failure> {
        let Beside { volume, env } = beside;
        let mount = |at: &str| json!({ "name": "beside", "mountPath": at, "readOnly": true });
        let mounts: Vec<Value> = volume.iter().map(|(_, at)| mount(at)).collect();
        let volumes = volume.into_iter().map(|(mut volume, _)| {
            volume["name"] = json!("beside");
            volume
        });
        let volumes: Vec<Value> = volumes.collect();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name },
            "spec": {
                "nodeName": machine,
                "automountServiceAccountToken": false,
                "volumes": volumes,
                "enableServiceLinks": false,
                "terminationGracePeriodSeconds": 1,
                "securityContext": {
                    "runAsNonRoot": true, "runAsUser": 65_532, "runAsGroup": 65_532,
                    "fsGroup": 65_532,
                    "seccompProfile": { "type": "RuntimeDefault" },
                },
                "containers": [{
                    "name": NAME, "image": site.image("kvs-e2e"), "args": ["agent"],
                    "volumeMounts": mounts, "env": env,
                    "readinessProbe": { "httpGet": { "path": "/livez", "port": PORT }, "periodSeconds": 1 },
                    "securityContext": {
                        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                        "capabilities": { "drop": ["ALL"] },
                    },
                }],
            },
        });
        kubernetes::apply_object(&site.client, space, &pod).await?;
        Self::in_pod(site, space, &|pod| pod.name_any() == name).await
    }

    /// The one that runs in a pod which others made, once it takes orders.
    ///
    /// # Errors
    ///
    /// There is no such pod, or it does not start.
    pub(crate) async fn in_pod(
        site: &Site,
        space: &str,
        is_it: &(dyn Fn(&Pod) -> bool + Sync),
    ) -> Result<Self, Failure> {
        let pods: Api<Pod> = Api::namespaced(site.client.clone(), space);
        let (name, _) = until("the agent is ready", Duration::from_mins(1), async || {
            let all = pods.list(&ListParams::default()).await?.items;
            let ready = all.iter().find(|pod| is_it(pod) && kubernetes::is_ready(pod));
            Ok(ready.map(ResourceExt::name_any))
        })
        .await?;
        let agent = Self { client: site.client.clone(), space: space.to_owned(), name };
        let live = agent.path("livez");
        until("the agent answers", Duration::from_secs(20), async || {
            let request = http::Request::get(&live).body(Vec::new())?;
            Ok(Some(agent.client.request_text(request).await?))
        })
        .await?;
        Ok(agent)
    }

    fn path(&self, path: &str) -> String {
        let Self { space, name, .. } = self;
        format!("/api/v1/namespaces/{space}/pods/{name}:{PORT}/proxy/{path}")
    }

    async fn order<T: DeserializeOwned>(
        &self,
        path: &str,
        order: &impl Serialize,
    ) -> Result<T, Failure> {
        let request = http::Request::post(self.path(path)).body(serde_json::to_vec(order)?)?;
        Ok(self.client.request(request).await?)
    }

    /// Puts load on a cluster, from now on.
    ///
    /// # Errors
    ///
    /// The agent does not answer.
    pub(crate) async fn load(&self, cluster: &str, writes: u32, reads: u32) -> Result<(), Failure> {
        self.load_at(format!("http://{cluster}.{}.svc:8080", self.space), writes, reads).await
    }

    /// Puts load on whoever is at this address. What it writes begins with the agent's name.
    ///
    /// # Errors
    ///
    /// The agent does not answer.
    pub(crate) async fn load_at(
        &self,
        url: String,
        writes: u32,
        reads: u32,
    ) -> Result<(), Failure> {
        self.begin(Order { url, prefix: self.name.clone(), writes, reads, token: None }).await
    }

    /// Puts load on whoever is at this address, with a token.
    ///
    /// # Errors
    ///
    /// The agent does not answer.
    pub(crate) async fn load_as(&self, token: &str, url: &str, each: u32) -> Result<(), Failure> {
        let (url, prefix, token) = (url.to_owned(), self.name.clone(), Some(token.to_owned()));
        self.begin(Order { url, prefix, writes: each, reads: each, token }).await
    }

    async fn begin(&self, order: Order) -> Result<(), Failure> {
        self.order::<serde_json::Value>("start", &order).await.map(drop)
    }

    /// Ends the load, and says what came of it.
    ///
    /// # Errors
    ///
    /// The agent does not answer.
    pub(crate) async fn end(&self) -> Result<Report, Failure> {
        self.order("stop", &json!({})).await
    }

    /// Ends the load, and fails if any request did, or if it was less than was ordered: then little was shown.
    ///
    /// # Errors
    ///
    /// One did, or it was.
    pub(crate) async fn end_without_failure(&self) -> Result<Report, Failure> {
        let report = self.end().await?;
        expect(report.failed == 0 && report.written > 0, || {
            let all = report.written + report.read + report.failed;
            let failures = report.failures.join("; ");
            format!("{} of {all} requests failed: {failures}", report.failed)
        })?;
        let [writes, reads] = report.ordered;
        reached("writes", report.written, writes, report.seconds)?;
        reached("reads", report.read, reads, report.seconds)?;
        Ok(report)
    }

    /// Looks for all that was acknowledged at each of these nodes; fails if anything is lost.
    ///
    /// # Errors
    ///
    /// Something is, or was not found within this time.
    pub(crate) async fn find(&self, at: &[String], within: Duration) -> Result<Checked, Failure> {
        self.look(Check { at: at.to_vec(), token: None }, within).await
    }

    /// The same with a token.
    ///
    /// # Errors
    ///
    /// See [`Agent::find`].
    pub(crate) async fn find_as(
        &self,
        token: &str,
        at: &[String],
        within: Duration,
    ) -> Result<Checked, Failure> {
        self.look(Check { at: at.to_vec(), token: Some(token.to_owned()) }, within).await
    }

    async fn look(&self, check: Check, within: Duration) -> Result<Checked, Failure> {
        let what = "every acknowledged write is on every node";
        let (found, _) = until(what, within, async || {
            let checked: Checked = self.order("check", &check).await?;
            expect(checked.wrong == 0, || {
                let examples = checked.examples.join("; ");
                format!("{} looks for {} keys are wrong: {examples}", checked.wrong, checked.keys)
            })?;
            Ok(Some(checked))
        })
        .await?;
        Ok(found)
    }

    /// Makes one request from within the cluster.
    ///
    /// # Errors
    ///
    /// The agent does not answer. That the other side does not is an answer of status 0.
    pub(crate) async fn ask(
        &self,
        method: &str,
        url: &str,
        body: Option<&str>,
        token: Option<&str>,
    ) -> Result<Answer, Failure> {
        let (body, token) = (body.map(str::to_owned), token.map(str::to_owned));
        let (method, url) = (method.into(), url.into());
        self.order("ask", &Ask { method, url, body, token, token_file: None }).await
    }

    /// Makes one request with a token from a file of the agent's.
    ///
    /// # Errors
    ///
    /// The agent does not answer.
    pub(crate) async fn ask_as(
        &self,
        token_file: &str,
        method: &str,
        url: &str,
        body: Option<&str>,
    ) -> Result<Answer, Failure> {
        let (method, url, body) = (method.into(), url.into(), body.map(str::to_owned));
        let token_file = Some(token_file.to_owned());
        self.order("ask", &Ask { method, url, body, token: None, token_file }).await
    }
}

/// Fails if there was less load than [`SHARE`] of what was ordered.
fn reached(what: &str, count: u64, ordered: u32, seconds: f64) -> Result<(), Failure> {
    let rate = f64::from(u32::try_from(count)?) / seconds;
    expect(rate >= SHARE * f64::from(ordered), || {
        format!("{rate:.0} {what} a second, not the {ordered} that were ordered")
    })
}
