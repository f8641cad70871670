//! Settings of features that this build does not have.
//!
//! Any value but the default would ask for something that does not happen, so it is refused
//! and never ignored. A release that brings a feature deletes its rows here.

use crate::{
    error::{Problem, Reason},
    field::{self, Field},
    load::Effective,
    value::Raw,
};

/// A setting and the feature that it needs.
const MISSING: &[(&str, &str)] = &[
    ("auth_enabled", AUTHENTICATION),
    ("token_ttl", AUTHENTICATION),
    ("token_max_ttl", AUTHENTICATION),
    ("tamper_logging_enabled", "a tamper-evident log"),
    ("rate_limiting_enabled", RATE_LIMITS),
    ("rate_limit", RATE_LIMITS),
    ("rate_limit_window", RATE_LIMITS),
    ("trusted_proxies", RATE_LIMITS),
];

const AUTHENTICATION: &str = "authentication";
const RATE_LIMITS: &str = "rate limits";

/// The feature that a setting waits for, if it does.
pub(crate) fn missing_feature(path: &str) -> Option<&'static str> {
    MISSING.iter().find(|(missing, _)| *missing == path).map(|(_, feature)| *feature)
}

/// What `effective` asks for in vain.
pub(crate) fn refusals(effective: &Effective) -> impl Iterator<Item = Problem> {
    let rows = MISSING.iter().filter_map(|(path, feature)| Some((field::find(path)?, *feature)));
    rows.filter_map(|(field, feature)| refusal(effective, field, feature))
}

fn refusal(effective: &Effective, field: &Field, feature: &'static str) -> Option<Problem> {
    let value = (field.get)(&effective.settings);
    let default = field.default();
    if value == default {
        return None;
    }
    let reason = Reason::Unavailable { value: value.to_yaml(), feature, remedy: remedy(&default) };
    Some(effective.problem(field.path, reason))
}

fn remedy(default: &Raw) -> String {
    match default {
        Raw::Text(text) => format!("leave it out or set it to {text}"),
        Raw::Nothing | Raw::List(_) | Raw::Map => "leave it out".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_a_setting() {
        for (path, _) in MISSING {
            assert!(field::find(path).is_some(), "{path}");
        }
    }
}
