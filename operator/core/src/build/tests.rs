use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::crd::ADOPT;
use crate::plan::SetWanted;

fn cluster(spec: Value) -> KvsCluster {
    let mut object = json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1",
        "kind": "KvsCluster",
        "metadata": { "name": "db", "namespace": "apps", "uid": "u" },
        "spec": { "storage": { "size": "1Gi" } },
    });
    merge(&mut object["spec"], spec);
    serde_json::from_value(object).unwrap()
}

fn site() -> Site {
    Site { image: "kvs:1".into(), namespace: "kvs-system".into(), monitors: true }
}

fn everything() -> Value {
    json!({
        "replicas": 2,
        "fenced": [1],
        "config": { "log_level": "debug", "limits": { "value_size": "2MiB" } },
        "tls": { "mode": "Secret", "secretName": "web" },
        "imagePullPolicy": "Never",
        "imagePullSecrets": [{ "name": "pull" }],
        "resources": { "requests": { "cpu": "1", "memory": "1Gi" } },
        "nodeSelector": { "disk": "fast" },
        "tolerations": [{ "key": "a", "operator": "Exists" }],
        "affinity": { "nodeAffinity": {} },
        "topologySpread": [{ "maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule" }],
        "priorityClassName": "high",
        "podLabels": { "team": "a" },
        "podAnnotations": { "note": "b" },
        "env": [{ "name": "RUST_BACKTRACE", "value": "1" }],
        "identitySecret": "mine",
        "caConfigMap": "kube-root-ca.crt",
        "bootstrap": { "fromBackup": {
            "target": "s3://backups/db", "name": "kvs-0190b6f24c1e-20261123T030000000Z",
            "endpoint": "https://s3.example.org", "region": "here", "secretName": "backup-key",
        } },
        "service": { "type": "LoadBalancer", "annotations": { "lb": "x" }, "perPod": true },
        "monitoring": true,
        "storage": { "storageClassName": "fast", "retain": "Delete" },
    })
}

/// Reads an object as Kubernetes does, and says what is left of it: a field that is misspelt, or newer
/// than the oldest supported release, is not.
fn read<T: DeserializeOwned + Serialize>(object: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(object.clone()).unwrap()).unwrap()
}

fn typed(object: &Value) -> Value {
    match object["kind"].as_str().unwrap() {
        "StatefulSet" => read::<StatefulSet>(object),
        "Service" => read::<Service>(object),
        "ServiceAccount" => read::<ServiceAccount>(object),
        "ConfigMap" => read::<ConfigMap>(object),
        "NetworkPolicy" => read::<NetworkPolicy>(object),
        "PodDisruptionBudget" => read::<PodDisruptionBudget>(object),
        "Pod" => read::<Pod>(object),
        "PersistentVolumeClaim" => read::<PersistentVolumeClaim>(object),
        "ServiceMonitor" => object.clone(),
        kind => panic!("{kind}"),
    }
}

fn objects(spec: Value) -> Vec<Value> {
    let (cluster, site) = (cluster(spec), site());
    let blueprint = Blueprint::new(&cluster, &site);
    let template = blueprint.template(blueprint.config().unwrap());
    let wanted = SetWanted {
        replicas: 2,
        partition: Some(2),
        template: template.hash.clone(),
        size: 1 << 30,
        from: None,
    };
    let mut all = blueprint.surroundings(2);
    all.push(blueprint.config_map(&template.config));
    all.push(blueprint.template_map(&template));
    all.push(blueprint.live_map(&Live { settings: blueprint.live_settings(), ..Live::default() }));
    all.push(stateful_set(&blueprint, &wanted, &template));
    all.extend(blueprint.restorer("c"));
    all
}

#[test]
fn every_field_is_one_that_the_oldest_supported_release_knows() {
    for spec in [json!({}), everything()] {
        for object in objects(spec) {
            assert_eq!(sorted(&typed(&object)), sorted(&object));
        }
    }
}

