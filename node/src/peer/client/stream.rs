//! A stream of messages from a node.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use hyper::body::{Body as _, Incoming};

use super::link::Held;
use crate::peer::messages::decode;
use crate::peer::{PeerError, PeerFigures, PeerRoute};

/// Messages from a node, each as it was sent. It ends after an error, and without one when the other
/// side ended it. Dropping it tells the other side to stop.
pub struct PeerStream {
    body: Incoming,
    buffer: BytesMut,
    route: PeerRoute,
    figures: Arc<PeerFigures>,
    held: Arc<Held>,
    ended: bool,
}

impl PeerStream {
    pub(super) fn new(
        body: Incoming,
        route: PeerRoute,
        figures: Arc<PeerFigures>,
        held: Arc<Held>,
    ) -> Self {
        Self { body, buffer: BytesMut::new(), route, figures, held, ended: false }
    }

    fn poll_message(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, PeerError>>> {
        loop {
            if let Some(message) = decode(&mut self.buffer, self.route.answer_limit()).transpose() {
                return Poll::Ready(Some(message));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => self.take(&frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Poll::Ready(Some(Err(self.held.closed(&error)))),
                None if self.buffer.is_empty() => return Poll::Ready(None),
                None => {
                    let reason = "a stream ended within a message".to_owned();
                    return Poll::Ready(Some(Err(PeerError::Malformed(reason))));
                }
            }
        }
    }

    fn take(&mut self, data: &Bytes) {
        self.figures.came_in(self.route, data.len());
        self.buffer.extend_from_slice(data);
    }
}

impl Stream for PeerStream {
    type Item = Result<Bytes, PeerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_message(context));
        self.ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}

impl fmt::Debug for PeerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerStream").field("ended", &self.ended).finish_non_exhaustive()
    }
}
