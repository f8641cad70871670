//! Server-sent events: from bytes as they come to events (the HTML standard, section 9.2.6).

use bytes::{Buf as _, BytesMut};

#[cfg(test)]
mod tests;

/// How long one line may be, in bytes. An event of this API is a few kibibytes: keys have 1 KiB.
const MAX_LINE: usize = 64 * 1024;
/// How much data one event may have, in bytes.
const MAX_DATA: usize = 1024 * 1024;
/// What may stand before the first line, and means nothing.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name; `message` where it has none.
    pub(crate) name: String,
    /// Its data, lines joined by line feeds.
    pub(crate) data: String,
}

/// Why a stream cannot be read on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    #[error("a line of the event stream is longer than {MAX_LINE} bytes")]
    LineTooLong,
    #[error("an event has more than {MAX_DATA} bytes of data")]
    EventTooLong,
}

/// Reads events from chunks of bytes, wherever these are cut.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
    started: bool,
    /// A carriage return ended the last line, so a line feed now belongs to it.
    after_return: bool,
    name: String,
    data: String,
    id: Option<String>,
    last_id: Option<String>,
}

impl Parser {
    /// Takes in what was received.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next complete event; `None` until more is received.
    pub(crate) fn pop(&mut self) -> Result<Option<Event>, SseError> {
        while let Some(line) = self.line()? {
            if line.is_empty() {
                if let Some(event) = self.dispatch() {
                    return Ok(Some(event));
                }
            } else {
                self.field(&String::from_utf8_lossy(&line))?;
            }
        }
        Ok(None)
    }

    /// The id of the last complete block that had one, if it was not taken before.
    pub(crate) fn take_id(&mut self) -> Option<String> {
        self.last_id.take()
    }

    fn line(&mut self) -> Result<Option<BytesMut>, SseError> {
        self.skip_line_feed();
        let rest = &self.buffer[self.searched..];
        let Some(found) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.searched = self.buffer.len();
            return bounded(self.searched).map(|()| None);
        };
        let end = self.searched + found;
        bounded(end)?;
        let mut line = self.buffer.split_to(end);
        self.after_return = self.buffer.get_u8() == b'\r';
        self.searched = 0;
        self.strip_mark(&mut line);
        Ok(Some(line))
    }

    fn skip_line_feed(&mut self) {
        if self.after_return && !self.buffer.is_empty() {
            self.after_return = false;
            if self.buffer[0] == b'\n' {
                self.buffer.advance(1);
            }
        }
    }

    fn strip_mark(&mut self, line: &mut BytesMut) {
        if !self.started && line.starts_with(BYTE_ORDER_MARK) {
            line.advance(BYTE_ORDER_MARK.len());
        }
        self.started = true;
    }

    /// A comment has an empty name and is ignored, as is `retry`: when to come back is decided by
    /// whoever holds the stream.
    fn field(&mut self, line: &str) -> Result<(), SseError> {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.name),
            "data" => self.add_data(value)?,
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn add_data(&mut self, value: &str) -> Result<(), SseError> {
        self.data.push_str(value);
        self.data.push('\n');
        if self.data.len() > MAX_DATA { Err(SseError::EventTooLong) } else { Ok(()) }
    }

    /// Ends a block: an event if it had data.
    fn dispatch(&mut self) -> Option<Event> {
        if let Some(id) = self.id.take() {
            // An empty id takes the last one back.
            self.last_id = (!id.is_empty()).then_some(id);
        }
        let (name, mut data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        // The line feed behind the last line is not part of the data.
        data.pop()?;
        let name = if name.is_empty() { "message".to_owned() } else { name };
        Some(Event { name, data })
    }
}

fn bounded(length: usize) -> Result<(), SseError> {
    if length > MAX_LINE { Err(SseError::LineTooLong) } else { Ok(()) }
}
