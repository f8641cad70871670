//! Which web pages may call the node from a browser.

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::http::RATE_HEADERS;

/// What answers the browser's questions; nothing if no page may call.
pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(allowed(origins))
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::PUT,
            Method::PATCH,
            Method::POST,
            Method::DELETE,
        ])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            HeaderName::from_static("kvs-ttl"),
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers(exposed());
    Some(layer)
}

/// What pages may read of an answer's headers.
fn exposed() -> Vec<HeaderName> {
    let mut exposed = vec![header::ETAG, header::LAST_MODIFIED, header::RETRY_AFTER];
    exposed.extend(RATE_HEADERS);
    exposed
}

fn allowed(origins: &[String]) -> AllowOrigin {
    if origins.iter().any(|origin| origin == "*") {
        return AllowOrigin::any();
    }
    // What no header could carry no browser can send: it allows nobody.
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    AllowOrigin::list(origins)
}