#[test]
fn each_node_is_scraped_by_the_one_service_that_has_those_that_are_not_ready_too() {
    let all = objects(everything());
    let of = |kind: &'static str| all.iter().filter(move |object| object["kind"] == kind);
    let monitor = of("ServiceMonitor").next().unwrap();
    let wanted = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
    let matches = |object: &&Value| {
        wanted.iter().all(|(name, value)| object["metadata"]["labels"].get(name) == Some(value))
    };
    let name = |service: &Value| service["metadata"]["name"].clone();
    assert_eq!(of("Service").count(), 4);
    assert_eq!(of("Service").filter(matches).map(name).collect::<Vec<_>>(), ["db-peers"]);
}

#[test]
fn the_first_disk_of_a_backup_is_as_the_stateful_set_would_make_it() {
    let (cluster, site) = (cluster(everything()), site());
    let blueprint = Blueprint::new(&cluster, &site);
    let claim = blueprint.first_claim(1 << 30);
    assert_eq!(sorted(&typed(&claim)), sorted(&claim));
    let template = blueprint.template(blueprint.config().unwrap());
    let wanted = SetWanted {
        replicas: 1,
        partition: Some(1),
        template: template.hash.clone(),
        size: 1 << 30,
        from: None,
    };
    let set = stateful_set(&blueprint, &wanted, &template);
    let made = &set["spec"]["volumeClaimTemplates"][0];
    assert_eq!(
        (&claim["spec"], &claim["metadata"]["labels"]),
        (&made["spec"], &made["metadata"]["labels"])
    );
    assert_eq!(claim["metadata"]["name"], "data-db-0");
    assert_eq!(claim["metadata"]["ownerReferences"], Value::Null);
}

#[test]
fn who_brings_a_backup_back_is_no_node_and_has_the_key_by_reference() {
    let mut spec = everything();
    spec["env"] =
        json!([{ "name": "AWS_REGION", "value": "there" }, { "name": "A", "value": "b" }]);
    let (cluster, site) = (cluster(spec), site());
    let pod = Blueprint::new(&cluster, &site).restorer("uid-of-the-claim").unwrap();
    assert_eq!(pod["metadata"]["labels"]["app.kubernetes.io/component"], "restore");
    assert_eq!(pod["metadata"]["annotations"]["kvs.kalzu.dev/restore"], "uid-of-the-claim");
    assert_eq!(pod["spec"]["nodeSelector"]["disk"], "fast");
    let container = &pod["spec"]["containers"][0];
    let archive = "s3://backups/db/kvs-0190b6f24c1e-20261123T030000000Z.tar.zst";
    assert_eq!(container["args"][2], archive);
    let of = |name: &str| {
        let all = container["env"].as_array().unwrap();
        let found: Vec<_> = all.iter().filter(|one| one["name"] == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].clone()
    };
    assert_eq!(of("AWS_SECRET_ACCESS_KEY")["valueFrom"]["secretKeyRef"]["name"], "backup-key");
    assert_eq!((&of("AWS_REGION")["value"], &of("A")["value"]), (&json!("here"), &json!("b")));
    assert_eq!(of("SSL_CERT_FILE")["value"], "/etc/kvs/authorities/ca.crt");
}

#[test]
fn everything_has_our_labels_and_goes_with_its_cluster() {
    for object in objects(everything()) {
        let metadata = &object["metadata"];
        assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "kvs-operator", "{object}");
        assert_eq!(metadata["ownerReferences"][0]["uid"], "u", "{object}");
    }
}

#[test]
fn generated_objects_are_committed() {
    let rendered = serde_saphyr::to_string(&objects(json!({}))).unwrap();
    crate::golden::check("operator/core/src/build/smallest.yaml", &rendered);
}

#[test]
fn the_nodes_take_the_configuration_that_is_made() {
    let (cluster, site) = (cluster(everything()), site());
    let text = Blueprint::new(&cluster, &site).config().unwrap().text;
    assert!(text.contains("\"db-peers.apps.svc:8080\"") && text.contains("2MiB"), "{text}");
}

