//! `KvsUser`: a user of a cluster, kept as it is asked for, with a token in a Secret.

mod account;
mod secret;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::events::EventType;
use kube::runtime::watcher;
use kube::{Api, Error, ResourceExt as _};
use kvs_core::UnixMillis;
use kvs_operator_core::crd::{KvsUser, TlsMode};
use kvs_operator_core::ready::Judged;
use kvs_operator_core::user::{self, FINALIZER, MARK, Mark, Next, Seen, Step};
use serde_json::json;
use thiserror::Error;

use self::secret::Kept;
use crate::nodes::{self, ApiError, SWITCHED_OFF};
use crate::reach::{Reached, reach};
use crate::report;
use crate::run::{Worked, api};
use crate::site::{self, Site};

/// What others change on the cluster, or of the Secret, is noticed after this time.
const SETTLED: Duration = Duration::from_mins(1);
/// What waits is looked at again this often.
const WAITING: Duration = Duration::from_secs(5);
/// After a step.
const NEXT: Duration = Duration::from_millis(100);

/// Looks after all of them in a namespace, or everywhere.
pub fn controller(space: &str, site: &Arc<Site>) -> impl Stream<Item = Worked> + Send + use<> {
    Controller::new(api::<KvsUser>(&site.client, space), watcher::Config::default())
        .run(reconcile, |of, error, site| failed(&of, error, &site), site.clone())
        .map(|result| result.map(drop).map_err(|error| error.to_string()))
}

fn failed(of: &KvsUser, error: &Error, site: &Site) -> Action {
    if !report::is_stale(error) {
        site.metrics.failed("KvsUser", "api");
        tracing::warn!(user = of.name_any(), %error, "a step failed");
    }
    Action::requeue(WAITING)
}

async fn reconcile(of: Arc<KvsUser>, site: Arc<Site>) -> Result<Action, Error> {
    site.look("KvsUser", Box::pin(Turn { of: &of, site: &site }.take())).await
}

/// A step was not carried out, or it is not known whether it was.
#[derive(Debug, Error)]
enum StepError {
    #[error(transparent)]
    Kubernetes(#[from] Error),
    #[error("{0}")]
    Node(#[from] ApiError),
}

struct Turn<'a> {
    of: &'a KvsUser,
    site: &'a Site,
}

/// What a cluster says of a user, and who says it.
struct Look<'a> {
    node: nodes::Api<'a>,
    seen: Seen,
    kept: Kept,
    url: String,
}

