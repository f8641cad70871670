//! The effective settings for people and for programs, with where each value came from.

use std::fmt;

use serde_json::{Value, json};

use crate::{field::Field, load::Effective, settings::FIELDS};

/// What `kvs config` prints: `Display` is YAML with the origins as comments.
pub fn effective_listing(effective: &Effective) -> Listing<'_> {
    Listing { effective }
}

/// See [`effective_listing`].
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    effective: &'a Effective,
}

/// Column of the comments; a longer line pushes its own further right.
const COMMENT_COLUMN: usize = 40;

impl fmt::Display for Listing<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = None;
        for field in FIELDS {
            let (of, name) = field.parts();
            if of != group {
                writeln!(out, "{}:", of.unwrap_or_default())?;
                group = of;
            }
            let indent = if of.is_some() { "  " } else { "" };
            self.line(out, &format!("{indent}{name}:"), field)?;
        }
        Ok(())
    }
}

impl Listing<'_> {
    fn line(self, out: &mut fmt::Formatter<'_>, name: &str, field: &Field) -> fmt::Result {
        let value = (field.get)(&self.effective.settings).to_yaml();
        let text = format!("{name} {value}");
        let origin = self.effective.origin(field.path);
        writeln!(out, "{:COMMENT_COLUMN$} # {origin}", text.trim_end())
    }

    /// A list of `{"name", "value", "origin"}` in the order of the default file.
    pub fn to_json(self) -> Value {
        let settings = serde_json::to_value(&self.effective.settings).unwrap_or_default();
        let row = |field: &Field| {
            let pointer = format!("/{}", field.path.replace('.', "/"));
            json!({
                "name": field.path,
                "value": settings.pointer(&pointer),
                "origin": self.effective.origin(field.path).to_string(),
            })
        };
        FIELDS.iter().map(row).collect()
    }
}
