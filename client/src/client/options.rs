//! What can be said with a request beside its key.

use reqwest::Url;
use uuid::Uuid;

use super::address::add;

/// When a write may happen; checked by the node that is asked, in one step with the write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Whatever is there.
    #[default]
    Always,
    /// Only over this version.
    Matches(Uuid),
    /// Only over some value.
    Exists,
    /// Only where no value is.
    Absent,
}

impl Condition {
    /// The header that says so, with its value.
    pub(super) fn header(self) -> Option<(&'static str, String)> {
        match self {
            Self::Always => None,
            Self::Matches(uuid) => Some(("if-match", etag(uuid))),
            Self::Exists => Some(("if-match", "*".to_owned())),
            Self::Absent => Some(("if-none-match", "*".to_owned())),
        }
    }
}

/// The entity tag of a version.
pub(super) fn etag(uuid: Uuid) -> String {
    format!("\"{uuid}\"")
}

/// How to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// How long the value lives, for example `1h`; without it, the key's or node's default.
    pub ttl: Option<String>,
    /// When the write may happen.
    pub condition: Condition,
}

/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageOptions {
    /// How many items at most; without it, the node's default.
    pub limit: Option<u32>,
    /// The `next` of the page before; without it, the first page.
    pub after: Option<String>,
}

impl PageOptions {
    pub(super) fn apply(&self, url: &mut Url) {
        add(url, "limit", self.limit.map(|limit| limit.to_string()).as_deref());
        add(url, "after", self.after.as_deref());
    }
}

/// What `_ls` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Which page.
    pub page: PageOptions,
    /// Whether items tell their version, times, size and type.
    pub metadata: bool,
}

impl ListOptions {
    pub(super) fn apply(&self, url: &mut Url) {
        self.page.apply(url);
        add(url, "metadata", self.metadata.then_some("true"));
    }
}

/// What `_tree` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeOptions {
    /// Which page.
    pub page: PageOptions,
    /// How many segments below the prefix at most; without it, all.
    pub depth: Option<u32>,
}

impl TreeOptions {
    pub(super) fn apply(&self, url: &mut Url, format: &str) {
        self.page.apply(url);
        add(url, "depth", self.depth.map(|depth| depth.to_string()).as_deref());
        add(url, "format", Some(format));
    }
}

/// Which changes `_changes` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangesOptions {
    /// Which page.
    pub page: PageOptions,
    /// Only changes from this time on: Unix milliseconds or RFC 3339.
    pub since: Option<String>,
    /// Only changes before this time: Unix milliseconds or RFC 3339.
    pub until: Option<String>,
}

impl ChangesOptions {
    pub(super) fn apply(&self, url: &mut Url) {
        self.page.apply(url);
        add(url, "since", self.since.as_deref());
        add(url, "until", self.until.as_deref());
    }
}
