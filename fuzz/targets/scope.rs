//! A scope's text: whatever is taken as a scope prints as that very text, covers itself, and has
//! itself in common with everything.
#![no_main]

use kvs_core::{Scope, ScopeSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(scope) = text.parse::<Scope>() else { return };
    assert_eq!(scope.to_string(), text);
    assert!(scope.covers(&scope) && Scope::everything().covers(&scope));

    let set: ScopeSet = [scope.clone()].into_iter().collect();
    assert_eq!(set.intersection(&ScopeSet::everything()), set);
    assert_eq!(set.union(&set), set);
    assert_eq!(set.lacking(&set), None);
});
