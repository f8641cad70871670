//! Settings from YAML, with the line of each.
//!
//! The file is read as a tree of names and texts first, so that every layer goes through the
//! same reading of values and an unknown name can be told from a wrong value.

use std::{collections::HashMap, fmt, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned, UserMessageFormatter};

use super::{Assignment, Origin, problem, resolve};
use crate::{
    error::{Problem, Reason},
    field,
    value::Raw,
};

/// Reads the assignments of a file; what is wrong with a name is added to `problems`.
pub(crate) fn assignments(name: &Path, text: &str, problems: &mut Vec<Problem>) -> Vec<Assignment> {
    // Spans count from after the byte order mark that some editors put first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { name: name.display().to_string(), text, found: Vec::new(), problems };
    reader.document();
    reader.found
}

struct Reader<'a> {
    name: String,
    text: &'a str,
    found: Vec<Assignment>,
    problems: &'a mut Vec<Problem>,
}

type Entries = Vec<(Spanned<String>, Spanned<Node>)>;

impl Reader<'_> {
    fn document(&mut self) {
        match parse(self.text) {
            Ok(Node::Map(entries)) => self.entries(None, entries),
            Ok(Node::Nothing) => {}
            Ok(_) => self.unreadable(1, "a mapping is wanted, one `name: value` a line".to_owned()),
            Err(error) => {
                let line = error.location().map_or(1, |location| location.line());
                self.unreadable(line, error.render_with_formatter(&UserMessageFormatter));
            }
        }
    }

    fn entries(&mut self, group: Option<&str>, entries: Entries) {
        let mut seen = HashMap::new();
        for (key, node) in entries {
            let origin = self.origin(&key.defined);
            let path = group.map_or(key.value.clone(), |group| format!("{group}.{}", key.value));
            match seen.insert(key.value.clone(), key.defined.line()) {
                Some(first) => self.refuse(origin, &path, Reason::Twice { first }),
                None => self.entry(origin, &path, group.is_none(), node),
            }
        }
    }

    fn entry(&mut self, origin: Origin, path: &str, top: bool, node: Spanned<Node>) {
        match node.value {
            Node::Map(entries) if top && field::is_group(path) => self.entries(Some(path), entries),
            Node::Nothing if top && field::is_group(path) => {}
            _ if top && path.contains('.') => {
                let nearest = field::find(path).map(|field| origin.name(field.path));
                self.refuse(origin, path, Reason::Unknown { nearest });
            }
            _ => self.assign(origin, path, &node),
        }
    }

    fn assign(&mut self, origin: Origin, path: &str, node: &Spanned<Node>) {
        match resolve(path, &origin) {
            Ok(field) => {
                let raw = self.raw(node);
                self.found.push(Assignment { field, raw, origin });
            }
            Err(reason) => self.refuse(origin, path, reason),
        }
    }

    fn raw(&self, node: &Spanned<Node>) -> Raw {
        match &node.value {
            Node::Nothing => Raw::Nothing,
            Node::List(items) => {
                let rows = || self.rows(items).map(Raw::Rows);
                self.list(items).map(Raw::List).or_else(rows).unwrap_or(Raw::Map)
            }
            Node::Map(_) => Raw::Map,
            Node::Text(_) | Node::Plain(_) => self.scalar(node).map_or(Raw::Nothing, Raw::Text),
        }
    }

    fn list(&self, items: &[Spanned<Node>]) -> Option<Vec<String>> {
        items.iter().map(|item| self.scalar(item)).collect()
    }

    fn rows(&self, items: &[Spanned<Node>]) -> Option<Vec<Vec<(String, String)>>> {
        items.iter().map(|item| self.row(item)).collect()
    }

    /// The members of a mapping, those without a value left out.
    fn row(&self, item: &Spanned<Node>) -> Option<Vec<(String, String)>> {
        let Node::Map(entries) = &item.value else { return None };
        let set = entries.iter().filter(|(_, node)| !matches!(node.value, Node::Nothing));
        set.map(|(key, node)| Some((key.value.clone(), self.scalar(node)?))).collect()
    }

    /// The text of a scalar as it was written: what looks like a number to YAML may be a name.
    fn scalar(&self, node: &Spanned<Node>) -> Option<String> {
        match &node.value {
            Node::Text(text) => Some(text.clone()),
            Node::Plain(shown) => Some(self.written(node.defined).unwrap_or(shown).to_owned()),
            Node::Nothing | Node::List(_) | Node::Map(_) => None,
        }
    }

    fn written(&self, at: Location) -> Option<&str> {
        let start = usize::try_from(at.span().byte_offset()?).ok()?;
        let length = usize::try_from(at.span().byte_len()?).ok()?;
        Some(self.text.get(start..start.checked_add(length)?)?.trim())
    }

    fn origin(&self, at: &Location) -> Origin {
        Origin::File { name: self.name.clone(), line: at.line() }
    }

    fn unreadable(&mut self, line: u64, message: String) {
        let origin = Origin::File { name: self.name.clone(), line };
        self.refuse(origin, "", Reason::Unreadable(message));
    }

    fn refuse(&mut self, origin: Origin, path: &str, reason: Reason) {
        self.problems.push(problem(origin, path, reason));
    }
}

fn parse(text: &str) -> Result<Node, serde_saphyr::Error> {
    // Repeated names are passed on, so that they are refused with both lines.
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
}

/// YAML without its types.
#[derive(Debug)]
enum Node {
    Nothing,
    Text(String),
    /// A boolean or number as the parser understood it.
    Plain(String),
    List(Vec<Spanned<Node>>),
    Map(Entries),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        Node::deserialize(from)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }
}
