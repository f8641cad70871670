//! The body of a list, written item by item up to the largest answer.

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde::Serialize;

use crate::records::Cursor;

/// What the end of an answer may take: a cursor holds a key or two, each below 1 KiB, in base64.
pub(super) const END: usize = 8 << 10;

/// Items as they are gathered.
#[derive(Debug)]
pub(super) struct PageBody {
    text: Vec<u8>,
    count: usize,
    /// How long the items may become together.
    room: usize,
}

impl PageBody {
    /// An empty list of at most `answer_size` bytes.
    pub(super) fn new(answer_size: usize) -> Self {
        Self { text: br#"{"items":["#.to_vec(), count: 0, room: answer_size.saturating_sub(END) }
    }

    /// Adds an item, unless that would make the answer too large. The first one always fits: a
    /// list that cannot go on would never end.
    pub(super) fn add(&mut self, item: &[u8]) -> bool {
        let fits = self.count == 0 || self.text.len() + 1 + item.len() <= self.room;
        if fits {
            self.force(item);
        }
        fits
    }

    /// Adds an item as JSON, unless that would make the answer too large.
    pub(super) fn add_json(&mut self, item: &impl Serialize) -> bool {
        self.add(&json(item))
    }

    /// Adds an item that the one before it cannot be without.
    pub(super) fn force_json(&mut self, item: &impl Serialize) {
        self.force(&json(item));
    }

    fn force(&mut self, item: &[u8]) {
        if self.count > 0 {
            self.text.push(b',');
        }
        self.text.extend_from_slice(item);
        self.count += 1;
    }

    /// The whole answer, with the cursor of the next page.
    pub(super) fn finish(self, next: Option<&impl Cursor>) -> Vec<u8> {
        let mut text = self.text;
        text.extend_from_slice(br#"],"next":"#);
        push_cursor(&mut text, next);
        text.push(b'}');
        text
    }

    /// The whole answer of a list that can be polled: beside `next` it says where to go on once
    /// more has happened.
    pub(super) fn finish_at(self, next: Option<&impl Cursor>, cursor: &impl Cursor) -> Vec<u8> {
        let mut text = self.finish(next);
        text.pop();
        text.extend_from_slice(br#","cursor":"#);
        push_cursor(&mut text, Some(cursor));
        text.push(b'}');
        text
    }
}

fn json(item: &impl Serialize) -> Vec<u8> {
    // Plain strings and numbers: nothing in an item can fail to be written.
    serde_json::to_vec(item).unwrap_or_default()
}

/// Cursors are base64, which JSON strings hold as it is.
fn push_cursor(text: &mut Vec<u8>, cursor: Option<&impl Cursor>) {
    match cursor {
        None => text.extend_from_slice(b"null"),
        Some(cursor) => text.extend_from_slice(format!("\"{}\"", cursor.to_text()).as_bytes()),
    }
}

/// An answer of that type.
pub(super) fn answer(content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::ListPosition;
    use kvs_core::Key;

    #[test]
    fn items_are_separated_and_the_end_says_whether_there_is_more() {
        let mut page = PageBody::new(1 << 20);
        assert!(page.add(b"1") && page.add(b"2"));
        let end = page.finish(None::<&ListPosition>);
        assert_eq!(String::from_utf8(end).unwrap(), r#"{"items":[1,2],"next":null}"#);

        let position = ListPosition::past(&Key::client("a").unwrap());
        let end = PageBody::new(0).finish_at(None::<&ListPosition>, &position);
        let expected = format!(r#"{{"items":[],"next":null,"cursor":"{}"}}"#, position.to_text());
        assert_eq!(String::from_utf8(end).unwrap(), expected);
    }

    #[test]
    fn an_answer_is_filled_to_the_brim_and_not_beyond_but_holds_one_item_at_least() {
        let room = br#"{"items":[1,2"#.len();
        let mut page = PageBody::new(END + room);
        assert!(page.add(b"1") && page.add(b"2") && !page.add(b"3"));
        let mut page = PageBody::new(END + room - 1);
        assert!(page.add(b"1") && !page.add(b"2"));
        assert!(PageBody::new(0).add(b"12345"));
    }
}
