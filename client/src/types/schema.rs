//! Schemas of the types whose JSON is not what a derive would see.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, OneOfBuilder, Schema},
    },
};

use super::{
    batch::{BatchItem, BatchItemFields, BatchResult, BatchResultFields},
    value::Value,
};

type Named = Vec<(String, RefOr<Schema>)>;

impl PartialSchema for Value {
    fn schema() -> RefOr<Schema> {
        let json = ObjectBuilder::new()
            .property("data", serde_json::Value::schema())
            .required("data")
            .description(Some("The stored JSON, byte for byte as it was sent."));
        let bytes = ObjectBuilder::new()
            .property("content_type", String::schema())
            .required("content_type")
            .property("data_base64", String::schema())
            .required("data_base64")
            .description(Some("Stored bytes that are not JSON, with their type."));
        OneOfBuilder::new().item(json).item(bytes).into()
    }
}

impl ToSchema for Value {}

impl PartialSchema for BatchItem {
    fn schema() -> RefOr<Schema> {
        BatchItemFields::schema()
    }
}

impl ToSchema for BatchItem {
    fn schemas(schemas: &mut Named) {
        BatchItemFields::schemas(schemas);
    }
}

impl PartialSchema for BatchResult {
    fn schema() -> RefOr<Schema> {
        BatchResultFields::schema()
    }
}

impl ToSchema for BatchResult {
    fn schemas(schemas: &mut Named) {
        BatchResultFields::schemas(schemas);
    }
}
