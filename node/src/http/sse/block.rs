//! Blocks of the event stream format.

use serde::Serialize;

use crate::http::changes;
use crate::records::{Change, Cursor as _, Position};

/// A block without an event: it tells the reader how far the node has looked.
pub(super) fn at(position: &Position) -> String {
    format!("id: {}\n\n", position.to_text())
}

/// The same with a comment: it keeps the connection from looking dead.
pub(super) fn heartbeat(position: &Position) -> String {
    format!(": still here\n{}", at(position))
}

/// An event whose data is one line of JSON.
pub(super) fn event(name: &str, position: &Position, data: &impl Serialize) -> String {
    // Plain strings and numbers, whose line feeds JSON escapes.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\nid: {}\ndata: {data}\n\n", position.to_text())
}

/// A change as an event.
pub(super) fn change(change: &Change<Position>) -> String {
    event(change.operation.name(), &change.position, &changes::view(change))
}

/// The last block of a reader that was cut off.
pub(super) fn cut_off(position: &Position, backlog: usize) -> String {
    format!(
        ": more than {backlog} bytes were waiting for this reader; come back with this id\n{}",
        at(position)
    )
}
