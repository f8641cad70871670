//! The scenarios, in the order of their worth.

mod accounts;
mod backups;
mod broken;
mod disaster;
mod drain;
mod examples;
mod fence;
mod full;
mod growth;
mod helm;
mod identity;
mod nothing;
mod operators;
mod pause;
mod policies;
mod production;
mod refusals;
mod resize;
mod restore;
mod reviews;
mod rights;
mod rolling;
mod rotation;
mod scale;
mod silence;
mod upgrade;
mod users;
mod versions;

use std::future::Future;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failure;
use crate::site::Site;
use crate::{kubernetes, machine, say};

/// What a scenario comes to: what was seen, in a few words with figures.
pub(crate) type Outcome = Result<String, Failure>;

type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// A scenario.
pub(crate) struct Scenario {
    /// What it is called by, and what its namespace is called after.
    pub(crate) name: &'static str,
    /// What must be seen.
    pub(crate) bar: &'static str,
    /// Whether CI runs it for every commit.
    gate: bool,
    what: What,
}

enum What {
    /// It runs in a namespace of its own.
    Runs(for<'a> fn(&'a Site, &'a str) -> Running<'a>),
    /// It reads the audit log.
    ReadsAudit(for<'a> fn(&'a Site, &'a str) -> Running<'a>),
    /// It reads the audit log for so long that CI does it for a shorter time than the bar says.
    Listens(for<'a> fn(&'a Site, &'a str) -> Running<'a>),
    /// It cuts machines off, or freezes or kills what runs there.
    CutsMachines(for<'a> fn(&'a Site, &'a str) -> Running<'a>),
    /// Its disks go with their pods.
    MovesDisks(for<'a> fn(&'a Site, &'a str) -> Running<'a>),
    /// It makes disks larger.
    EnlargesDisks(for<'a> fn(&'a Site, &'a str) -> Running<'a>),
    /// It runs Helm.
    NeedsHelm(for<'a> fn(&'a Site, &'a str) -> Running<'a>),
    /// It runs `kubectl kvs`.
    NeedsPlugin(for<'a> fn(&'a Site, &'a str) -> Running<'a>),
    /// It runs a server of S3.
    NeedsBucket(for<'a> fn(&'a Site, &'a str) -> Running<'a>),
    /// It runs the node's program on this machine.
    NeedsProgram(for<'a> fn(&'a Site, &'a str) -> Running<'a>),
    /// It starts API servers of other releases.
    NeedsVersions(for<'a> fn(&'a Site, &'a str) -> Running<'a>),
}

/// What came of a scenario.
pub(crate) struct Row {
    pub(crate) scenario: &'static Scenario,
    pub(crate) outcome: Outcome,
    /// Why it was not run.
    pub(crate) not_run: Option<String>,
    /// Whether it was run for a shorter time than the bar says, which it then does not pass.
    pub(crate) shortened: bool,
    pub(crate) took: Duration,
}

const fn scenario(name: &'static str, bar: &'static str, gate: bool, what: What) -> Scenario {
    Scenario { name, bar, gate, what }
}

