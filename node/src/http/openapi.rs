//! The description of the API, made from the route table and the types of its bodies.

pub(super) mod describe;

use std::sync::LazyLock;

use bytes::Bytes;
use http::Method;
use kvs_client as api;
use utoipa::ToSchema;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, Paths,
};
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, Required,
    Response as Described,
};

use super::{Access, Answer, BodyRule, Call, Endpoint, ROUTES, Route, page};
use describe::{Describe as _, text_like};

const ABOUT: &str = "A key-value store for JSON under path-like keys. Keys are paths of 1 to 64 \
    segments and at most 1024 bytes, `home/room/socks`. This description shows keys of one segment, \
    since its templates know no others; the routes take as many as a key has, separated by slashes. \
    Each segment is percent-encoded on its own. Times are Unix milliseconds, durations texts such \
    as `90s`, cursors opaque texts. Every error is a problem document (RFC 9457).";

const KEY: &str = "The key: here one segment, percent-encoded; segments of longer keys are \
    separated by slashes.";

/// What the description calls the tokens that callers show.
const TOKEN: &str = "token";

const PREFIX: &str = "What to look below: a key, written or not. Left out with its slash, it is \
    the root.";

/// One segment as a key may have it: not `.` or `..`, not beginning with `_`, without slashes and
/// control characters.
const SEGMENT: &str = "^([^_./\\u0000-\\u001f\\u007f-\\u009f][^/\\u0000-\\u001f\\u007f-\\u009f]*\
    |\\.[^./\\u0000-\\u001f\\u007f-\\u009f][^/\\u0000-\\u001f\\u007f-\\u009f]*\
    |\\.\\.[^/\\u0000-\\u001f\\u007f-\\u009f]+)$";

/// The description of this build's API.
pub fn document() -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0 OR MIT").build();
    let info = InfoBuilder::new()
        .title("KVS")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license));
    OpenApiBuilder::new().info(info).paths(paths()).components(Some(components())).build()
}

/// `GET /openapi.json`.
pub(super) fn serve(call: &Call) -> Answer {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
        // Plain strings: nothing in it can fail to be written.
        document().to_json().unwrap_or_default().into()
    });
    call.query.finish(&[])?;
    Ok(page::answer(describe::JSON, TEXT.clone()))
}

fn paths() -> Paths {
    let mut paths = Paths::new();
    for route in ROUTES {
        let operation = operation(route, route.operation.to_owned());
        add(&mut paths, &route.template(), method(&route.method), operation.clone());
        match route.endpoint {
            Endpoint::Prefix(sub, _) => {
                let id = format!("{}_of_root", route.operation);
                let of_root = without_prefix(self::operation(route, id));
                add(&mut paths, &format!("/kv/{sub}"), method(&route.method), of_root);
            }
            Endpoint::Key(None, _) if route.method == Method::GET => {
                add(&mut paths, &route.template(), HttpMethod::Head, head(operation));
            }
            _ => {}
        }
    }
    paths
}

fn add(paths: &mut Paths, path: &str, method: HttpMethod, operation: Operation) {
    let item = paths.paths.entry(path.to_owned()).or_default();
    item.merge_operations(PathItem::new(method, operation));
}

fn operation(route: &Route, id: String) -> Operation {
    let tag = match route.template() {
        path if path.starts_with("/kv/") => "keys",
        path if path.starts_with("/api/backup") => "node",
        path if path.starts_with("/api/") => "accounts",
        _ => "node",
    };
    let base = OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(route.summary))
        .tag(tag)
        .refuses(statuses(route));
    let placed = match route.endpoint {
        Endpoint::Fixed(..) => base,
        Endpoint::Key(..) => base.parameter(in_path("key", KEY)),
        Endpoint::Prefix(..) => base.parameter(in_path("prefix", PREFIX)),
        Endpoint::Named(path, _) => named(path)
            .fold(base, |operation, name| operation.parameter(in_path(name, "Which one."))),
    };
    let placed = match route.body {
        BodyRule::Ignored => placed,
        BodyRule::Value | BodyRule::Batch => placed.refuses(&[408, 413, 415]),
    };
    let operation = (route.describe)(placed);
    match route.access {
        Access::Public => operation.build(),
        // Some settings let callers without a token in.
        _ => operation.security(needs_token()).security(SecurityRequirement::default()).build(),
    }
}

