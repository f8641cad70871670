//! Answers as HTTP responses.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::{Response, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::peer::messages::{encode, refusal_body};
use crate::peer::{PeerAnswer, PeerCaller, PeerFigures, PeerRoute, Refusal, RefusalReason};

pub(super) type AnswerBody = UnsyncBoxBody<Bytes, Infallible>;

type Messages = BoxStream<'static, Result<Bytes, Refusal>>;

/// Makes the responses of one request.
pub(super) struct Answers {
    figures: Arc<PeerFigures>,
    address: SocketAddr,
    leaving: CancellationToken,
}

impl Answers {
    pub(super) fn new(
        figures: &Arc<PeerFigures>,
        caller: &PeerCaller,
        leaving: &CancellationToken,
    ) -> Self {
        Self { figures: figures.clone(), address: caller.address, leaving: leaving.clone() }
    }

    /// The response of what the handler answered. What the route does not allow is refused here:
    /// the caller would not understand it.
    pub(super) fn of(self, route: PeerRoute, answer: PeerAnswer) -> Response<AnswerBody> {
        match answer {
            PeerAnswer::Bytes(bytes) if !route.streams() && bytes.len() <= route.answer_limit() => {
                self.bytes(Some(route), StatusCode::OK, bytes)
            }
            PeerAnswer::Stream(messages) if route.streams() => self.stream(route, messages),
            PeerAnswer::Refused(refusal) => {
                if (400..500).contains(&refusal.status) {
                    let detail = format_args!("{}: {}", route.name(), refusal.text);
                    self.figures.refuse(RefusalReason::Declined, self.address, detail);
                }
                self.refused(Some(route), &refusal)
            }
            answer => self.refused(Some(route), &unfit(route, &answer)),
        }
    }

    pub(super) fn refused(
        &self,
        route: Option<PeerRoute>,
        refusal: &Refusal,
    ) -> Response<AnswerBody> {
        let status = StatusCode::from_u16(refusal.status).unwrap_or_default();
        let is_one = status.is_client_error() || status.is_server_error();
        let status = if is_one { status } else { StatusCode::INTERNAL_SERVER_ERROR };
        self.bytes(route, status, refusal_body(refusal))
    }

    fn bytes(
        &self,
        route: Option<PeerRoute>,
        status: StatusCode,
        bytes: Bytes,
    ) -> Response<AnswerBody> {
        self.figures.went_out(route, bytes.len());
        with(status, Full::new(bytes).boxed_unsync())
    }

    fn stream(self, route: PeerRoute, messages: Messages) -> Response<AnswerBody> {
        let Self { figures, leaving, .. } = self;
        let frames =
            fitting(route, messages).take_until(leaving.cancelled_owned()).map(move |message| {
                let bytes = encode(&message);
                figures.went_out(Some(route), bytes.len());
                Ok(Frame::data(bytes))
            });
        with(StatusCode::OK, StreamBody::new(frames).boxed_unsync())
    }
}

/// The messages up to the first refusal; one that is too large becomes that.
fn fitting(
    route: PeerRoute,
    messages: Messages,
) -> impl futures_util::Stream<Item = Result<Bytes, Refusal>> + Send {
    let limit = route.answer_limit();
    let fit = move |message: Result<Bytes, Refusal>| match message {
        Ok(bytes) if bytes.len() > limit => Err(unfit(route, &PeerAnswer::Bytes(bytes))),
        message => message,
    };
    messages.map(fit).scan(false, |refused, message| {
        let before = std::mem::replace(refused, message.is_err());
        ready((!before).then_some(message))
    })
}

fn unfit(route: PeerRoute, answer: &PeerAnswer) -> Refusal {
    let name = route.name();
    tracing::error!(route = name, ?answer, "an answer does not fit its route");
    Refusal::new(500, "internal", format!("the answer does not fit the route {name}"))
}

fn with(status: StatusCode, body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