#[test]
fn what_nodes_take_over_while_they_run_changes_no_pod() {
    let site = site();
    let template = |spec: Value| {
        let cluster = cluster(spec);
        let blueprint = Blueprint::new(&cluster, &site);
        blueprint.template(blueprint.config().unwrap())
    };
    let live = json!({ "fenced": [0], "config": { "log_level": "debug", "rate_limit": 5 } });
    assert_eq!(template(live), template(json!({})));
    let other = template(json!({ "config": { "log_level": "debug", "revisions": 5 } }));
    assert_ne!(other.asked, template(json!({})).asked);
    assert!(!other.config.text.contains("log_level"), "{}", other.config.text);
}

#[test]
fn the_nodes_take_what_they_are_to_take_over_while_they_run() {
    let (cluster, site) = (cluster(everything()), site());
    let blueprint = Blueprint::new(&cluster, &site);
    let written = Live { settings: blueprint.live_settings(), held: [1].into() };
    let map = blueprint.live_map(&written);
    assert_eq!(Live::read(&map, &blueprint.names), written);
    let (main, name) = (blueprint.config().unwrap().text, std::path::Path::new("file"));
    let live = map["data"]["live.yaml"].as_str().map(|live| (name, live));
    let files = kvs_config::Files { main: Some((name, &main)), live };
    let taken = kvs_config::load(files, std::iter::empty(), std::iter::empty()).unwrap().settings;
    assert_eq!(taken.log_level, kvs_config::LogLevel::Debug);
    assert_eq!(taken.fenced, ["db-1"]);
    assert_eq!(taken.limits.value_size, kvs_config::Size::mib(2));
}

#[test]
fn settings_that_no_node_takes_are_refused_with_its_own_words() {
    for (config, says) in [
        (json!({ "port": 1 }), "port is decided by the operator"),
        (json!({ "revisions": 300 }), "300"),
        (json!({ "revision": 3 }), "revisions"),
        (json!({ "log_level": "loud" }), "loud"),
    ] {
        let (cluster, site) = (cluster(json!({ "config": config })), site());
        let refused = Blueprint::new(&cluster, &site).config().unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }
}

#[test]
fn a_newer_operator_leaves_pods_alone_until_it_is_told_or_the_spec_changes() {
    let (cluster_then, site) = (cluster(json!({})), site());
    let then = Blueprint::new(&cluster_then, &site);
    let kept = then.template(then.config().unwrap());
    let stored = Template::read(&then.template_map(&kept)).unwrap();
    assert_eq!(stored, kept);
    let mut now = kept.clone();
    now.pod["spec"]["new"] = json!(true);
    now.hash = hash(&now.pod);
    let still = then.in_force(now.clone(), Some(kept.clone()));
    assert_eq!((still.template, still.newer.clone()), (kept.clone(), Some(now.hash.clone())));
    let mut adopting = cluster_then.clone();
    adopting.metadata.annotations = Some([(ADOPT.to_owned(), now.hash.clone())].into());
    let adopted = Blueprint::new(&adopting, &site).in_force(now.clone(), Some(kept.clone()));
    assert_eq!((adopted.template, adopted.newer), (now.clone(), None));
    let cluster_other = cluster(json!({ "image": "kvs:other" }));
    let other = Blueprint::new(&cluster_other, &site);
    let rendered = other.template(other.config().unwrap());
    assert_eq!(other.in_force(rendered.clone(), Some(kept)).template, rendered);
}

/// What an operator made whose pods took nothing over while they ran.
fn without_live(blueprint: &Blueprint<'_>) -> Template {
    let mut kept = blueprint.template(blueprint.config().unwrap());
    let volumes = kept.pod["spec"]["volumes"].as_array_mut().unwrap();
    volumes.retain(|volume| volume["name"] != "live");
    (kept.hash, kept.asked) = (hash(&kept.pod), blueprint.asked(false));
    kept
}