fn needs_token() -> SecurityRequirement {
    let no_scopes: [&str; 0] = [];
    SecurityRequirement::new(TOKEN, no_scopes)
}

/// The problems that the frame around the handlers knows.
fn statuses(route: &Route) -> &'static [u16] {
    match route.access {
        Access::Public => &[400, 431, 500],
        Access::PublicInPart => &[400, 401, 429, 431, 500],
        Access::Keys(_) if route.changes() => &[400, 401, 403, 429, 431, 500, 503, 507],
        Access::Accounts(_) if route.changes() => &[400, 401, 403, 404, 429, 431, 500, 503, 507],
        Access::Known | Access::Accounts(_) => &[400, 401, 403, 404, 429, 431, 500, 503],
        Access::PublicIf(_) | Access::Keys(_) | Access::Reading(_) | Access::Admin(_) => {
            &[400, 401, 403, 429, 431, 500, 503]
        }
        Access::EachItem => &[400, 401, 403, 429, 431, 500, 503, 507],
    }
}

/// The names in a path.
fn named(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn in_path(name: &str, description: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(text_like(SEGMENT)))
        .description(Some(description))
}

fn without_prefix(mut operation: Operation) -> Operation {
    if let Some(parameters) = &mut operation.parameters {
        parameters.retain(|parameter| match parameter {
            RefOr::T(parameter) => parameter.parameter_in != ParameterIn::Path,
            RefOr::Ref(_) => true,
        });
    }
    operation
}

/// What `HEAD` answers where `GET` answers this.
fn head(mut operation: Operation) -> Operation {
    operation.operation_id = Some("head_value".to_owned());
    operation.summary = Some("What reading would answer, without the body".to_owned());
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(Described { content, .. }) = response {
            content.clear();
        }
    }
    operation
}

fn method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn components() -> Components {
    let mut schemas = Vec::new();
    schema::<api::Stored>(&mut schemas);
    schema::<api::Written>(&mut schemas);
    schema::<api::RestoreRequest>(&mut schemas);
    schema::<api::BatchRequest>(&mut schemas);
    schema::<api::BatchResponse>(&mut schemas);
    schema::<api::Metadata>(&mut schemas);
    schema::<api::MetadataPatch>(&mut schemas);
    schema::<api::Page<api::Revision>>(&mut schemas);
    schema::<api::Page<api::ListItem>>(&mut schemas);
    schema::<api::Page<api::TreeItem>>(&mut schemas);
    schema::<api::Page<api::Change>>(&mut schemas);
    schema::<api::NestedTree>(&mut schemas);
    schema::<api::More>(&mut schemas);
    schema::<api::Reset>(&mut schemas);
    schema::<api::Health>(&mut schemas);
    schema::<api::Members>(&mut schemas);
    schema::<api::ClusterStatus>(&mut schemas);
    schema::<api::Backups>(&mut schemas);
    schema::<api::BackupStarted>(&mut schemas);
    schema::<api::BackupStatus>(&mut schemas);
    schema::<api::AuditPage>(&mut schemas);
    schema::<api::AuditHead>(&mut schemas);
    schema::<api::ModeRequest>(&mut schemas);
    schema::<api::ForgetRequest>(&mut schemas);
    schema::<api::Drained>(&mut schemas);
    schema::<api::Page<api::User>>(&mut schemas);
    schema::<api::NewAccount>(&mut schemas);
    schema::<api::UserPatch>(&mut schemas);
    schema::<api::Page<api::Group>>(&mut schemas);
    schema::<api::GroupPatch>(&mut schemas);
    schema::<api::Page<api::GroupMember>>(&mut schemas);
    schema::<api::NewToken>(&mut schemas);
    schema::<api::CreatedToken>(&mut schemas);
    schema::<api::Page<api::Token>>(&mut schemas);
    schema::<api::Page<api::TokenKey>>(&mut schemas);
    schema::<api::RotateKeys>(&mut schemas);
    schema::<api::RotatedKeys>(&mut schemas);
    schema::<api::WhoAmI>(&mut schemas);
    schema::<api::Explanation>(&mut schemas);
    schema::<api::Problem>(&mut schemas);
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
    ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(TOKEN, SecurityScheme::Http(token.build()))
        .build()
}

type Schemas = Vec<(String, RefOr<utoipa::openapi::Schema>)>;

/// Adds a type and the types within it.
fn schema<T: ToSchema>(schemas: &mut Schemas) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}
