//! Lists: the direct children of a prefix, and everything below it.

use kvs_core::{Body, ContentType, Head, Key, Kind, Prefix, RecordId, Version};

use super::{Cursor, View, decode, record_of};
use crate::store::{self, Column, StoreError};

/// Stands for `/` in rows, see [`kvs_core::key`].
const SEPARATOR: u8 = 0x01;
/// Comes right after every row below a prefix that ends in [`SEPARATOR`].
const PAST_SUBTREE: u8 = 0x02;

/// What one call found, and where to go on if that was not everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, P> {
    /// What was found.
    pub items: Vec<T>,
    /// Where the next call goes on.
    pub next: Option<P>,
}

/// A direct child of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its whole key.
    pub key: Key,
    /// What is stored there, if anything is.
    pub value: Option<Summary>,
    /// Whether anything lies below it.
    pub children: bool,
}

/// A value without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its version.
    pub head: Head,
    /// How many bytes the client stored.
    pub size: usize,
    /// What they are.
    pub content_type: ContentType,
}

impl Summary {
    /// The summary of a version; nothing if it has no value.
    pub fn of(version: &Version) -> Option<Self> {
        match &version.body {
            Body::Value(value) => Some(Self {
                head: version.head(),
                size: value.len(),
                content_type: value.content_type.clone(),
            }),
            _ => None,
        }
    }
}

impl Child {
    /// The last segment of the key.
    pub fn name(&self) -> &str {
        self.key.segments().next_back().unwrap_or_default()
    }
}

/// A value below a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: Key,
    /// Its current version.
    pub version: Version,
}

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPosition {
    /// The least row that may come next.
    row: Vec<u8>,
    /// Whether the child that `row` lies below was seen to have a value.
    value_seen: bool,
}

impl ListPosition {
    /// Right after the value of `key`, before what lies below it.
    pub fn after_value(key: &Key) -> Self {
        after_row(&RecordId::value(key.clone()).encode())
    }

    /// Past `key` and everything below it.
    pub fn past(key: &Key) -> Self {
        Self { row: past_subtree(key), value_seen: false }
    }

    /// Whether a list of `prefix` could go on here. A client may give the cursor of another list.
    pub fn lies_in(&self, prefix: &Prefix) -> bool {
        let (start, end) = prefix.range(Kind::Value);
        start <= self.row && self.row <= end
    }
}

impl Cursor for ListPosition {
    const TAG: u8 = b'l';

    fn parts(&self) -> Vec<Vec<u8>> {
        vec![self.row.clone(), vec![u8::from(self.value_seen)]]
    }

    fn from_parts(parts: &[&[u8]]) -> Option<Self> {
        match parts {
            [row, [seen]] => Some(Self { row: row.to_vec(), value_seen: *seen == 1 }),
            _ => None,
        }
    }
}

/// How much of a subtree one call returns.
#[derive(Clone, Copy, Debug)]
pub struct TreeBounds {
    /// At most so many values.
    pub limit: usize,
    /// At most so many segments below the prefix.
    pub depth: usize,
    /// Stops after the value that makes the sum of their bytes reach this.
    pub bytes: usize,
}

impl View<'_> {
    /// The direct children of `prefix` in order.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn children(
        &self,
        prefix: &Prefix,
        after: Option<&ListPosition>,
        limit: usize,
    ) -> Result<Page<Child, ListPosition>, StoreError> {
        let (start, end) = prefix.range(Kind::Value);
        let from = after.map_or(&start, |position| &position.row).max(&start);
        let mut walk = ChildWalk {
            view: self,
            depth: prefix.depth() + 1,
            rows: self.read.cursor(Column::Data, from, &end),
            child: None,
            items: Vec::new(),
        };
        if let Some(position) = after.filter(|position| position.value_seen) {
            walk.resume(position)?;
        }
        let next = walk.run(limit)?;
        Ok(Page { items: walk.items, next })
    }

    /// The values below `prefix` in order.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn tree(
        &self,
        prefix: &Prefix,
        after: Option<&ListPosition>,
        bounds: TreeBounds,
    ) -> Result<Page<Entry, ListPosition>, StoreError> {
        let (start, end) = prefix.range(Kind::Value);
        let from = after.map_or(&start, |position| &position.row).max(&start);
        let mut rows = self.read.cursor(Column::Data, from, &end);
        let deepest = prefix.depth() + bounds.depth;
        let (mut items, mut bytes) = (Vec::new(), 0);
        for _ in 0..self.scan_keys {
            let Some((row, value)) = rows.next()? else { return Ok(Page { items, next: None }) };
            let key = record_of(row)?.key;
            if let Some(skip) = skip_deeper(row, deepest) {
                rows.seek(&skip);
                continue;
            }
            let position = after_row(row);
            if self.is_shown(&key, row, value)? {
                let (_, version) = decode(row, value.to_vec())?;
                bytes += size(&version);
                items.push(Entry { key, version });
            }
            if items.len() >= bounds.limit || bytes >= bounds.bytes {
                return Ok(Page { items, next: Some(position) });
            }
        }
        let next = rows.next()?.map(|(row, _)| at_row(row));
        Ok(Page { items, next })
    }

    /// Whether a value is there that the caller may know of.
    fn is_shown(&self, key: &Key, row: &[u8], value: &[u8]) -> Result<bool, StoreError> {
        match self.live_head(row, value)? {
            Some(head) => self.may_read(key, Some(&head)),
            None => Ok(false),
        }
    }
}

