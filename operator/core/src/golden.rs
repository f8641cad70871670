//! Texts that are committed, and compared with what the code makes now.

use std::path::Path;

/// Compares, or writes the text where `KVS_UPDATE` is set.
pub(crate) fn check(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("KVS_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{} is not what the code makes: set KVS_UPDATE=1", path.display());
}
