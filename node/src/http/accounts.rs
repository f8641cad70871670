//! Users, groups, tokens and keys, who asks, and why they may.

pub(super) mod explain;
pub(super) mod groups;
pub(super) mod keys;
pub(super) mod members;
pub(super) mod tokens;
pub(super) mod users;
pub(super) mod whoami;

use axum::body::Body;
use http::{Response, StatusCode};
use kvs_client::Page;
use kvs_core::ScopeSet;
use kvs_core::account::Name;
use serde::Serialize;

use super::openapi::describe::JSON;
use super::query::Query;
use super::{Answer, Call, Problem, page};
use crate::accounts::{AccountError, Accounts, Changes};
use crate::records::{BadCursor, Cursor};

/// Items on a page that does not say how many, and the most it may ask for.
const DEFAULT_ITEMS: usize = 100;
const MOST_ITEMS: usize = 1_000;

/// The last item of a page, by the name that the list is in the order of.
struct After(String);

impl Cursor for After {
    const TAG: u8 = b'a';

    fn parts(&self) -> Vec<Vec<u8>> {
        vec![self.0.clone().into_bytes()]
    }

    fn from_parts(parts: &[&[u8]]) -> Option<Self> {
        let [name] = parts else { return None };
        Some(Self(std::str::from_utf8(name).ok()?.to_owned()))
    }
}

/// What of a list is asked for.
struct Wanted {
    limit: usize,
    after: Option<String>,
}

impl Wanted {
    fn take(query: &mut Query) -> Result<Self, Problem> {
        let limit = query.take_count("limit", MOST_ITEMS)?.unwrap_or(DEFAULT_ITEMS);
        let after = query.take("after").map(|text| After::from_text(&text)).transpose();
        let after = after.map_err(|bad: BadCursor| Problem::from(bad))?;
        Ok(Self { limit, after: after.map(|After(name)| name) })
    }

    /// A page of items that come in the order of their names.
    fn page<T>(self, items: impl Iterator<Item = (String, T)>) -> Page<T> {
        let Self { limit, after } = self;
        let rest = items.filter(|(name, _)| after.as_ref().is_none_or(|after| name > after));
        let mut found: Vec<(String, T)> = rest.take(limit + 1).collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more).map(|(name, _)| After(name.clone()).to_text());
        Page { items: found.into_iter().map(|(_, item)| item).collect(), next: last }
    }
}

fn changes(call: &Call) -> Changes<'_> {
    Accounts::changes_by(&call.node, &call.caller)
}

/// The name in a path: what is none names nobody.
fn name(what: &'static str, text: &str) -> Result<Name, Problem> {
    let unknown = |_malformed| AccountError::Unknown { what, name: text.to_owned() }.into();
    text.parse().map_err(unknown)
}

/// The name in a body, and of what kind it is in the words of a refusal.
fn new_name(text: &str) -> Result<Name, Problem> {
    text.parse().map_err(|error| Problem::Content(format!("name: {error}")))
}

fn scopes(texts: &[String]) -> Result<ScopeSet, Problem> {
    ScopeSet::parse(texts).map_err(|error| Problem::Content(format!("scopes: {error}")))
}

/// The names in a path that has so many.
fn names<const N: usize>(names: Vec<String>) -> Result<[String; N], Problem> {
    names.try_into().map_err(|_other_count| Problem::NoRoute)
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(body).map_err(|error| Problem::Internal(error.to_string()))?;
    let mut response = page::answer(JSON, text);
    *response.status_mut() = status;
    Ok(response)
}

fn done() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