static ALL: &[Scenario] = &[
    scenario(
        "from-nothing",
        "examples/kubernetes/smallest.yaml to three converged nodes that all serve a key: 20 s, \
         and 45 s without an operator once the objects are made",
        true,
        What::Runs(|site, space| Box::pin(nothing::run(site, space))),
    ),
    scenario(
        "silence",
        "five minutes with one cluster that is settled and one under 200 writes/s: the operator writes nothing \
         but its lease and reads less than once a second; a restart of it adds no write; children that are \
         edited or deleted come back within 5 s",
        true,
        What::Listens(|site, space| Box::pin(silence::run(site, space))),
    ),
    scenario(
        "rolling-update",
        "image and configuration change under 500 writes/s and 500 reads/s: no failed request, \
         nothing acknowledged lost, never two members down, also while another machine is drained",
        true,
        What::Runs(|site, space| Box::pin(rolling::run(site, space))),
    ),
    scenario(
        "resize",
        "3→5→3, and 3→2→3 mid-way, under writes: nothing acknowledged lost, claims deleted only \
         after proof",
        true,
        What::Runs(|site, space| Box::pin(resize::run(site, space))),
    ),
    scenario(
        "all-pods-deleted",
        "all pods deleted at once: converged again within 30 s, nothing acknowledged lost",
        true,
        What::Runs(|site, space| Box::pin(disaster::all_pods(site, space))),
    ),
    scenario(
        "refusals",
        "at least 40 wrong manifests, each refused by the API server with what to write instead",
        true,
        What::Runs(|site, space| Box::pin(refusals::run(site, space))),
    ),
    scenario(
        "examples",
        "every example is taken by the API server as it is, and run by some scenario",
        false,
        What::Runs(|site, space| Box::pin(examples::all(site, space))),
    ),
    scenario(
        "production",
        "examples/kubernetes/production.yaml with five nodes on three machines: a change under load waits \
         after one pod and is promoted; its ServiceMonitor comes back when it is edited or deleted; \
         every command of `kubectl kvs` that only looks is used, and none shows a Secret",
        false,
        What::NeedsPlugin(|site, space| Box::pin(production::run(site, space))),
    ),
    scenario(
        "hibernate",
        "hibernate, then 3→2, then resume: nothing acknowledged lost, and no disk",
        false,
        What::Runs(|site, space| Box::pin(resize::hibernate(site, space))),
    ),
    scenario(
        "nothing-retained",
        "storage.retain: Delete: disks and identity go with the KvsCluster",
        false,
        What::Runs(|site, space| Box::pin(resize::nothing_retained(site, space))),
    ),
    scenario(
        "killed-resize",
        "3→5→3 under writes with the operator killed by SIGKILL 20 times at random, and the status erased in a \
         step: nothing acknowledged lost, claims deleted only after proof, no failed request",
        false,
        What::CutsMachines(|site, space| Box::pin(resize::killed(site, space))),
    ),
    scenario(
        "fence",
        "a node held down and let go, and a setting that nodes take over, under load: no other pod \
         restarted, no failed request",
        false,
        What::Runs(|site, space| Box::pin(fence::run(site, space))),
    ),
    scenario(
        "pause",
        "mode: Paused: a child that is deleted is not made again and a change that is asked for not done, also \
         by another operator; all of it is once it runs again, no failed request",
        false,
        What::Runs(|site, space| Box::pin(pause::run(site, space))),
    ),
    scenario(
        "growth",
        "disks grow without a restart, new ones are as large; a driver of disks is played",
        false,
        What::Runs(|site, space| Box::pin(growth::run(site, space))),
    ),
    scenario(
        "full-disks",
        "disks filled up: writes are refused with the cause, reads go on; larger disks mend it without a restart, \
         nothing acknowledged lost",
        false,
        What::EnlargesDisks(|site, space| Box::pin(full::run(site, space))),
    ),
    scenario(
        "identity-lost",
        "the Secret with the cluster file deleted: reported within 60 s, nothing started, none made \
         in its place; restored, all is as it was",
        false,
        What::Runs(|site, space| Box::pin(identity::run(site, space))),
    ),
    scenario(
        "disk-lost",
        "a claim deleted with its pod, then a machine gone for good and its member replaced, then a disk wiped: \
         a new member fills itself, within 30 s of a disk's loss, nothing acknowledged lost",
        false,
        What::NeedsPlugin(|site, space| Box::pin(disaster::disk(site, space))),
    ),
    scenario(
        "cut-off",
        "a machine cut off for two minutes under writes: converged within 30 s of its return",
        false,
        What::CutsMachines(|site, space| Box::pin(disaster::cut_off(site, space))),
    ),
    scenario(
        "made-again",
        "the KvsCluster deleted and made again: it finds its disks and identity",
        false,
        What::Runs(|site, space| Box::pin(disaster::made_again(site, space))),
    ),
    scenario(
        "broken-change",
        "an image that never starts or ends at once, a configuration that the operator refuses, one that only \
         nodes refuse: Degraded names the cause within 60 s, the others serve, an old pod that restarts stays as \
         it was, reverting heals; so are named, on new clusters, a wrong storage class, a garbled certificate and \
         an absent Secret",
        false,
        What::Runs(|site, space| Box::pin(broken::run(site, space))),
    ),
    scenario(
        "two-operators",
        "leader killed: the other brings a deleted child back within 20 s; stopped: within 3 s",
        false,
        What::Runs(|site, space| Box::pin(operators::run(site, space))),
    ),
    scenario(
        "frozen-operator",
        "leader frozen for 60 s in a rollout: another one finishes it, and none of the first one's \
         stale writes succeeds",
        false,
        What::CutsMachines(|site, space| Box::pin(operators::frozen(site, space))),
    ),
    scenario(
        "policies",
        "selectors of NetworkPolicies match exactly the pods that are meant, and the ports are those of the pods: \
         clients may come from anywhere",
        false,
        What::Runs(|site, space| Box::pin(policies::run(site, space))),
    ),
    scenario(
        "drain",
        "every machine emptied of all its pods in turn under load: the pod waits for its disk, the others serve, \
         converged 30 s after the machine is back; no failed request",
        false,
        What::Runs(|site, space| Box::pin(drain::run(site, space))),
    ),
    scenario(
        "drain-floating",
        "every pod evicted in turn under load, with disks that go with their pods: it comes up on another \
         machine, converged within 30 s; no failed request",
        false,
        What::MovesDisks(|site, space| Box::pin(drain::floating(site, space))),
    ),
    scenario(
        "rotation",
        "the cluster's secret, the key for tokens and the certificate for clients replaced under load: no \
         failed request, no restart",
        false,
        What::NeedsProgram(|site, space| Box::pin(rotation::run(site, space))),
    ),
    scenario(
        "operator-scale",
        "200 hibernated clusters and 10 live ones: settled within 90 s, operator under 64 MiB, a \
         restart of it writes nothing",
        false,
        What::Runs(|site, space| Box::pin(scale::run(site, space))),
    ),
    scenario(
        "helm",
        "an operator of one namespace from the chart; a cluster installed, upgraded, uninstalled \
         and installed again, also as another release: it finds its data; permutations of values render and pass a \
         server-side dry run",
        false,
        What::NeedsHelm(|site, space| Box::pin(helm::run(site, space))),
    ),
    scenario(
        "upgrade",
        "the first release's charts to today's under load, and definitions after them, which the operator asks \
         for: running pods are left alone until `kubectl kvs adopt`, no failed request, nothing acknowledged lost; \
         uninstalled and installed again, with definitions, data and identity",
        false,
        What::NeedsHelm(|site, space| Box::pin(upgrade::run(site, space))),
    ),
    scenario(
        "mapped-account",
        "a KvsUser that is the ServiceAccount of a pod writes below its prefix and nowhere else",
        false,
        What::Runs(|site, space| Box::pin(users::account(site, space))),
    ),
    scenario(
        "users",
        "a KvsUser's token is for its prefix alone, is renewed when it, its Secret or its user is \
         deleted, and goes with the KvsUser; others' users and Secrets stay as they are",
        false,
        What::Runs(|site, space| Box::pin(users::run(site, space))),
    ),
    scenario(
        "backups",
        "KvsBackups with the operator killed or stopped as each is asked for: each is made once or told as \
         failed; a schedule makes one at a time and keeps as many as it says",
        false,
        What::Runs(|site, space| Box::pin(backups::run(site, space))),
    ),
    scenario(
        "from-backup",
        "a cluster lost with all disks begins again from its backup in S3, with the operator killed \
         meanwhile: nothing of the backup lost, nothing later; a backup that is not there is named",
        false,
        What::NeedsBucket(|site, space| Box::pin(restore::run(site, space))),
    ),
    scenario(
        "service-account",
        "a pod's token, checked by the API server's keys, writes below its prefix and is refused elsewhere",
        false,
        What::Runs(|site, space| Box::pin(accounts::run(site, space))),
    ),
    scenario(
        "token-review",
        "where the API server itself is asked about tokens, a pod's writes, and is refused within two minutes of \
         the pod's end",
        false,
        What::Runs(|site, space| Box::pin(reviews::run(site, space))),
    ),
    scenario(
        "versions",
        "what the operator applies is accepted by API server and controller manager 1.33 to 1.36, and wrong \
         manifests are refused with the same words",
        false,
        What::NeedsVersions(|site, space| Box::pin(versions::run(site, space))),
    ),
    scenario(
        // It judges what the others did.
        "rights",
        "nothing used that is not granted, nothing granted that is not used, no list of Secrets",
        false,
        What::ReadsAudit(|site, _space| Box::pin(async { rights::run(site) })),
    ),
];

