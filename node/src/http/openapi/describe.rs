//! What the rows of the route table say of their operations, in few words.

use http::StatusCode;
use kvs_client::{PROBLEM_CONTENT_TYPE, Problem};
use utoipa::ToSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Content, Ref, RefOr, Required};

/// The media type of JSON.
pub(in crate::http) const JSON: &str = "application/json";

/// Adds to an operation what callers must know.
pub(in crate::http) trait Describe: Sized {
    /// A query parameter that may be left out.
    fn query(self, name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Self;

    /// A request header that may be left out.
    fn header(self, name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Self;

    /// A body of the media type, as a schema says it.
    fn takes(self, bodies: &[(&str, RefOr<Schema>)], description: &str) -> Self;

    /// A JSON body of type `T`.
    fn takes_json<T: ToSchema>(self) -> Self {
        self.takes(&[(JSON, reference::<T>())], "")
    }

    /// An answer without a body, or with one that was described by hand.
    fn answers_with(self, status: u16, response: ResponseBuilder) -> Self;

    /// An answer with a JSON body of type `T`.
    fn answers<T: ToSchema>(self, status: u16, description: &str) -> Self {
        self.answers_with(status, answer(description, &[(JSON, reference::<T>())]))
    }

    /// Answers that tell of a problem.
    fn refuses(self, statuses: &[u16]) -> Self;
}

impl Describe for OperationBuilder {
    fn query(self, name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Self {
        self.parameter(optional(ParameterIn::Query, name, schema.into(), description))
    }

    fn header(self, name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Self {
        self.parameter(optional(ParameterIn::Header, name, schema.into(), description))
    }

    fn takes(self, bodies: &[(&str, RefOr<Schema>)], description: &str) -> Self {
        let described = (!description.is_empty()).then_some(description);
        let body = RequestBodyBuilder::new().required(Some(Required::True)).description(described);
        let add = |body: RequestBodyBuilder, (kind, schema): &(&str, RefOr<Schema>)| {
            body.content(*kind, Content::new(Some(schema.clone())))
        };
        self.request_body(Some(bodies.iter().fold(body, add).build()))
    }

    fn answers_with(self, status: u16, response: ResponseBuilder) -> Self {
        self.response(status.to_string(), response)
    }

    fn refuses(self, statuses: &[u16]) -> Self {
        statuses.iter().fold(self, |operation, status| {
            let problem = [(PROBLEM_CONTENT_TYPE, reference::<Problem>())];
            operation.answers_with(*status, answer(meaning(*status), &problem))
        })
    }
}

/// An answer with a body in each of these media types.
pub(in crate::http) fn answer(
    description: &str,
    bodies: &[(&str, RefOr<Schema>)],
) -> ResponseBuilder {
    let response = ResponseBuilder::new().description(description);
    bodies.iter().fold(response, |response, (kind, schema)| {
        response.content(*kind, Content::new(Some(schema.clone())))
    })
}

/// Adds a header to an answer.
pub(in crate::http) fn with_header(
    response: ResponseBuilder,
    name: &str,
    description: &str,
) -> ResponseBuilder {
    let header = HeaderBuilder::new().schema(Some(text())).description(Some(description));
    response.header(name, header.build())
}

/// The schema of `T` by its name.
pub(in crate::http) fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// Any JSON.
pub(in crate::http) fn anything() -> RefOr<Schema> {
    Schema::from(ObjectBuilder::new().schema_type(SchemaType::AnyValue)).into()
}

/// Any text.
pub(in crate::http) fn text() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).into()
}

/// A text that a regular expression matches.
pub(in crate::http) fn text_like(pattern: &str) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).into()
}

/// One of a few texts.
pub(in crate::http) fn one_of(texts: &[&str]) -> Schema {
    let texts = texts.iter().copied();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(texts)).into()
}

/// A switch: its name alone turns it on.
pub(in crate::http) fn switch() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["", "true", "false"])).into()
}

/// A whole number within bounds.
pub(in crate::http) fn count(least: usize, greatest: usize) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(least))
        .maximum(Some(greatest))
        .into()
}

/// Bytes of any kind.
pub(in crate::http) fn bytes() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .content_media_type("application/octet-stream")
        .into()
}

fn optional(
    place: ParameterIn,
    name: &str,
    schema: RefOr<Schema>,
    description: &str,
) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .schema(Some(schema))
        .description(Some(description))
}

/// Who has to do what about a status.
fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The path, the query, a header or the JSON is malformed.",
        401 => "No credentials, or none that are believed: `WWW-Authenticate` says what is wanted.",
        403 => "The caller may not do this; the node is read-only, or the key is reserved.",
        404 => "There is nothing; the body says whether there ever was.",
        408 => "The body did not arrive in time.",
        409 => "Others change this faster than the change can be computed; try again.",
        412 => "The condition does not hold.",
        413 => "Larger than allowed.",
        415 => "A body of this type is not taken here.",
        422 => "The JSON is valid but does not say what it should.",
        429 => "Asked too much; try again after the time in `Retry-After`.",
        431 => "The headers are larger than allowed.",
        500 => "The node failed; its log says why under the request id.",
        502 => "What the node depends on failed: the place for backups.",
        503 => "Not now; try again after the time in `Retry-After`.",
        507 => "The disk is full.",
        other => {
            let known = StatusCode::from_u16(other).ok();
            known.and_then(|status| status.canonical_reason()).unwrap_or("A problem.")
        }
    }
}