#[test]
fn pods_that_take_nothing_over_while_they_run_get_each_setting_by_a_restart() {
    let (then, site) = (cluster(json!({ "config": { "log_level": "debug" } })), site());
    let blueprint = Blueprint::new(&then, &site);
    let kept = without_live(&blueprint);
    let in_force = |cluster: &KvsCluster| {
        let blueprint = Blueprint::new(cluster, &site);
        blueprint.in_force(blueprint.template(blueprint.config().unwrap()), Some(kept.clone()))
    };
    // A newer operator restarts nobody, whatever is set.
    assert_eq!(in_force(&then).template, kept);
    let louder = cluster(json!({ "config": { "log_level": "trace" } }));
    assert_ne!(in_force(&louder).template, kept);
}

#[test]
fn scaling_changes_no_template() {
    let site = site();
    let hash_of = |spec| {
        let cluster = cluster(spec);
        let blueprint = Blueprint::new(&cluster, &site);
        blueprint.template(blueprint.config().unwrap()).asked
    };
    assert_eq!(hash_of(json!({})), hash_of(json!({ "replicas": 5, "mode": "Hibernated" })));
    assert_ne!(hash_of(json!({})), hash_of(json!({ "image": "kvs:2" })));
}

#[test]
fn nodes_that_ask_others_who_callers_are_may_reach_them() {
    let issuer = json!([{ "issuer": "https://a", "audience": "kvs", "prefix": "a:" }]);
    for (config, token, out) in [
        (json!({}), false, false),
        (json!({ "kubernetes": null, "oidc": [] }), false, false),
        (json!({ "kubernetes": { "audience": "kvs" } }), true, false),
        (json!({ "oidc": issuer }), false, true),
        (json!({ "backup_target": "s3://bucket/p" }), false, true),
        (json!({ "backup_target": "/backups" }), false, false),
    ] {
        let (cluster, site) = (cluster(json!({ "config": config })), site());
        let blueprint = Blueprint::new(&cluster, &site);
        let pod = blueprint.pod(&blueprint.config().unwrap());
        assert_eq!(pod["spec"]["automountServiceAccountToken"], token, "{config}");
        let policy = network::policy(&blueprint);
        let anywhere = json!({ "ports": [{ "protocol": "TCP" }] });
        let egress = policy["spec"]["egress"].as_array().unwrap();
        assert_eq!(egress.contains(&anywhere), out, "{config}");
        assert_eq!(policy["spec"]["egress"].to_string().contains("6443"), token, "{config}");
    }
}

#[test]
fn the_cluster_file_goes_with_its_cluster_exactly_where_the_disks_do() {
    let site = site();
    let owners = |spec: Value, has: Value| {
        let (cluster, has): (_, Vec<_>) = (cluster(spec), serde_json::from_value(has).unwrap());
        let owners = Blueprint::new(&cluster, &site).identity_owners(&has);
        owners.map(|owners| owners.into_iter().map(|owner| owner.uid).collect::<Vec<_>>())
    };
    let owner = |kind: &str, uid: &str| json!({ "apiVersion": "v1", "kind": kind, "name": "db", "uid": uid });
    let (own, former) = (owner("KvsCluster", "u"), owner("KvsCluster", "before"));
    let (keeps, goes) = (json!({}), json!({ "storage": { "retain": "Delete" } }));
    assert_eq!(owners(keeps.clone(), json!([])), None);
    assert_eq!(owners(goes.clone(), json!([own])), None);
    // Who changed their mind.
    assert_eq!(owners(keeps.clone(), json!([own])), Some(vec![]));
    assert_eq!(owners(goes.clone(), json!([])), Some(vec!["u".into()]));
    // A cluster of that name before this one; and owners that are none of ours.
    assert_eq!(owners(goes, json!([former])), Some(vec!["u".into()]));
    let theirs = owner("Vault", "v");
    assert_eq!(owners(keeps, json!([theirs, former])), Some(vec!["v".into()]));
    let brought = json!({ "identitySecret": "mine", "storage": { "retain": "Delete" } });
    assert_eq!(owners(brought, json!([])), None);
}
