//! An entry of the audit log from any bytes: it is refused, or encodes to those very bytes; and a
//! log made of it is walked without a panic.
#![no_main]

use kvs_core::audit::{Entry, Verifier, row};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode(), bytes);
    }
    let _ = Verifier::new([]).push(0, bytes);
    let _ = Verifier::new([]).push(0, &row(bytes));
});
