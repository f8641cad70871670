//! The path of a URL: whatever is accepted as a key can be written, read back and listed under
//! that very name, and lies on disk in a form that decodes to it.
#![no_main]

use kvs_core::{Key, Kind, Prefix};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    let Ok(key) = Key::from_url_path(path) else { return };
    assert_eq!(Key::client(key.as_str()).as_ref(), Ok(&key));
    assert!(!key.is_system());

    let mut row = Vec::new();
    key.encode_into(&mut row);
    assert_eq!(Key::decode(&row), Ok((key.clone(), row.len())));

    for above in key.ancestors() {
        assert!(Prefix::Under(above.clone()).covers(&key));
        let (start, end) = Prefix::Under(above).range(Kind::Value);
        let row = kvs_core::RecordId::value(key.clone()).encode();
        assert!(start <= row && row < end);
    }
});
