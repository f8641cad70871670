//! The values of `kvs-operator`: what their comments say, and whether the schema has them all.

use super::{check, json, read, yaml};

/// A value with the comment above it.
struct Told {
    path: String,
    default: String,
    text: String,
}

/// Reads values and comments from `values.yaml`, which has two levels.
fn told(text: &str) -> Vec<Told> {
    let (mut found, mut comment, mut group) = (Vec::new(), Vec::new(), String::new());
    for line in text.lines() {
        let indented = line.starts_with("  ");
        let line = line.trim();
        if let Some(words) = line.strip_prefix('#') {
            comment.push(words.trim().to_owned());
            continue;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        let path = if indented { format!("{group}.{name}") } else { name.to_owned() };
        let (default, text) = (value.trim().to_owned(), comment.join(" "));
        comment.clear();
        if !indented {
            group.clone_from(&path);
        }
        if !(default.is_empty() && text.is_empty()) {
            found.push(Told { path, default, text });
        }
    }
    found
}

const HEAD: &str = "# kvs-operator

The operator: it makes `KvsCluster`s run, and carries changes out safely.

```sh
helm install kvs-operator charts/kvs-operator --namespace kvs-system --create-namespace
```

The definitions of its kinds are part of the release, with a switch (`crds.install`), and stay when it is
uninstalled, as do clusters and their disks. With `watchNamespaces` the operator has rights in these
namespaces alone, and to its lease in its own. With `userRoles: false` as well, whoever installs it needs no rights in
the whole cluster but those for the definitions, which somebody else may install: `kubectl apply -f crds/`.

## Values

Made from values.yaml by `make manifests`.

| value | default | meaning |
| --- | --- | --- |
";

#[test]
fn generated_readme_of_the_operator_lists_every_value() {
    let rows =
        told(&read("kvs-operator/values.yaml")).into_iter().map(|Told { path, default, text }| {
            let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
            format!("| `{path}` | {default} | {text} |\n")
        });
    check("kvs-operator/README.md", &format!("{HEAD}{}", rows.collect::<String>()));
}

#[test]
fn every_value_of_the_operator_is_told_of_and_in_the_schema() {
    let (values, schema) =
        (yaml("kvs-operator/values.yaml"), json("kvs-operator/values.schema.json"));
    let told = told(&read("kvs-operator/values.yaml"));
    for (name, value) in values.as_object().unwrap() {
        let known = &schema["properties"][name];
        assert!(known.is_object(), "{name} is not in the schema");
        let fields = value.as_object().filter(|_| known["properties"].is_object());
        for field in fields.into_iter().flat_map(serde_json::Map::keys) {
            assert!(known["properties"][field].is_object(), "{name}.{field} is not in the schema");
        }
        let prefix = format!("{name}.");
        let is_told = |one: &Told| {
            (one.path == *name || one.path.starts_with(&prefix)) && !one.text.is_empty()
        };
        assert!(told.iter().any(is_told), "{name} has no comment");
    }
    let of_schema =
        schema["properties"].as_object().unwrap().keys().filter(|name| *name != "global");
    let missing: Vec<&String> =
        of_schema.filter(|name| values.get(name.as_str()).is_none()).collect();
    assert!(missing.is_empty(), "not in values.yaml: {missing:?}");
}
