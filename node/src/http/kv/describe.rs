//! The API description of the routes of single keys.

use kvs_client::{Stored, Written};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};

use crate::http::openapi::describe::{
    Describe as _, JSON, answer, anything, bytes, reference, switch, text, text_like, with_header,
};

/// A time to live from one second up.
const TTL: &str = "^[1-9][0-9]{0,3}(s|m|h|d)$";
const TAGS: &str = "^(\\*|\"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\")$";
const UUID: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";
const MERGE_PATCH: &str = "application/merge-patch+json";

pub(in crate::http) fn read(operation: OperationBuilder) -> OperationBuilder {
    let bodies = [(JSON, stored_or_raw()), ("application/octet-stream", bytes().into())];
    let found = "The value with its version; with `raw`, the bytes alone under the type they were \
                 stored with.";
    operation
        .query("raw", switch(), "Answer the bytes as they were sent, and nothing else.")
        .query("revision", text_like(UUID), "Read this version, as `_history` lists them.")
        .header("If-None-Match", text(), "Answer 304 if one of these tags is the version's.")
        .answers_with(200, tagged(answer(found, &bodies)))
        .answers_with(304, tagged(answer("The client has this version.", &[])))
        .refuses(&[404])
}

pub(in crate::http) fn write(operation: OperationBuilder) -> OperationBuilder {
    let what = "JSON, kept byte for byte; or bytes of any other type, kept with that type. JSON is \
                also what comes without a type, or with that of an HTML form.";
    conditional(operation)
        .header("If-None-Match", text_like(TAGS), "`*`: only where nothing is. Not with If-Match.")
        .query("ttl", text_like(TTL), "How long the value lives, from one second up.")
        .header("Kvs-Ttl", text_like(TTL), "As the query parameter `ttl`.")
        .takes(&[(JSON, anything()), ("application/octet-stream", bytes().into())], what)
        .answers_with(201, written("The key was absent and has been written."))
        .answers_with(200, written("The key was there and has been overwritten."))
        .refuses(&[412])
}

pub(in crate::http) fn patch(operation: OperationBuilder) -> OperationBuilder {
    let what = "A merge patch: members replace, `null` removes. The time to live stays. A key that \
                is absent is not made: that is 404, and 422 where the stored value is not JSON.";
    conditional(operation)
        .takes(&[(MERGE_PATCH, anything()), (JSON, anything())], what)
        .answers_with(200, written("The value has been changed."))
        .refuses(&[404, 409, 412, 422])
}

pub(in crate::http) fn delete(operation: OperationBuilder) -> OperationBuilder {
    conditional(operation)
        .answers_with(204, answer("The key has been deleted.", &[]))
        .refuses(&[404, 412])
}

/// Adds the headers that make a write conditional.
pub(in crate::http) fn conditional(operation: OperationBuilder) -> OperationBuilder {
    operation.header("If-Match", text_like(TAGS), "Only over this version, or `*`: over any.")
}

/// The answer to a write, with its entity tag.
pub(in crate::http) fn written(description: &str) -> ResponseBuilder {
    let response = answer(description, &[(JSON, reference::<Written>())]);
    with_header(response, "ETag", "The new version's uuid in double quotes.")
}

fn tagged(response: ResponseBuilder) -> ResponseBuilder {
    let response = with_header(response, "ETag", "The version's uuid in double quotes.");
    with_header(response, "Last-Modified", "When it was written, in whole seconds.")
}

/// Raw JSON may be anything, the usual answer among it.
fn stored_or_raw() -> RefOr<Schema> {
    AnyOfBuilder::new().item(reference::<Stored>()).item(anything()).into()
}
