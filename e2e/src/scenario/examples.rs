//! Every example is one that the API server takes.

use kube::api::{Patch, PatchParams};
use serde_json::Value;

use super::Outcome;
use crate::failure::Failure;
use crate::kubernetes;
use crate::site::Site;

const EXAMPLES: &[(&str, &str)] = &[
    ("smallest", include_str!("../../../examples/kubernetes/smallest.yaml")),
    ("production", include_str!("../../../examples/kubernetes/production.yaml")),
    ("tls", include_str!("../../../examples/kubernetes/tls.yaml")),
    ("backup-s3", include_str!("../../../examples/kubernetes/backup-s3.yaml")),
    ("from-backup", include_str!("../../../examples/kubernetes/from-backup.yaml")),
    ("application", include_str!("../../../examples/kubernetes/application.yaml")),
    ("user", include_str!("../../../examples/kubernetes/user.yaml")),
    ("service-account", include_str!("../../../examples/kubernetes/service-account.yaml")),
    ("backup", include_str!("../../../examples/kubernetes/backup.yaml")),
    ("backup-schedule", include_str!("../../../examples/kubernetes/backup-schedule.yaml")),
];
/// Kinds that other projects bring.
const OTHERS: &[&str] = &["cert-manager.io/v1"];

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (mut taken, mut others) = (0, 0);
    for (name, manifest) in EXAMPLES {
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
