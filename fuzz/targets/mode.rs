//! A mode's text: whatever is taken as a mode prints as that very text and is the mode of its bits.
#![no_main]

use kvs_core::Mode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(mode) = text.parse::<Mode>() else { return };
    assert_eq!(mode.to_string(), text);
    assert_eq!(Mode::from_bits(u64::from(mode.bits())), Ok(mode));
});
