//! Schemas of the types whose JSON is not what a derive would see.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr,
        schema::{
            AllOfBuilder, AnyOfBuilder, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema,
            SchemaType, Type,
        },
    },
};

use super::{
    batch::{BatchItem, BatchItemFields, BatchResult, BatchResultFields},
    list::{ItemMetadata, ListItem, Page},
    metadata::ModeSetting,
    value::Value,
};

/// [`Value`] by a name of its own: utoipa takes any type named `Value` for arbitrary JSON.
pub(super) type StoredValue = Value;

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

impl ToSchema for Value {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("StoredValue")
    }
}

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

/// A derive would have the metadata be `null` where it is left out.
impl PartialSchema for ListItem {
    fn schema() -> RefOr<Schema> {
        let text = |about: &'static str| described(String::schema(), about);
        let flag = |about: &'static str| described(bool::schema(), about);
        let own = ObjectBuilder::new()
            .property("name", text("The child's own segment, for example `FI`."))
            .required("name")
            .property("key", text("The child's whole key, for example `iso/3166-1/FI`."))
            .required("key")
            .property("value", flag("Whether a value is stored at this key."))
            .required("value")
            .property("children", flag("Whether anything lies below this key."))
            .required("children")
            .build();
        let about = "One direct child of a listed prefix; with `metadata=true`, and where a value \
                     is stored, with its version, times, size and type.";
        let whole =
            AllOfBuilder::new().item(own.clone()).item(Ref::from_schema_name("ItemMetadata"));
        AnyOfBuilder::new().item(whole).item(own).description(Some(about)).into()
    }
}

impl ToSchema for ListItem {
    fn schemas(schemas: &mut Named) {
        schemas.push((ItemMetadata::name().into_owned(), ItemMetadata::schema()));
    }
}

impl PartialSchema for ModeSetting {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^([c-][d-][w-][r-]){3}$"))
            .description(Some("Twelve letters or dashes, for example `cdwr--wr---r`."));
        let bits = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .maximum(Some(0xFFF))
            .description(Some("The same twelve bits, 0 to 4095."));
        OneOfBuilder::new().item(text).item(bits).into()
    }
}

impl ToSchema for ModeSetting {}

fn described(schema: RefOr<Schema>, about: &str) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.description = Some(about.to_owned());
            object.into()
        }
        other => other,
    }
}

/// Pages are named for their items, `ListItemPage`: a derive would name them all `Page`.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new()
            .items(Ref::from_schema_name(T::name()))
            .description(Some("The items, in the route's order."));
        let next = "The cursor to pass as `after` for the next page; null at the end. A page may \
                    be empty and still have one: a request examines a bounded number of keys.";
        ObjectBuilder::new()
            .property("items", items)
            .required("items")
            .property("next", nullable_text(next))
            .required("next")
            .description(Some("One page of a list."))
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Page", T::name()))
    }

    fn schemas(schemas: &mut Named) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

fn nullable_text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some(description))
}