/// What they are called, in their order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|scenario| scenario.name)
}

/// Lists them.
///
/// # Errors
///
/// Nobody reads.
pub(crate) fn list() -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for Scenario { name, bar, gate, .. } in ALL {
        let gate = if *gate { "gate" } else { "" };
        writeln!(out, "{name:18} {gate:5} {bar}")?;
    }
    Ok(())
}

/// Those of these names, or all; of the gate, if only those are wanted.
///
/// # Errors
///
/// There is none of a name.
pub(crate) fn choose(names: &[String], gate: bool) -> Result<Vec<&'static Scenario>, Failure> {
    for name in names {
        if !ALL.iter().any(|scenario| scenario.name == name) {
            let known: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
            return Err(Failure::new(format!(
                "no scenario {name}; there are {}",
                known.join(", ")
            )));
        }
    }
    let wanted = |scenario: &&Scenario| {
        (names.is_empty() || names.iter().any(|name| name == scenario.name))
            && (scenario.gate || !gate)
    };
    Ok(ALL.iter().filter(wanted).collect())
}

/// Runs one, in a namespace of its own; gathers what is needed if it fails. Nothing is left for the next one to
/// stumble over.
pub(crate) async fn run(site: &Site, scenario: &'static Scenario) -> Row {
    let began = Instant::now();
    let shortened = site.is_gate() && matches!(scenario.what, What::Listens(_));
    if let Some(reason) = obstacle(site, scenario) {
        say(&format!("not run: {}: {reason}", scenario.name));
        let (not_run, took) = (Some(reason), Duration::ZERO);
        return Row { scenario, outcome: Ok(String::new()), not_run, shortened, took };
    }
    say(&format!("== {}", scenario.name));
    let space = format!("e2e-{}", scenario.name);
    let outcome = attempt(site, scenario, &space).await;
    let took = began.elapsed();
    match &outcome {
        Ok(seen) => {
            say(&format!("== {}: {:.0} s: {seen}", scenario.name, took.as_secs_f64()));
        }
        Err(failure) => {
            say(&format!(
                "== {}: FAILED after {:.0} s: {failure}",
                scenario.name,
                took.as_secs_f64()
            ));
            match site.gather(&space).await {
                Ok(folder) => say(&format!("   see {}", folder.display())),
                Err(failure) => say(&format!("   nothing could be gathered: {failure}")),
            }
        }
    }
    kubernetes::remove_namespace(&site.client, &space).await;
    Row { scenario, outcome, not_run: None, shortened, took }
}