fn size(version: &Version) -> usize {
    match &version.body {
        Body::Value(value) => value.len(),
        _ => 0,
    }
}

/// Where to go on when `row` lies more than `deepest` segments deep: past the subtree that the
/// deepest listed segment heads.
fn skip_deeper(row: &[u8], deepest: usize) -> Option<Vec<u8>> {
    let separator = row.iter().enumerate().filter(|(_, byte)| **byte == SEPARATOR);
    // The first byte of a row is its kind, which is no separator.
    let (at, _) = separator.filter(|(at, _)| *at > 0).nth(deepest.checked_sub(1)?)?;
    let mut past = row[..at].to_vec();
    past.push(PAST_SUBTREE);
    Some(past)
}

fn after_row(row: &[u8]) -> ListPosition {
    let mut row = row.to_vec();
    row.push(0);
    ListPosition { row, value_seen: false }
}

fn at_row(row: &[u8]) -> ListPosition {
    ListPosition { row: row.to_vec(), value_seen: false }
}

/// Walks rows and gathers the children that they belong to.
struct ChildWalk<'a> {
    view: &'a View<'a>,
    /// How many segments a child's key has.
    depth: usize,
    rows: Box<dyn store::Cursor + 'a>,
    /// The child whose rows are being walked.
    child: Option<Child>,
    items: Vec<Child>,
}

impl ChildWalk<'_> {
    /// Goes on within a child that was seen to have a value.
    fn resume(&mut self, position: &ListPosition) -> Result<(), StoreError> {
        let Ok(record) = RecordId::decode(&position.row) else { return Ok(()) };
        let key = self.child_of(&record.key);
        let value = self.view.current(&key)?.ok();
        let value = value.as_ref().and_then(Summary::of);
        self.child = Some(Child { key, value, children: false });
        Ok(())
    }

    fn run(&mut self, limit: usize) -> Result<Option<ListPosition>, StoreError> {
        for _ in 0..self.view.scan_keys {
            let Some((row, value)) = self.rows.next()? else {
                self.finish_child();
                return Ok(None);
            };
            let (row, value) = (row.to_vec(), value.to_vec());
            let key = record_of(&row)?.key;
            let child = self.child_of(&key);
            self.enter(&child);
            if self.items.len() >= limit {
                return Ok(Some(at_row(&row)));
            }
            self.take(&row, &value, &key)?;
        }
        let value_seen = self.child.as_ref().is_some_and(|child| child.value.is_some());
        let next = self.rows.next()?.map(|(row, _)| row.to_vec());
        Ok(self.stop_at(next, value_seen))
    }

    /// The position after the scan's bound was reached with `next` still to come.
    fn stop_at(&mut self, next: Option<Vec<u8>>, value_seen: bool) -> Option<ListPosition> {
        let Some(row) = next else {
            self.finish_child();
            return None;
        };
        let within = RecordId::decode(&row).is_ok_and(|record| {
            self.child.as_ref().is_some_and(|child| child.key == self.child_of(&record.key))
        });
        if within {
            // Whether the child has anything below is not known yet: it comes with the next page.
            return Some(ListPosition { row, value_seen });
        }
        self.finish_child();
        Some(at_row(&row))
    }

    fn take(&mut self, row: &[u8], value: &[u8], key: &Key) -> Result<(), StoreError> {
        let shown = self.view.is_shown(key, row, value)?;
        let Some(child) = self.child.as_mut().filter(|_| shown) else {
            return Ok(());
        };
        if child.key == *key {
            child.value = Summary::of(&decode(row, value.to_vec())?.1);
        } else {
            child.children = true;
            let past = past_subtree(&child.key);
            self.rows.seek(&past);
        }
        Ok(())
    }

    /// Begins a child, and finishes the one before it.
    fn enter(&mut self, key: &Key) {
        if self.child.as_ref().is_none_or(|child| child.key != *key) {
            self.finish_child();
            self.child = Some(Child { key: key.clone(), value: None, children: false });
        }
    }

    fn finish_child(&mut self) {
        let there = |child: &Child| child.value.is_some() || child.children;
        self.items.extend(self.child.take().filter(there));
    }

    /// The ancestor of `key` that is a direct child of the prefix, or `key` itself.
    fn child_of(&self, key: &Key) -> Key {
        let above = key.segments().count() - self.depth;
        match above.checked_sub(1) {
            None => key.clone(),
            Some(index) => key.ancestors().nth(index).unwrap_or_else(|| key.clone()),
        }
    }
}

fn past_subtree(key: &Key) -> Vec<u8> {
    Prefix::Under(key.clone()).range(Kind::Value).1
}
