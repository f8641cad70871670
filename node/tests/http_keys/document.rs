use std::collections::BTreeSet;
use std::path::Path;

use kvs_node::http::{ROUTES, document};
use serde_json::Value;

use crate::harness::TestNode;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

fn description() -> Value {
    serde_json::to_value(document()).unwrap()
}

/// Every operation with its path and method.
fn operations() -> Vec<(String, String, Value)> {
    let description = description();
    let paths = description["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let item = item.as_object().unwrap().clone();
        let path = path.clone();
        item.into_iter().map(move |(method, operation)| (path.clone(), method, operation))
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn the_committed_description_is_that_of_the_program() {
    let current = serde_json::to_string_pretty(&description()).unwrap() + "\n";
    if std::env::var_os("KVS_UPDATE").is_some() {
        std::fs::create_dir_all(Path::new(COMMITTED).parent().unwrap()).unwrap();
        std::fs::write(COMMITTED, &current).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        committed == current,
        "docs/openapi.json is not what the program describes; run this test with KVS_UPDATE=1"
    );
}

#[test]
fn every_route_has_a_name_of_its_own_and_is_described() {
    let names: BTreeSet<_> = ROUTES.iter().map(|route| route.operation).collect();
    assert_eq!(names.len(), ROUTES.len());
    let description = description();
    for route in ROUTES {
        let method = route.method.as_str().to_lowercase();
        let operation = &description["paths"][route.template()][&method];
        assert_eq!(operation["operationId"], route.operation, "{method} {}", route.template());
        assert_eq!(operation["summary"], route.summary);
    }
}

#[test]
fn operations_have_names_of_their_own_and_answers_on_success_and_on_failure() {
    let operations = operations();
    let names: BTreeSet<_> = operations
        .iter()
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), operations.len());
    for (path, method, operation) in operations {
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {path}");
        for status in ["400", "500"] {
            assert!(answers.contains_key(status), "{method} {path} {status}");
        }
        for (status, answer) in answers.iter().filter(|(status, _)| status.as_str() >= "400") {
            let content = &answer["content"]["application/problem+json"];
            assert!(method == "head" || !content.is_null(), "{method} {path} {status}");
        }
    }
}

#[test]
fn every_name_that_is_referred_to_is_there() {
    let description = description();
    let text = description.to_string();
    let schemas = description["components"]["schemas"].as_object().unwrap();
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn the_description_is_served() {
    let node = TestNode::start();
    let served = node.get("/openapi.json").await.expect(200);
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(served.json(), description());
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let node = TestNode::start();
    let page = node.get("/docs").await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(!page.text().contains("//"), "an address of another host");
    let links = page.text().clone();
    let links = links.split('"').filter(|part| part.starts_with("/docs/"));
    let mut count = 0;
    for link in links {
        let file = node.get(link).await.expect(200);
        assert!(!file.body.is_empty());
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        count += 1;
    }
    assert_eq!(count, 3);
}
