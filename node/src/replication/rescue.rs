//! What a node alone may have, put aside before it starts over.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kvs_core::{Body, Kind, RecordId, Stamp, UnixMillis, Value, Version};
use serde_json::json;
use thiserror::Error;

use crate::records;
use crate::store::{Column, Store, StoreError};

/// What is this node's alone could not be put aside. The store is as it was.
#[derive(Debug, Error)]
pub enum RescueError {
    /// The file cannot be written.
    #[error("cannot write {path}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes the values stamped after `held` to `rescue-TIME.ndjson` in the data directory, which
/// `kvs import` reads; says where and how many, or nothing if there are none.
///
/// # Errors
///
/// The store cannot be read or the file not be written; then nothing may be removed.
pub fn write(
    store: &dyn Store,
    data_dir: &Path,
    held: Stamp,
    now: UnixMillis,
) -> Result<Option<(PathBuf, u64)>, RescueError> {
    let path = data_dir.join(format!("rescue-{now}.ndjson"));
    let failed = |source| RescueError::Write { path: path.clone(), source };
    let mut rows = store.cursor(Column::Data, &[], &[0xff]);
    let mut file = None;
    let mut count = 0;
    while let Some((row, value)) = rows.next()? {
        let Some(line) = line(row, value.to_vec(), held, now)? else { continue };
        if file.is_none() {
            file = Some(BufWriter::new(File::create(&path).map_err(failed)?));
        }
        if let Some(file) = &mut file {
            writeln!(file, "{line}").map_err(failed)?;
            count += 1;
        }
    }
    let Some(file) = file else { return Ok(None) };
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(Some((path.clone(), count)))
}

fn line(
    row: &[u8],
    value: Vec<u8>,
    held: Stamp,
    now: UnixMillis,
) -> Result<Option<String>, StoreError> {
    let (_, version) = records::decode(row, value)?;
    let alive = version.head().absence(now).is_none();
    let Ok(record) = RecordId::decode(row) else { return Ok(None) };
    let wanted = record.kind == Kind::Value && !record.key.is_system();
    if version.stamp <= held || !alive || !wanted {
        return Ok(None);
    }
    Ok(text(record.key.as_str(), &version))
}

fn text(key: &str, version: &Version) -> Option<String> {
    let Body::Value(value) = &version.body else { return None };
    let bytes = value.bytes().ok()?;
    let mut line = json!({
        "key": key,
        "uuid": version.uuid.uuid(),
        "timestamp": version.stamp.millis().0,
    });
    if let Some(at) = version.expires_at {
        line["expires"] = at.0.into();
    }
    let head = line.to_string();
    // Members are put behind the last one by hand: the value's own text is kept, byte for byte.
    Some(format!("{},{}}}", head.strip_suffix('}')?, content(value, &bytes)))
}

fn content(value: &Value, bytes: &Bytes) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if value.content_type.is_json() => {
            format!("\"data\":{}", kvs_core::json::compact(text))
        }
        _ => format!(
            "\"content_type\":{},\"data_base64\":{}",
            json!(value.content_type.as_str()),
            json!(STANDARD.encode(bytes))
        ),
    }
}

#[cfg(test)]
mod tests {
    use kvs_core::{Clock, Command, ContentType, Key, VersionId};
    use uuid::Uuid;

    use super::*;
    use crate::local;
    use crate::store::{Flush, MemoryStore};
    use crate::writer::{Applier, Retention, Write};

    fn put(key: &str, content_type: ContentType, bytes: &'static [u8]) -> Write {
        let value = Value::plain(content_type, Bytes::from_static(bytes));
        let uuid = VersionId::new(Uuid::new_v4());
        let record = RecordId::value(Key::client(key).unwrap());
        Write { record, command: Command::put(Body::Value(value), uuid) }
    }

    #[test]
    fn what_is_later_than_held_is_put_aside_as_an_import_reads_it() {
        let (store, dir) = (MemoryStore::default(), tempfile::tempdir().unwrap());
        let state = local::open(&store, Path::new("memory"), UnixMillis(1)).unwrap();
        let mut applier = Applier::new(&state, Retention { count: 0, max_age: None });
        let mut apply = |write: Write, now| {
            applier.apply(&store, [write], &[], UnixMillis(now), Flush::Later).unwrap();
        };
        apply(put("old", ContentType::JSON, b"1"), 10);
        apply(put("new/json", ContentType::JSON, br#"{"a" : 1e2}"#), 20);
        apply(put("new/bytes", ContentType::parse("image/png").unwrap(), b"\x89P"), 21);
        apply(put("new/deleted", ContentType::JSON, b"1"), 22);
        let uuid = VersionId::new(Uuid::new_v4());
        let deleted = RecordId::value(Key::client("new/deleted").unwrap());
        apply(Write { record: deleted, command: Command::delete(uuid) }, 23);

        let held = Clock::after(Stamp::at(UnixMillis(15))).last();
        let (path, count) = write(&store, dir.path(), held, UnixMillis(99)).unwrap().unwrap();
        assert_eq!((path.file_name().unwrap().to_str(), count), (Some("rescue-99.ndjson"), 2));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["key"], "new/bytes");
        assert_eq!(
            (&lines[0]["content_type"], &lines[0]["data_base64"]),
            (&json!("image/png"), &json!("iVA="))
        );
        assert!(text.contains(r#""data":{"a":1e2}"#), "{text}");
        assert_eq!(write(&store, dir.path(), Stamp::MAX, UnixMillis(100)).unwrap(), None);
    }
}
