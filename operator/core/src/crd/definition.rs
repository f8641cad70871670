//! The CustomResourceDefinition, whole.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, ValidationRule,
};
use kube_core::CustomResourceExt as _;

use super::{KvsBackup, KvsBackupSchedule, KvsCluster, KvsUser, user};

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

/// The label of what a schedule makes, and its name, have at most 63 characters.
const SCHEDULE: [(&str, &str); 1] = [(
    "size(self.metadata.name) <= 52",
    "metadata.name has more than 52 characters; choose a shorter one, since the names of KvsBackups are \
     made from it",
)];

/// What is applied to an API server so that it knows `KvsCluster`.
pub fn definition() -> CustomResourceDefinition {
    with(KvsCluster::crd(), &NAME)
}

/// What is applied so that an API server knows all kinds.
pub fn definitions() -> [CustomResourceDefinition; 4] {
    [
        definition(),
        KvsBackup::crd(),
        with(KvsBackupSchedule::crd(), &SCHEDULE),
        with(KvsUser::crd(), &user::NAME),
    ]
}

/// The definition with rules about the name.
fn with(
    mut definition: CustomResourceDefinition,
    rules: &[(&str, &str)],
) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(schema) = schema {
            schema.x_kubernetes_validations = Some(rules.iter().copied().map(rule).collect());
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

/// The definitions as they are committed, by name.
///
/// # Errors
///
/// They cannot be written as YAML.
pub fn texts() -> Result<Vec<(String, String)>, serde_saphyr::ser::Error> {
    let text = |definition: CustomResourceDefinition| {
        let text = serde_saphyr::to_string(&definition)?;
        let head = "# Made by `make manifests` from the operator's types. Do not edit.\n";
        Ok((definition.metadata.name.unwrap_or_default(), format!("{head}{text}")))
    };
    definitions().into_iter().map(text).collect()
}

/// All of them as one document.
///
/// # Errors
///
/// They cannot be written as YAML.
pub fn text() -> Result<String, serde_saphyr::ser::Error> {
    let texts = texts()?.into_iter().map(|(_, text)| text);
    Ok(texts.collect::<Vec<_>>().join("---\n"))
}
