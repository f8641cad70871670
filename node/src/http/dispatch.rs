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
use percent_encoding::percent_decode_str;

use super::gate::{Door, Shown};
use super::query::Query;
use super::route::Answering;
use super::shared::{Peer, Shared};
use super::unread::Unread;
use super::witness::Asked;
use super::{Answer, BodyRule, Call, Endpoint, Problem, ROUTES, Route, gate, here, mode, rate};
use crate::accounts::Certificate;
use crate::caller::Caller;
use crate::node::Node;
use crate::time::monotonic;

/// What the requests of one connection share; most of it with those of all others.
#[derive(Clone, Debug)]
pub struct App {
    node: Arc<Node>,
    shared: Arc<Shared>,
    door: Door,
    /// Whether requests come by a proxy that is believed.
    by_proxy: bool,
    /// What the client showed of itself when its connection began.
    certificate: Option<Arc<Certificate>>,
}

impl App {
    /// The state of a node's API.
    pub fn new(node: Arc<Node>) -> Self {
        let shared = Arc::new(Shared::new(node.settings()));
        Self {
            node,
            shared,
            door: Door::Network(Peer::default()),
            by_proxy: false,
            certificate: None,
        }
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
        let by_proxy = self.shared.proxies.iter().any(|proxy| proxy.has(peer));
        Self { door: Door::Network(peer.into()), by_proxy, ..self }
    }

    /// The same for requests of a client that showed this certificate.
    #[must_use]
    pub fn from_client(self, certificate: Option<Certificate>) -> Self {
        Self { certificate: certificate.map(Arc::new), ..self }
    }

    /// The same for requests that come by the socket that only the owner of the data can open.
    #[must_use]
    pub fn from_owner(self) -> Self {
        Self { door: Door::Socket, ..self }
    }

