//! Watching a prefix: the stream of its changes, and how to go on after a break.

use std::fmt;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use reqwest::{Method, Url, header::ACCEPT};

use super::{Client, content_type};
use crate::{
    Change, ClientError, Reset,
    sse::{Event, Parser},
};

/// The content type of a stream of server-sent events.
const EVENT_STREAM: &str = "text/event-stream";

/// What a watched prefix tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// Something changed.
    Change(Change),
    /// The node does not know where the watch stood, for example because its store is another one
    /// now. Changes may have been missed: read the prefix again, then go on.
    Reset(Reset),
}

/// An open stream of changes below a prefix.
///
/// When it ends or breaks, [`Watch::reconnect`] goes on after the last event, at this node or at
/// the restarted one; when to try, and how often, is the caller's choice.
pub struct Watch {
    client: Client,
    url: Url,
    cursor: Option<String>,
    parser: Parser,
    chunks: BoxStream<'static, reqwest::Result<Bytes>>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, cursor, .. } = self;
        f.debug_struct("Watch").field("url", &url.as_str()).field("cursor", cursor).finish()
    }
}

impl Client {
    /// Watches a prefix, from `cursor` on, or from now on without one. An empty prefix is the root.
    ///
    /// # Errors
    /// [`ClientError::Problem`] where the caller may not read, or too many streams are open.
    pub async fn watch(&self, prefix: &str, cursor: Option<&str>) -> Result<Watch, ClientError> {
        let url = self.below_url(prefix, "_changes")?;
        let cursor = cursor.map(str::to_owned);
        let chunks = self.open(&url, cursor.as_deref()).await?;
        Ok(Watch { client: self.clone(), url, cursor, parser: Parser::default(), chunks })
    }

    async fn open(
        &self,
        url: &Url,
        cursor: Option<&str>,
    ) -> Result<BoxStream<'static, reqwest::Result<Bytes>>, ClientError> {
        let mut request = self.request(Method::GET, url.clone()).header(ACCEPT, EVENT_STREAM);
        if let Some(cursor) = cursor {
            request = request.header("last-event-id", cursor);
        }
        let answer = self.send(request).await?;
        match content_type(&answer) {
            Some(kind) if kind.starts_with(EVENT_STREAM) => Ok(answer.bytes_stream().boxed()),
            other => {
                let detail = format!("{EVENT_STREAM} was asked for, {other:?} came");
                Err(ClientError::unexpected(url.clone(), answer.status().as_u16(), detail))
            }
        }
    }
}

impl Watch {
    /// Where the watch stands: what to pass to [`Client::watch`] to go on later. `None` until the
    /// node has named a place.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The next event; `None` once the node has ended the stream. An event that was being received
    /// when the stream broke is not lost: it comes again after [`Watch::reconnect`].
    ///
    /// # Errors
    /// [`ClientError::Interrupted`] when the connection breaks or falls silent, and
    /// [`ClientError::UnexpectedAnswer`] for an event that is not one of this API.
    pub async fn next(&mut self) -> Option<Result<WatchEvent, ClientError>> {
        loop {
            match self.parse() {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {}
                Err(detail) => return Some(Err(self.unexpected(detail))),
            }
            match self.chunks.next().await? {
                Ok(chunk) => self.parser.push(&chunk),
                Err(error) => {
                    return Some(Err(ClientError::transport(self.url.clone(), error)));
                }
            }
        }
    }

    /// Opens the stream again, after the last event seen.
    ///
    /// # Errors
    /// As [`Client::watch`]; the watch can be reconnected later.
    pub async fn reconnect(&mut self) -> Result<(), ClientError> {
        self.chunks = self.client.open(&self.url, self.cursor.as_deref()).await?;
        self.parser = Parser::default();
        Ok(())
    }

    /// The next complete event that was received, if any. Events of unknown names are passed over:
    /// a newer node may have more to tell.
    fn parse(&mut self) -> Result<Option<WatchEvent>, String> {
        while let Some(event) = self.parser.pop().map_err(|error| error.to_string())? {
            let known = read(&event).map_err(|error| error.to_string())?;
            self.advance(known.as_ref());
            if known.is_some() {
                return Ok(known);
            }
        }
        self.advance(None);
        Ok(None)
    }

    /// Moves the cursor: to the event's own, or to the id of a block without a change, by which the
    /// node says how far it has looked.
    fn advance(&mut self, event: Option<&WatchEvent>) {
        let id = self.parser.take_id();
        self.cursor = event.map(cursor).or(id).or_else(|| self.cursor.take());
    }

    fn unexpected(&self, detail: String) -> ClientError {
        ClientError::unexpected(self.url.clone(), 200, detail)
    }
}

fn read(event: &Event) -> Result<Option<WatchEvent>, serde_json::Error> {
    match event.name.as_str() {
        "put" | "delete" | "expire" | "metadata" => {
            serde_json::from_str(&event.data).map(|change| Some(WatchEvent::Change(change)))
        }
        "reset" => serde_json::from_str(&event.data).map(|reset| Some(WatchEvent::Reset(reset))),
        _ => Ok(None),
    }
}

fn cursor(event: &WatchEvent) -> String {
    match event {
        WatchEvent::Change(change) => change.cursor.clone(),
        WatchEvent::Reset(reset) => reset.cursor.clone(),
    }
}
