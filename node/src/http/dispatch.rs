//! From a request to the handler of its route.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body_util::BodyExt as _;
use kvs_config::Settings;
use kvs_core::{Key, KeyError, Prefix};

use super::query::Query;
use super::route::Answering;
use super::shared::{Peer, Shared};
use super::{Answer, BodyRule, Call, Endpoint, Problem, ROUTES, Route, here, mode};
use crate::caller::Caller;
use crate::node::Node;
use crate::time::monotonic;

/// What the requests of one connection share; most of it with those of all others.
#[derive(Clone, Debug)]
pub struct App {
    node: Arc<Node>,
    shared: Arc<Shared>,
    peer: Peer,
}

impl App {
    /// The state of a node's API.
    pub fn new(node: Arc<Node>) -> Self {
        let shared = Arc::new(Shared::new(&node.settings().limits));
        Self { node, shared, peer: Peer::default() }
    }

    /// The same, known to answer at `address`.
    #[must_use]
    pub fn at(self, address: SocketAddr) -> Self {
        self.shared.address.get_or_init(|| address);
        self
    }

    /// The same for requests that come from `peer`.
    #[must_use]
    pub fn from_peer(self, peer: IpAddr) -> Self {
        Self { peer: peer.into(), ..self }
    }

    /// The node that answers.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The node's settings.
    pub fn settings(&self) -> &Settings {
        self.node.settings()
    }
}

/// The API as a service that layers can be put around. The table is asked by [`respond`] and not by
/// the framework's router, which cannot have `/kv/{key}` of many segments beside `/kv/{prefix}/_ls`.
pub fn router(app: App) -> Router {
    Router::new().fallback(|State(app), request| respond(app, request)).with_state(app)
}

/// Answers a request, whatever it asks.
pub async fn respond(app: App, request: Request) -> Response<Body> {
    let (started, shared) = (monotonic(), app.shared.clone());
    let head = request.method() == Method::HEAD;
    let mut route = None;
    let answer = answer(app, request, &mut route).await;
    let mut response = answer.unwrap_or_else(|problem| problem.answer());
    if head {
        leave_out_body(&mut response);
    }
    shared.metrics.note(route, response.status(), started.elapsed());
    response
}

/// `HEAD` is told how long the body would be, and does not get it.
fn leave_out_body(response: &mut Response<Body>) {
    let length = response.body().size_hint().exact().map(HeaderValue::from);
    if let Some(length) = length {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(length);
    }
    *response.body_mut() = Body::empty();
}

async fn answer(app: App, request: Request, found: &mut Option<&'static Route>) -> Answer {
    let (Parts { method, uri, headers, .. }, body) = request.into_parts();
    let place = Place::of(uri.path())?;
    let route = *found.insert(place.route(&method)?);
    check_headers(&headers, app.settings().limits.header_size.as_len())?;
    here::check(route, app.peer, &headers)?;
    mode::check(&app.node, route)?;
    let body = match route.body {
        BodyRule::Ignored => Bytes::new(),
        rule => read_body_in_time(rule, app.node.settings(), body).await?,
    };
    let query = Query::parse(uri.query().unwrap_or_default())?;
    place.call(route, call(app, query, headers, body))?.await
}

/// The connection refuses headers that are far too large before they are all read. Here their size
/// is checked to the byte, as HTTP/1.1 writes them: a colon, a space and a line's end for each.
fn check_headers(headers: &HeaderMap, limit: usize) -> Result<(), Problem> {
    let size: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > limit { Err(Problem::HeadersTooLarge(limit)) } else { Ok(()) }
}

fn call(app: App, query: Query, headers: HeaderMap, body: Bytes) -> Call {
    let App { node, shared, peer } = app;
    // Everybody is anonymous until there are accounts.
    Call { node, caller: Caller::anonymous(), query, headers, body, peer, shared }
}