    /// The same for one request, which may come from somewhere else than its connection.
    fn of_request(mut self, headers: &HeaderMap) -> Self {
        let origin = || rate::origin(&self.shared.proxies, headers);
        // Whoever calls from elsewhere does not hand on what comes from this machine.
        let possible = |from: &Peer| !from.is_here() || self.door.peer().is_here();
        if let Some(peer) = self.by_proxy.then(origin).flatten().filter(possible) {
            self.door = Door::Network(peer);
        }
        self
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
    let app = app.of_request(request.headers());
    let (started, shared, node) = (monotonic(), app.shared.clone(), app.node.clone());
    let (request, mut body) = request.into_parts();
    let (unread, head) = (Unread::of(&request), request.method == Method::HEAD);
    let mut asked = Asked::of(app.door.peer(), &request.uri);
    let answer = answer(app, request, &mut body, &mut asked).await;
    if let Some(act) = asked.note(&node, &shared, &answer) {
        // It is on disk before its answer. If it cannot be, that is counted and said, and undoes
        // nothing.
        let _ = node.audit().record_durably(act).await;
    }
    let mut response = answer.unwrap_or_else(|problem| problem.answer());
    if let Some(standing) = &asked.standing {
        rate::tell(standing, response.headers_mut());
    }
    if head {
        leave_out_body(&mut response);
    }
    shared.metrics.note(asked.route, response.status(), started.elapsed());
    unread.settle(&mut body, &mut response).await;
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

async fn answer(app: App, head: Parts, body: &mut Body, asked: &mut Asked) -> Answer {
    let Parts { method, uri, headers, .. } = head;
    let place = Place::of(uri.path())?;
    let route = *asked.route.insert(place.route(&method)?);
    check_headers(&headers, app.settings().limits.header_size.as_len())?;
    let certificate = app.certificate.clone();
    let (certificate, host) = (certificate.as_deref(), here::host(&uri, &headers));
    let shown = Shown { door: app.door, certificate, host, headers: &headers };
    let caller = gate::identify(&app.node, route, &shown)
        .await
        .inspect_err(|problem| rate::note_failure(&app.node, app.door, problem))?;
    asked.by(&app.node, &caller);
    asked.standing = rate::take(&app.node, app.door, route, &caller)?;
    let target = place.target(route)?;
    gate::check(&app.node, route, &caller, &shown, target.key())?;
    asked.admitted = true;
    mode::check(&app.node, route)?;
    let body = match route.body {
        BodyRule::Ignored => Bytes::new(),
        rule => read_body_in_time(rule, app.node.settings(), body).await?,
    };
    let query = Query::parse(uri.query().unwrap_or_default())?;
    target.call(call(app, caller, query, headers, body)).await
}

/// The connection refuses headers that are far too large before they are all read. Here their size
/// is checked to the byte, as HTTP/1.1 writes them: a colon, a space and a line's end for each.
fn check_headers(headers: &HeaderMap, limit: usize) -> Result<(), Problem> {
    let size: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > limit { Err(Problem::HeadersTooLarge(limit)) } else { Ok(()) }
}

fn call(app: App, caller: Caller, query: Query, headers: HeaderMap, body: Bytes) -> Call {
    let App { node, shared, door, .. } = app;
    Call { node, caller, query, headers, body, peer: door.peer(), shared }
}

/// What is to be called, with what the path says.
enum Target {
    Fixed(fn(Call) -> Answering),
    Key(fn(Call, Key) -> Answering, Key),
    Prefix(fn(Call, Prefix) -> Answering, Prefix),
    Named(fn(Call, Vec<String>) -> Answering, Vec<String>),
}

impl Target {
    const fn key(&self) -> Option<&Key> {
        match self {
            Self::Key(_, key) => Some(key),
            _ => None,
        }
    }

    fn call(self, call: Call) -> Answering {
        match self {
            Self::Fixed(handler) => handler(call),
            Self::Key(handler, key) => handler(call, key),
            Self::Prefix(handler, prefix) => handler(call, prefix),
            Self::Named(handler, names) => handler(call, names),
        }
    }
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
                (_, true) => Problem::NoRoute,
            }
        })
    }

    fn is_at(&self, route: &Route) -> bool {
        match (self, route.endpoint) {
            (Self::Fixed(path), Endpoint::Fixed(at, _)) => *path == at,
            (Self::Fixed(path), Endpoint::Named(template, _)) => names(template, path).is_some(),
            (Self::Key(_), Endpoint::Key(None, _)) => true,
            (Self::Sub(_, name), Endpoint::Key(Some(sub), _) | Endpoint::Prefix(sub, _)) => {
                *name == sub
            }
            _ => false,
        }
    }

    fn target(&self, route: &Route) -> Result<Target, Problem> {
        match (route.endpoint, self) {
            (Endpoint::Fixed(_, handler), _) => Ok(Target::Fixed(handler)),
            (Endpoint::Key(_, handler), Self::Key(path) | Self::Sub(path, _)) => {
                Ok(Target::Key(handler, Key::from_url_path(path)?))
            }
            (Endpoint::Prefix(_, handler), Self::Sub(path, _)) => {
                Ok(Target::Prefix(handler, prefix(path)?))
            }
            (Endpoint::Named(template, handler), Self::Fixed(path)) => {
                Ok(Target::Named(handler, names(template, path).ok_or(Problem::NoRoute)?))
            }
            (Endpoint::Key(..) | Endpoint::Prefix(..) | Endpoint::Named(..), _) => {
                Err(Problem::NoRoute)
            }
        }
    }
}

/// The names in a path, if it is as the template says.
fn names(template: &str, path: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut given = path.split('/');
    for wanted in template.split('/') {
        let given = given.next()?;
        if wanted.starts_with('{') {
            let name = percent_decode_str(given).decode_utf8().ok()?;
            found.push(Some(name.into_owned()).filter(|name| !name.is_empty())?);
        } else if wanted != given {
            return None;
        }
    }
    given.next().is_none().then_some(found)
}

/// `HEAD` is allowed wherever `GET` is.
fn with_head(mut methods: Vec<&'static str>) -> Vec<&'static str> {
    if let Some(at) = methods.iter().position(|method| *method == Method::GET.as_str()) {
        methods.insert(at + 1, Method::HEAD.as_str());
    }
    methods
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
    body: &mut Body,
) -> Result<Bytes, Problem> {
    let bounded = settings.limits.request_timeout.into();
    let body = tokio::time::timeout(bounded, read_body(rule, settings, body));
    body.await.map_err(|_late| Problem::TooSlow(bounded))?
}

async fn read_body(rule: BodyRule, settings: &Settings, body: &mut Body) -> Result<Bytes, Problem> {
    let (what, limit) = match rule {
        BodyRule::Ignored => return Ok(Bytes::new()),
        BodyRule::Value => ("value", settings.limits.value_size.as_len()),
        BodyRule::Batch => ("batch", settings.limits.batch_size.as_len()),
    };
    let too_large = || Problem::TooLarge { what, limit };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
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