impl Turn<'_> {
    async fn take(&self) -> Result<Action, Error> {
        let space = self.of.namespace().unwrap_or_default();
        let reached = reach(self.site, &space, &self.of.spec.cluster).await?;
        let living = |reached: &Reached| reached.cluster.metadata.deletion_timestamp.is_none();
        let Some(reached) = reached.filter(living) else {
            return match user::without_cluster(self.of) {
                Next::Do(_) => self.release().await,
                Next::Rest(judged) => self.tell(&judged, None, WAITING).await,
            };
        };
        match self.look(&reached).await {
            Ok(Some(look)) => self.step(&look).await,
            Ok(None) => {
                let text = format!("no node of {} answers", self.of.spec.cluster);
                self.tell(&Judged::ill("ClusterUnreachable", text), None, WAITING).await
            }
            Err(StepError::Kubernetes(error)) => Err(error),
            Err(StepError::Node(error)) => self.complain(&error).await,
        }
    }

    async fn look<'r>(&self, reached: &'r Reached) -> Result<Option<Look<'r>>, StepError> {
        let name = user::name(self.of);
        let Some((node, node_now, account)) = account::find(reached, &name).await? else {
            return Ok(None);
        };
        let url = reached.names.endpoint(reached.cluster.spec.tls.mode == TlsMode::Secret);
        let kept = secret::read(&self.site.client, self.of, &url).await?;
        let token = match kept.token {
            Some(id) => account::token(reached, id).await?,
            None => None,
        };
        let seen = Seen { node_now, account, secret: kept.state.clone(), token };
        Ok(Some(Look { node, seen, kept, url }))
    }

    async fn step(&self, look: &Look<'_>) -> Result<Action, Error> {
        let step = match user::next(self.of, &look.seen) {
            Next::Do(Step::Release) => return self.release().await,
            Next::Do(step) => step,
            Next::Rest(judged) => {
                let ends = look.seen.token.map(|token| token.expires);
                let again = if judged.well { SETTLED } else { WAITING };
                return self.tell(&judged, ends, again).await;
            }
        };
        match self.carry_out(&step, look).await {
            Ok(()) => {
                self.site.metrics.stepped("User");
                if !matches!(step, Step::Claim(_)) {
                    let note = format!("{}: {step}", user::name(self.of));
                    self.site.tell(self.of, EventType::Normal, "User", note).await;
                }
                Ok(Action::requeue(NEXT))
            }
            Err(StepError::Kubernetes(error)) => Err(error),
            Err(StepError::Node(error)) => self.complain(&error).await,
        }
    }

    async fn carry_out(&self, step: &Step, look: &Look<'_>) -> Result<(), StepError> {
        let name = user::name(self.of);
        match step {
            Step::Claim(mark) => self.note(mark).await?,
            Step::Make(scopes) => account::make(&look.node, &name, scopes).await?,
            Step::Scope(scopes) => account::give(&look.node, &name, scopes).await?,
            Step::Leave(group) => account::leave(&look.node, &name, group).await?,
            Step::Join(group) => account::join(&look.node, &name, group).await?,
            Step::Delete => account::delete(&look.node, &name).await?,
            Step::Issue => self.issue(&name, look).await?,
            Step::Release => {}
        }
        Ok(())
    }

    /// Puts a new token into the Secret. One that cannot be kept is revoked.
    async fn issue(&self, name: &str, look: &Look<'_>) -> Result<(), StepError> {
        let Some(wanted) = &self.of.spec.token else { return Ok(()) };
        let made = account::issue(&look.node, name, &wanted.ttl).await?;
        let client = &self.site.client;
        if let Err(error) = secret::write(client, self.of, &look.kept, &made, &look.url).await {
            if let Err(error) = account::revoke(&look.node, made.about.id).await {
                tracing::warn!(token = %made.about.id, %error, "a token that nobody has lives on");
            }
            return Err(error.into());
        }
        Ok(())
    }

    /// Holds the `KvsUser`, and writes down whose the user is.
    async fn note(&self, mark: &Mark) -> Result<(), Error> {
        let mut finalizers = self.of.finalizers().to_vec();
        if !user::is_held(self.of) {
            finalizers.push(FINALIZER.to_owned());
        }
        let mark = mark.to_string();
        self.patch(json!({ "finalizers": finalizers, "annotations": { MARK: mark } })).await
    }

    async fn release(&self) -> Result<Action, Error> {
        let finalizers = self.of.finalizers().iter().filter(|one| *one != FINALIZER);
        self.patch(json!({ "finalizers": finalizers.collect::<Vec<_>>() })).await?;
        Ok(Action::await_change())
    }

    /// Changes the object, if it is still as it was seen.
    async fn patch(&self, mut metadata: serde_json::Value) -> Result<(), Error> {
        metadata["uid"] = self.of.uid().into();
        metadata["resourceVersion"] = self.of.resource_version().into();
        let users: Api<KvsUser> =
            Api::namespaced(self.site.client.clone(), &self.of.namespace().unwrap_or_default());
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        users.patch(&self.of.name_any(), &PatchParams::default(), &patch).await.map(drop)
    }

    /// A node says no, or nothing.
    async fn complain(&self, error: &ApiError) -> Result<Action, Error> {
        let judged = match error.problem() {
            Some(problem) if problem.kind == SWITCHED_OFF => Judged::ill(
                "AuthDisabled",
                format!(
                    "{} asks nobody who they are: its config has auth_enabled: false",
                    self.of.spec.cluster
                ),
            ),
            Some(_) => Judged::ill("Refused", error.to_string()),
            None => Judged::ill("ClusterUnreachable", error.to_string()),
        };
        // What it says no to is in its audit log: it is not asked for the same too often.
        let again = if error.problem().is_some() { SETTLED } else { WAITING };
        self.tell(&judged, None, again).await
    }

    async fn tell(
        &self,
        judged: &Judged,
        ends: Option<UnixMillis>,
        again: Duration,
    ) -> Result<Action, Error> {
        let status = user::status(self.of, judged, ends, site::now());
        if self.of.status.as_ref() != Some(&status) {
            report::status(&self.site.client, self.of, &status).await?;
        }
        Ok(Action::requeue(again))
    }
}
