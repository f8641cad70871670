//! Bytes as the key of a row: anything may lie on a damaged disk, nothing may panic, and what
//! decodes is exactly what encodes to these bytes.
#![no_main]

use kvs_core::{Key, RecordId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|row: &[u8]| {
    if let Ok(record) = RecordId::decode(row) {
        assert_eq!(record.encode(), row);
    }
    if let Ok((key, used)) = Key::decode(row) {
        let mut again = Vec::new();
        key.encode_into(&mut again);
        assert_eq!(again, &row[..used]);
    }
});
