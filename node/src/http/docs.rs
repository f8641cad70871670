//! The page that shows the API, all of it from this program: nothing is loaded from elsewhere.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use utoipa::openapi::path::OperationBuilder;
use utoipa_swagger_ui::Config;

use super::openapi::describe::{Describe as _, JSON, answer, anything, text};
use super::{Answer, Call, Problem, page};

pub(super) const SCRIPT: &str = "/docs/swagger-ui-bundle.js";
pub(super) const STYLE: &str = "/docs/swagger-ui.css";
pub(super) const START: &str = "/docs/start.js";

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>KVS API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"#;

const START_SCRIPT: &str = r##"SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
});
"##;

/// The viewer sets styles of elements and shows icons as data; all else is from here or not at all.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// `GET /docs`.
pub(super) fn page(call: &Call) -> Answer {
    file(call, "text/html; charset=utf-8", Bytes::from_static(PAGE.as_bytes()))
}

/// What starts the viewer.
pub(super) fn start(call: &Call) -> Answer {
    let text = Bytes::from_static(START_SCRIPT.as_bytes());
    file(call, "text/javascript; charset=utf-8", text)
}

/// The viewer.
pub(super) fn script(call: &Call) -> Answer {
    static FILE: LazyLock<Option<Bytes>> = LazyLock::new(|| vendored("swagger-ui-bundle.js"));
    file(call, "text/javascript; charset=utf-8", known(FILE.as_ref())?)
}

/// How the viewer looks.
pub(super) fn style(call: &Call) -> Answer {
    static FILE: LazyLock<Option<Bytes>> = LazyLock::new(|| vendored("swagger-ui.css"));
    file(call, "text/css; charset=utf-8", known(FILE.as_ref())?)
}

fn vendored(name: &str) -> Option<Bytes> {
    let file = utoipa_swagger_ui::serve(name, Arc::new(Config::from("/openapi.json"))).ok()??;
    Some(file.bytes.into_owned().into())
}

fn known(file: Option<&Bytes>) -> Result<Bytes, Problem> {
    file.cloned().ok_or_else(|| Problem::Internal("a file of the page is missing".to_owned()))
}

fn file(call: &Call, kind: &'static str, text: Bytes) -> Answer {
    call.query.finish(&[])?;
    let mut response = page::answer(kind, text);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

pub(super) fn describe_document(operation: OperationBuilder) -> OperationBuilder {
    operation.answers_with(200, answer("This description.", &[(JSON, anything())]))
}

pub(super) fn describe_page(operation: OperationBuilder) -> OperationBuilder {
    operation.answers_with(200, answer("The page.", &[("text/html", text().into())]))
}

pub(super) fn describe_script(operation: OperationBuilder) -> OperationBuilder {
    operation.answers_with(200, answer("The script.", &[("text/javascript", text().into())]))
}

pub(super) fn describe_style(operation: OperationBuilder) -> OperationBuilder {
    operation.answers_with(200, answer("The style sheet.", &[("text/css", text().into())]))
}
