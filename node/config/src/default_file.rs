//! The configuration file that is written where there is none.

use std::fmt::Write;

use crate::{
    field::{self, Field},
    settings::{FIELDS, GROUPS},
    value::Raw,
};

const HEADER: &str = "\
# Configuration of a KVS node.
#
# Every setting is here with its default. Lines that begin with # and a name are not in force:
# remove the # to set them. A variable KVS__PORT or KVS__LIMITS__VALUE_SIZE overrides this file,
# and a flag of the command line overrides both. `kvs config` prints what is in force and why.
# Durations are written as 100ms, 30s, 5m, 1h or 7d, sizes as 512B, 32KiB, 64MiB or 1GiB.
";

/// The default `config.yaml`, with what each setting means. It loads to exactly the defaults.
///
/// Settings without a default value, and those of features that this build lacks, are
/// commented out: their defaults may be others once the feature is there.
pub fn default_file() -> String {
    let mut out = HEADER.to_owned();
    for field in FIELDS.iter().filter(|field| field.parts().0.is_none()) {
        entry(&mut out, "", field);
    }
    for group in GROUPS {
        let idle = field::of_group(group.name).all(is_idle);
        out.push('\n');
        comment(&mut out, "", group.doc);
        line(&mut out, format_args!("{}{}:", if idle { "#" } else { "" }, group.name));
        for field in field::of_group(group.name) {
            entry(&mut out, "  ", field);
        }
    }
    out
}

fn entry(out: &mut String, indent: &str, field: &Field) {
    out.push('\n');
    comment(out, indent, field.doc);
    if let Some(allowed) = (field.allowed)() {
        line(out, format_args!("{indent}# Allowed: {allowed}."));
    }
    let text = format!("{}: {}", field.parts().1, field.default().to_yaml());
    let mark = if is_idle(field) { "#" } else { "" };
    line(out, format_args!("{mark}{indent}{}", text.trim_end()));
}

/// Whether the setting is only shown, and not set.
fn is_idle(field: &Field) -> bool {
    field.default() == Raw::Nothing
}

fn comment(out: &mut String, indent: &str, doc: &[&str]) {
    for text in doc {
        line(out, format_args!("{indent}#{text}"));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a String cannot fail");
}
