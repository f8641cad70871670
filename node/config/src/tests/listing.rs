use serde_json::json;

use super::{from_file, layered};
use crate::{effective_listing, settings::FIELDS};

#[test]
fn the_listing_names_the_origin_of_every_value() {
    let file = "port: 9000\nnode_id: 'a b: c'\nlimits:\n  json_depth: 9\n";
    let effective = layered(file, &[("KVS__LOG_LEVEL", "warn")], &[("revisions", "5")]).unwrap();
    let listing = effective_listing(&effective).to_string();
    let lines = [
        "node_id: \"a b: c\"                        # config.yaml:2\n",
        "bind_address: 127.0.0.1                  # default\n",
        "port: 9000                               # config.yaml:1\n",
        "log_level: warn                          # KVS__LOG_LEVEL\n",
        "revisions: 5                             # --revisions\n",
        "limits:\n  value_size: 1MiB                       # default\n",
        "  json_depth: 9                          # config.yaml:4\n",
        "tls:\n  cert_file:                             # default\n",
    ];
    for line in lines {
        assert!(listing.contains(line), "{line}\nis not in\n{listing}");
    }
}

#[test]
fn the_listing_is_a_file_that_loads_to_the_same_settings() {
    let file = "node_id: 'x, [y] # z'\ncors_allowed_origins: ['*', 'http://a.b']\ndata_dir: '-'\n\
                oidc: [{issuer: 'https://a', audience: 'b, c: \"d', prefix: ''}]\n";
    let effective = from_file(file).unwrap();
    let again = from_file(&effective_listing(&effective).to_string()).unwrap();
    assert_eq!(again.settings, effective.settings);
}

#[test]
fn the_json_listing_has_typed_values_in_the_order_of_the_file() {
    let effective = from_file("port: 9000\nlimits: {value_size: 2MiB}\n").unwrap();
    let listing = effective_listing(&effective).to_json();
    let rows = listing.as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, FIELDS.iter().map(|field| field.path).collect::<Vec<_>>());
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap().clone();
    let port = json!({"name": "port", "value": 9000, "origin": "config.yaml:1"});
    assert_eq!(row("port"), port);
    assert_eq!(row("limits.value_size")["value"], "2MiB");
    assert_eq!(row("default_ttl")["value"], json!(null));
}
