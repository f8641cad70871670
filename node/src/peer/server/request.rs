//! One request: whether it may be, its body, its answer.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, header};
use tokio_util::sync::CancellationToken;

use super::PeerServing;
use super::answer::{AnswerBody, Answers};
use crate::peer::{Callers, PeerCaller, PeerRole, PeerRoute, Refusal, RefusalReason};

/// What the requests of one connection have in common.
#[derive(Clone)]
pub(super) struct Requests {
    serving: PeerServing,
    caller: PeerCaller,
    leaving: CancellationToken,
}

/// A refusal by the transport, before the handler heard of the request.
struct Turned {
    reason: RefusalReason,
    status: u16,
    text: String,
}

impl Turned {
    fn new(reason: RefusalReason, status: u16, text: impl Into<String>) -> Self {
        Self { reason, status, text: text.into() }
    }
}

impl Requests {
    pub(super) const fn new(
        serving: PeerServing,
        caller: PeerCaller,
        leaving: CancellationToken,
    ) -> Self {
        Self { serving, caller, leaving }
    }

    pub(super) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Infallible> {
        let answers = Answers::new(&self.serving.figures, &self.caller, &self.leaving);
        Ok(match self.read(request).await {
            Ok((route, body)) => {
                self.serving.figures.answers(route);
                let answer = self.serving.handler.handle(self.caller.clone(), route, body).await;
                answers.of(route, answer)
            }
            Err(Turned { reason, status, text }) => {
                self.serving.figures.refuse(reason, self.caller.address, &text);
                answers.refused(None, &Refusal::new(status, reason.name(), text))
            }
        })
    }

    /// What is asked, if this caller may ask it.
    async fn read(&self, request: Request<Incoming>) -> Result<(PeerRoute, Bytes), Turned> {
        let route = route_of(&request)?;
        check(route, &self.caller)?;
        let body = self.body(route, request).await?;
        self.serving.figures.came_in(route, body.len());
        Ok((route, body))
    }

    async fn body(&self, route: PeerRoute, request: Request<Incoming>) -> Result<Bytes, Turned> {
        let limit = route.request_limit();
        if announced(&request).is_some_and(|length| length > limit as u64) {
            return Err(too_large(route));
        }
        let within = self.serving.limits.body;
        let collected = Limited::new(request.into_body(), limit).collect();
        match tokio::time::timeout(within, collected).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(route)),
            Ok(Err(error)) => Err(Turned::new(RefusalReason::BrokenOff, 400, error.to_string())),
            Err(_elapsed) => {
                let text = format!("the body of {} took over {within:?}", route.name());
                Err(Turned::new(RefusalReason::SlowBody, 408, text))
            }
        }
    }
}

/// Whether this caller may call the route.
fn check(route: PeerRoute, caller: &PeerCaller) -> Result<(), Turned> {
    let local = caller.address.ip().to_canonical().is_loopback();
    let allowed = match (route.callers(), &caller.role) {
        (Callers::ThisMachine, _) => local,
        (_, PeerRole::Nobody) => {
            let text = format!("{} needs a certificate of this cluster", route.name());
            return Err(Turned::new(RefusalReason::NoCertificate, 401, text));
        }
        (Callers::Nodes, role) => matches!(role, PeerRole::Node(_)),
        (Callers::Operator, role) => matches!(role, PeerRole::Operator(_)),
        (Callers::NodesAndOperator, _) => true,
    };
    let text = || format!("{} is not for {:?}", route.name(), caller.role);
    allowed.then_some(()).ok_or_else(|| Turned::new(RefusalReason::NotAllowed, 403, text()))
}

fn route_of(request: &Request<Incoming>) -> Result<PeerRoute, Turned> {
    let path = request.uri().path();
    let route = PeerRoute::at(path).filter(|_| request.method() == Method::POST);
    // The path is the other side's word: no more of it is repeated than a route could be long.
    let shown = || path.chars().take(64).collect::<String>();
    let text = || format!("no route {} {}", request.method(), shown().escape_debug());
    route.ok_or_else(|| Turned::new(RefusalReason::UnknownRoute, 404, text()))
}

fn announced(request: &Request<Incoming>) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(route: PeerRoute) -> Turned {
    let limit = route.request_limit();
    let text = format!("the body of {} is larger than {limit} bytes", route.name());
    Turned::new(RefusalReason::TooLarge, 413, text)
}

#[cfg(test)]
mod tests;
