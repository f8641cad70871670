//! What the API server wrote down of who asked it for what.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;

/// The account of operators, in whichever namespace.
const OPERATOR: &str = "kvs-operator";
/// Where the operator is that all scenarios share.
const SPACE: &str = "kvs-system";

/// A log that is read from a point on.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    path: PathBuf,
    from: u64,
}

/// A request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) stage: String,
    pub(crate) verb: String,
    pub(crate) user: User,
    #[serde(default)]
    pub(crate) object_ref: Option<Object>,
    #[serde(default)]
    pub(crate) response_status: Option<Response>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) username: String,
    /// Of a pod's account, the pod.
    #[serde(default)]
    pub(crate) extra: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Object {
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) api_group: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Response {
    #[serde(default)]
    pub(crate) code: u16,
}

impl Audit {
    /// All of a log.
    pub(crate) fn whole(path: &Path) -> Self {
        Self { path: path.to_owned(), from: 0 }
    }

    /// What comes from now on.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(crate) fn from_now(path: &Path) -> Result<Self, Failure> {
        Ok(Self { path: path.to_owned(), from: std::fs::metadata(path)?.len() })
    }

    /// The requests of the operator that all scenarios share.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(crate) fn of_operator(&self) -> Result<Vec<Request>, Failure> {
        self.of_operator_in(SPACE)
    }

    /// The requests of the operator that is in this namespace.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(crate) fn of_operator_in(&self, space: &str) -> Result<Vec<Request>, Failure> {
        let account = format!("system:serviceaccount:{space}:{OPERATOR}");
        let mut file = std::fs::File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.from))?;
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        // The last line may not be whole yet.
        let all = lines.filter_map(|line| serde_json::from_str::<Request>(&line).ok());
        let ours = |request: &Request| {
            let whole = request.stage == "ResponseComplete" || request.verb == "watch";
            whole && request.user.username == account
        };
        Ok(all.filter(ours).collect())
    }
}

impl Request {
    /// Whether it changes something.
    pub(crate) fn writes(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    /// Whether the asker had no right to ask.
    pub(crate) fn is_forbidden(&self) -> bool {
        let decision = self.annotations.get("authorization.k8s.io/decision");
        decision.is_some_and(|decision| decision == "forbid")
    }

    /// Whether a pod asked for it.
    pub(crate) fn is_of_pod(&self, pod: &str) -> bool {
        let pods = self.user.extra.get("authentication.kubernetes.io/pod-name");
        pods.is_some_and(|pods| pods.iter().any(|name| name == pod))
    }

    /// Whether it was done.
    pub(crate) fn succeeded(&self) -> bool {
        self.response_status.as_ref().is_some_and(|status| status.code < 300)
    }

    /// Whether it is about who of several operators acts.
    pub(crate) fn is_lease(&self) -> bool {
        self.object_ref.as_ref().is_some_and(|object| object.resource == "leases")
    }

    /// `verb group/resource/subresource`, as rights are granted.
    pub(crate) fn right(&self) -> Option<String> {
        let object = self.object_ref.as_ref()?;
        let slash = if object.subresource.is_empty() { "" } else { "/" };
        let group = if object.api_group.is_empty() { "core" } else { &object.api_group };
        Some(format!("{} {group} {}{slash}{}", self.verb, object.resource, object.subresource))
    }

    /// What else it took: whoever applies what was not there must be allowed to create it.
    pub(crate) fn implied(&self) -> Option<String> {
        let created = self.response_status.as_ref().is_some_and(|status| status.code == 201);
        let applied = created && self.verb == "patch";
        applied.then(|| self.right()).flatten().map(|right| right.replacen("patch", "create", 1))
    }

    /// As a line for people.
    pub(crate) fn line(&self) -> String {
        let object = self.object_ref.clone().unwrap_or_default();
        let code = self.response_status.as_ref().map_or(0, |response| response.code);
        let right = self.right().unwrap_or_else(|| self.verb.clone());
        format!("{right} {}/{} {code}", object.namespace, object.name)
    }
}

/// The distinct lines of these requests.
pub(crate) fn lines(requests: &[Request]) -> String {
    let lines: BTreeSet<String> = requests.iter().map(Request::line).collect();
    lines.into_iter().collect::<Vec<_>>().join("\n")
}
