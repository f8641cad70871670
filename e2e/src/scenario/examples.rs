//! Every example is one that the API server takes.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::Outcome;
use crate::failure::Failure;
use crate::kubernetes;
use crate::site::Site;

/// The examples, and the scenarios that run each.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("smallest", include_str!("../../../examples/kubernetes/smallest.yaml"), "from-nothing"),
    ("production", include_str!("../../../examples/kubernetes/production.yaml"), "production"),
    ("tls", include_str!("../../../examples/kubernetes/tls.yaml"), "rotation"),
    ("backup-s3", include_str!("../../../examples/kubernetes/backup-s3.yaml"), "from-backup"),
    ("from-backup", include_str!("../../../examples/kubernetes/from-backup.yaml"), "from-backup"),
    (
        "application",
        include_str!("../../../examples/kubernetes/application.yaml"),
        "service-account",
    ),
    ("user", include_str!("../../../examples/kubernetes/user.yaml"), "users"),
    (
        "service-account",
        include_str!("../../../examples/kubernetes/service-account.yaml"),
        "mapped-account",
    ),
    ("backup", include_str!("../../../examples/kubernetes/backup.yaml"), "backups"),
    (
        "backup-schedule",
        include_str!("../../../examples/kubernetes/backup-schedule.yaml"),
        "backups",
    ),
];
/// Kinds that other projects bring.
const OTHERS: &[&str] = &["cert-manager.io/v1"];

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (mut taken, mut others) = (0, 0);
    for (name, manifest, _) in EXAMPLES {
        for object in kubernetes::objects(manifest)? {
            if OTHERS.iter().any(|version| object["apiVersion"] == *version) {
                others += 1;
                continue;
            }
            // Pods are taken only where their account is there.
            if object["kind"] == "ServiceAccount" {
                kubernetes::apply_object(&site.client, space, &object).await?;
            }
            let tried = dry_run(site, space, &object).await;
            tried.map_err(|failure| Failure::new(format!("{name}: {failure}")))?;
            taken += 1;
        }
    }
    Ok(format!(
        "{taken} objects of {} examples pass a server-side dry run; {others} of kinds that are not \
         there: not run",
        EXAMPLES.len()
    ))
}

/// The same, and which scenario runs which file.
pub(super) async fn all(site: &Site, space: &str) -> Outcome {
    let taken = run(site, space).await?;
    let each = EXAMPLES.iter().map(|(name, _, scenario)| format!("{name}.yaml in {scenario}"));
    let each: Vec<_> = each.chain(["namespaced.yaml in helm".to_owned()]).collect();
    Ok(format!("{taken}; they run for real: {}", each.join(", ")))
}

/// Applies what is in an example beside its cluster. An agent plays each application.
pub(super) async fn apply_beside(site: &Site, space: &str, example: &str) -> Result<(), Failure> {
    for mut object in kubernetes::objects(example)? {
        if object["kind"] != "KvsCluster" {
            play(site, &mut object);
            kubernetes::apply_object(&site.client, space, &object).await?;
        }
    }
    Ok(())
}

/// Puts an agent in place of the program of an application, and changes nothing else.
fn play(site: &Site, object: &mut Value) {
    let pod = match object["kind"].as_str() {
        Some("Pod") => &mut object["spec"],
        Some("Deployment") => &mut object["spec"]["template"]["spec"],
        _ => return,
    };
    for container in pod["containers"].as_array_mut().into_iter().flatten() {
        container["image"] = json!(site.image("kvs-e2e"));
        container["command"] = json!(null);
        container["args"] = json!(["agent"]);
    }
}

async fn dry_run(site: &Site, space: &str, object: &Value) -> Result<(), Failure> {
    let (api, name) = kubernetes::place(&site.client, space, object);
    let params = PatchParams {
        dry_run: true,
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::apply("e2e-dry-run").force()
    };
    api.patch(&name, &params, &Patch::Apply(object)).await?;
    Ok(())
}