/// Where a path leads.
enum Place<'a> {
    Fixed(&'a str),
    Key(&'a str),
    /// What comes before a sub-resource, and its name.
    Sub(&'a str, &'a str),
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Result<Self, Problem> {
        let Some(rest) = path.strip_prefix("/kv/") else {
            return if path == "/kv" { Err(KeyError::Empty.into()) } else { Ok(Self::Fixed(path)) };
        };
        if ROUTES.iter().any(|route| matches!(route.endpoint, Endpoint::Fixed(at, _) if at == path))
        {
            return Ok(Self::Fixed(path));
        }
        let (above, last) = rest.rsplit_once('/').unwrap_or(("", rest));
        Ok(if is_sub_resource(last) { Self::Sub(above, last) } else { Self::Key(rest) })
    }

    /// The row for this place and method. A `HEAD` goes where `GET` does.
    fn route(&self, method: &Method) -> Result<&'static Route, Problem> {
        let here = || ROUTES.iter().filter(|route| self.is_at(route));
        let of = |method: &Method| here().find(|route| route.method == *method);
        let instead = (*method == Method::HEAD).then(|| of(&Method::GET)).flatten();
        of(method).or(instead).ok_or_else(|| {
            let allowed: Vec<&'static str> = here().map(|route| route.method.as_str()).collect();
            match (self, allowed.is_empty()) {
                (_, false) => Problem::Method(with_head(allowed).join(", ")),
                (Self::Fixed(path), true) => missing(path),
                (_, true) => Problem::NoRoute,
            }
        })
    }

    fn is_at(&self, route: &Route) -> bool {
        match (self, route.endpoint) {
            (Self::Fixed(path), Endpoint::Fixed(at, _)) => *path == at,
            (Self::Fixed(path), Endpoint::Named(at, _)) => name_below(path, at).is_some(),
            (Self::Key(_), Endpoint::Key(None, _)) => true,
            (Self::Sub(_, name), Endpoint::Key(Some(sub), _) | Endpoint::Prefix(sub, _)) => {
                *name == sub
            }
            _ => false,
        }
    }

    fn call(&self, route: &Route, call: Call) -> Result<Answering, Problem> {
        match (route.endpoint, self) {
            (Endpoint::Fixed(_, handler), _) => Ok(handler(call)),
            (Endpoint::Named(at, handler), Self::Fixed(path)) => {
                Ok(handler(call, name_below(path, at).unwrap_or_default().to_owned()))
            }
            (Endpoint::Key(_, handler), Self::Key(path) | Self::Sub(path, _)) => {
                Ok(handler(call, Key::from_url_path(path)?))
            }
            (Endpoint::Prefix(_, handler), Self::Sub(path, _)) => Ok(handler(call, prefix(path)?)),
            (Endpoint::Named(..) | Endpoint::Key(..) | Endpoint::Prefix(..), _) => {
                Err(Problem::NoRoute)
            }
        }
    }
}

/// The one segment that follows a path and a slash, as it stands in the URL; nothing if that is not
/// what follows.
fn name_below<'a>(path: &'a str, at: &str) -> Option<&'a str> {
    let name = path.strip_prefix(at)?.strip_prefix('/')?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// `HEAD` is allowed wherever `GET` is.
fn with_head(mut methods: Vec<&'static str>) -> Vec<&'static str> {
    if let Some(at) = methods.iter().position(|method| *method == Method::GET.as_str()) {
        methods.insert(at + 1, Method::HEAD.as_str());
    }
    methods
}

/// Routes of features that are off, and the settings that switch them.
const SWITCHED: [(&str, &str); 6] = [
    ("/api/users", "auth_enabled"),
    ("/api/groups", "auth_enabled"),
    ("/api/tokens", "auth_enabled"),
    ("/api/whoami", "auth_enabled"),
    ("/api/explain", "auth_enabled"),
    ("/api/audit", "tamper_logging_enabled"),
];

/// Why nothing is at `path`.
fn missing(path: &str) -> Problem {
    let below = |at: &str| {
        path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match SWITCHED.iter().find(|(at, _)| below(at)) {
        Some((_, switch)) => Problem::SwitchedOff { switch },
        None => Problem::NoRoute,
    }
}

fn is_sub_resource(name: &str) -> bool {
    ROUTES.iter().any(|route| match route.endpoint {
        Endpoint::Key(Some(sub), _) | Endpoint::Prefix(sub, _) => name == sub,
        _ => false,
    })
}

fn prefix(path: &str) -> Result<Prefix, KeyError> {
    if path.is_empty() { Ok(Prefix::Root) } else { Key::from_url_path(path).map(Prefix::Under) }
}

async fn read_body_in_time(
    rule: BodyRule,
    settings: &Settings,
    body: Body,
) -> Result<Bytes, Problem> {
    let bounded = settings.limits.request_timeout.into();
    let body = tokio::time::timeout(bounded, read_body(rule, settings, body));
    body.await.map_err(|_late| Problem::TooSlow(bounded))?
}

async fn read_body(rule: BodyRule, settings: &Settings, body: Body) -> Result<Bytes, Problem> {
    let (what, limit) = match rule {
        BodyRule::Ignored => return Ok(Bytes::new()),
        BodyRule::Value => ("value", settings.limits.value_size.as_len()),
        BodyRule::Batch => ("batch", settings.limits.batch_size.as_len()),
    };
    let too_large = || Problem::TooLarge { what, limit };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut body = body;
    let mut whole = Whole::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_error| Problem::BodyBrokeOff)?;
        if let Ok(data) = frame.into_data() {
            whole.add(data);
        }
        if whole.len() > limit {
            return Err(too_large());
        }
    }
    Ok(whole.into_bytes())
}

/// A body as it arrives: not copied if it comes in one piece, as small ones do.
#[derive(Default)]
struct Whole {
    first: Bytes,
    rest: BytesMut,
}

impl Whole {
    fn add(&mut self, data: Bytes) {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = data;
        } else {
            if self.rest.is_empty() {
                self.rest.extend_from_slice(&std::mem::take(&mut self.first));
            }
            self.rest.extend_from_slice(&data);
        }
    }

    fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    fn into_bytes(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}
