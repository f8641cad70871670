//! All that is applied to install the operator, for people without Helm.

use crate::crd;

/// Everything but the definitions, with a mark where the rules are.
const OPERATOR: &str = include_str!("install/operator.yaml");
/// The operator's rights, which the chart has, too.
const RULES: &str = include_str!("../../../charts/kvs-operator/files/rules.yaml");
/// Where the rules are.
const MARK: &str = "rules: RULES\n";

/// The manifest.
///
/// # Errors
///
/// The definitions cannot be written as YAML.
pub fn text() -> Result<String, serde_saphyr::ser::Error> {
    let indented =
        |line: &str| if line.starts_with('#') { String::new() } else { format!("  {line}\n") };
    let rules: String = RULES.lines().map(indented).collect();
    let operator = OPERATOR.replace(MARK, &format!("rules:\n{rules}"));
    let head =
        "# Installs the operator for all namespaces. Made by `make manifests`; do not edit.\n";
    Ok(format!("{head}{}---\n{operator}", crd::text()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_manifest_is_committed() {
        crate::golden::check("install.yaml", &text().unwrap());
    }

    #[test]
    fn the_manifest_is_of_this_release() {
        let text = text().unwrap();
        let version = env!("CARGO_PKG_VERSION");
        for image in [format!("image: kvs-operator:{version}\n"), format!("value: kvs:{version}\n")]
        {
            assert!(text.contains(&image), "{image}");
        }
        assert!(!text.contains("RULES"));
    }
}
