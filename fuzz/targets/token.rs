//! A token from a stranger: it is taken apart or refused, never more; and a token that is taken
//! apart is written again as it was, so that one signature fits one text.
#![no_main]

use kvs_core::token::{Algorithm, Unverified, compact};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(token) = Unverified::parse(text) else { return };
    let signed = token.signed().to_owned();
    assert_eq!(compact(&signed, token.signature()), text);

    let _ = token.issuer();
    assert!(token.clone().verify(Algorithm::EdDsa, |_, _| false).is_err());
    if let Ok(verified) = token.verify(Algorithm::EdDsa, |_, _| true) {
        let _ = verified.claims();
    }
});
