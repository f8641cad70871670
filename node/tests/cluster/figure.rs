//! What a trial showed, for people and for `scripts/evidence`.

use std::fs;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// Trials that run side by side add to one file.
static FILE: Mutex<()> = Mutex::new(());

/// Prints it, and adds it under `name` to the file named by `KVS_FIGURE`.
pub(crate) fn tell(name: &str, figure: &Value) {
    println!("{name}: {figure}");
    let Some(path) = std::env::var_os("KVS_FIGURE") else { return };
    let _alone = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut whole: Value = fs::read(&path)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or(json!({}));
    whole[name] = figure.clone();
    fs::write(path, whole.to_string()).unwrap();
}