async fn attempt(site: &Site, scenario: &Scenario, space: &str) -> Outcome {
    kubernetes::make_namespace(&site.client, space, true).await?;
    match scenario.what {
        What::Runs(run)
        | What::ReadsAudit(run)
        | What::Listens(run)
        | What::CutsMachines(run)
        | What::MovesDisks(run)
        | What::EnlargesDisks(run)
        | What::NeedsHelm(run)
        | What::NeedsPlugin(run)
        | What::NeedsBucket(run)
        | What::NeedsProgram(run)
        | What::NeedsVersions(run) => run(site, space).await,
    }
}

fn obstacle(site: &Site, scenario: &Scenario) -> Option<String> {
    match scenario.what {
        What::ReadsAudit(_) | What::Listens(_) if !site.has_audit() => {
            Some("the audit log cannot be read here".into())
        }
        What::CutsMachines(_) if !site.has_machines() => {
            Some("machines cannot be reached here".into())
        }
        What::MovesDisks(_) if !site.has_machines() => {
            Some("no disks are known here that go with their pods".into())
        }
        What::EnlargesDisks(_) if !site.has_machines() => {
            Some("no disks are known here that are full and can be enlarged".into())
        }
        What::NeedsBucket(_) if site.s3().is_none() => Some("there is no server of S3 here".into()),
        What::NeedsProgram(_) if !machine::is_there("kvs") => {
            Some("there is no kvs on the path".into())
        }
        What::NeedsVersions(_) => versions::obstacle(site),
        What::NeedsPlugin(_) if !machine::is_there("kubectl-kvs") => {
            Some("there is no kubectl-kvs here".into())
        }
        What::NeedsHelm(_) if !machine::is_there("helm") => Some("there is no helm here".into()),
        _ => None,
    }
}
