//! The CustomResourceDefinition, whole.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, ValidationRule,
};
use kube_core::CustomResourceExt as _;

use super::KvsCluster;

/// Rules about the name: the names of all that is made are made from it.
const NAME: [(&str, &str); 2] = [
    (
        "size(self.metadata.name) <= 40",
        "metadata.name has more than 40 characters; choose a shorter one, since the names of pods and \
         disks are made from it",
    ),
    (
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name must begin with a letter and have only lower-case letters, digits and hyphens, \
         since Services are named after it",
    ),
];

/// What is applied to an API server so that it knows `KvsCluster`.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = KvsCluster::crd();
    for version in &mut definition.spec.versions {
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(schema) = schema {
            schema.x_kubernetes_validations = Some(NAME.map(rule).to_vec());
        }
    }
    definition
}

fn rule((rule, message): (&str, &str)) -> ValidationRule {
    ValidationRule {
        rule: rule.to_owned(),
        message: Some(message.to_owned()),
        ..ValidationRule::default()
    }
}

/// The definition as it is committed.
///
/// # Errors
///
/// It cannot be written as YAML.
pub fn text() -> Result<String, serde_saphyr::ser::Error> {
    let text = serde_saphyr::to_string(&definition())?;
    Ok(format!("# Made by `make manifests` from the operator's types. Do not edit.\n{text}"))
}
