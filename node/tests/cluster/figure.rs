//! What a trial showed, for people and for `scripts/evidence`.

use std::fs;

use serde_json::{Value, json};

/// Prints it, and adds it under `name` to the file named by `KVS_FIGURE`.
pub(crate) fn tell(name: &str, figure: &Value) {
    println!("{name}: {figure}");
    let Some(path) = std::env::var_os("KVS_FIGURE") else { return };
    let mut whole: Value = fs::read(&path)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or(json!({}));
    whole[name] = figure.clone();
    fs::write(path, whole.to_string()).unwrap();
}
