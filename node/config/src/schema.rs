//! The JSON schema of the configuration file, for editors.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{
    field::Field,
    settings::{FIELDS, Settings},
};

/// The schema of the file: names, types, defaults, and in the descriptions what is allowed.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|to| to.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Settings>().to_value();
    for field in FIELDS {
        describe(&mut schema, field);
    }
    schema
}

/// Adds what is allowed to the description, as the default file does.
fn describe(schema: &mut Value, field: &Field) {
    let pointer = format!("/properties/{}", field.path.replace('.', "/properties/"));
    let description = schema.pointer_mut(&pointer).and_then(|of| of.get_mut("description"));
    if let (Some(Value::String(text)), Some(allowed)) = (description, (field.allowed)()) {
        *text = format!("{text} Allowed: {allowed}.");
    }
}
