//! Values as objects within objects, a level for each segment of their keys.

use kvs_core::Key;

use super::rendered::{Rendered, quoted};

/// The name of a key's own value where keys lie below it too; no segment can have it.
const OWN_VALUE: &str = "_value";

/// A tree that is written as its keys come: in their order, so that whatever lies below a key
/// follows it at once.
pub(super) struct Nested {
    text: Vec<u8>,
    /// How many segments of each key the tree leaves out.
    skip: usize,
    /// The segments of the objects that are open.
    open: Vec<String>,
    /// A value that is a leaf unless the next key lies below it: its segments and its text.
    pending: Option<(Vec<String>, Vec<u8>)>,
    /// Whether the innermost open object has something in it.
    filled: bool,
    /// The most bytes that what was added can take.
    used: usize,
    /// How many it may take.
    room: usize,
}

impl Nested {
    /// An empty tree.
    pub(super) fn new(skip: usize, room: usize) -> Self {
        let (open, pending) = (Vec::new(), None);
        Self { text: b"{".to_vec(), skip, open, pending, filled: false, used: 0, room }
    }

    /// Adds a value, unless that would make the answer too large. The first one always fits.
    pub(super) fn add(&mut self, key: &Key, value: &Rendered) -> bool {
        let segments: Vec<String> = key.segments().skip(self.skip).map(quoted).collect();
        let used = self.used + cost(&segments, value.len());
        if self.used > 0 && used > self.room {
            return false;
        }
        self.used = used;
        self.settle(&segments);
        let mut text = Vec::with_capacity(value.len());
        value.push_value(&mut text);
        self.pending = Some((segments, text));
        true
    }

    /// The whole tree.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.settle(&[]);
        self.close_to(0);
        self.text.push(b'}');
        self.text
    }

    /// Writes the pending value: within an object of its own if `next` lies below it.
    fn settle(&mut self, next: &[String]) {
        let Some((segments, value)) = self.pending.take() else { return };
        let parent = next.len() > segments.len() && next.starts_with(&segments);
        let objects = if parent { &segments[..] } else { &segments[..segments.len() - 1] };
        self.go_to(objects);
        let own = format!("\"{OWN_VALUE}\"");
        let name = if parent { &own } else { &segments[segments.len() - 1] };
        self.name(name);
        self.text.extend_from_slice(&value);
    }

    /// Closes and opens objects until exactly those of `segments` are open.
    fn go_to(&mut self, segments: &[String]) {
        let common = self.open.iter().zip(segments).take_while(|(a, b)| a == b).count();
        self.close_to(common);
        for segment in &segments[common..] {
            self.name(segment);
            self.text.push(b'{');
            self.filled = false;
            self.open.push(segment.clone());
        }
    }

    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            self.open.pop();
            self.text.push(b'}');
            self.filled = true;
        }
    }

    fn name(&mut self, quoted: &str) {
        if self.filled {
            self.text.push(b',');
        }
        self.text.extend_from_slice(quoted.as_bytes());
        self.text.push(b':');
        self.filled = true;
    }
}

/// The most bytes that a value adds: its own, and of each segment the name, `:{`, `,` and `}`.
fn cost(segments: &[String], value: usize) -> usize {
    let names: usize = segments.iter().map(|segment| segment.len() + 4).sum();
    value + names + OWN_VALUE.len() + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(skip: usize, room: usize, entries: &[(&str, &'static str)]) -> (String, usize) {
        let mut tree = Nested::new(skip, room);
        let added = entries.iter().take_while(|(key, json)| {
            tree.add(&Key::client(key).unwrap(), &Rendered::Json((*json).into()))
        });
        let count = added.count();
        (String::from_utf8(tree.finish()).unwrap(), count)
    }

    #[test]
    fn segments_become_objects_and_a_value_with_keys_below_it_is_named_value() {
        let entries = [
            ("a", "1"),
            ("a/b/c", "2"),
            ("a/b/d", "[ 3 ]"),
            ("a/e", "4"),
            ("f/g", "5"),
            ("h", "6"),
        ];
        let (text, _) = tree(0, 1 << 20, &entries);
        let expected = r#"{"a":{"_value":1,"b":{"c":2,"d":[ 3 ]},"e":4},"f":{"g":5},"h":6}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn the_prefix_is_left_out_and_names_are_escaped() {
        let (text, _) = tree(1, 1 << 20, &[("a/q\"", "1"), ("a/z", "2")]);
        assert_eq!(text, r#"{"q\"":1,"z":2}"#);
        assert_eq!(tree(0, 1 << 20, &[]).0, "{}");
    }

    #[test]
    fn a_tree_that_is_full_takes_nothing_more_but_always_the_first() {
        let entries = [("a", "1"), ("b", "2"), ("c", "3")];
        assert_eq!(tree(0, 0, &entries), (r#"{"a":1}"#.to_owned(), 1));
        let three = 3 * cost(&[quoted("a")], 1);
        assert_eq!(tree(0, three, &entries).1, 3);
        assert_eq!(tree(0, three - 1, &entries).1, 2);
    }
}
