//! From a batch's body to what each item asks for.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kvs_config::Settings;
use kvs_core::decide::Condition;
use kvs_core::value::{ContentType, Value};
use kvs_core::{Body, Key, json};
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::http::Problem;
use crate::http::body::Object;
use crate::http::kv::{condition, ttl};
use crate::http::value;

/// What an item asks for, checked.
pub(super) enum Planned {
    /// Read a key.
    Get(Key),
    /// Change a key.
    Change(Key, Change),
}

/// What an item changes.
pub(super) enum Change {
    /// Write a value.
    Put { body: Body, ttl: Option<Duration>, condition: Condition },
    /// Delete it.
    Delete { condition: Condition },
}

/// The items of a batch; of more than it may have none is kept.
#[derive(Clone, Copy)]
struct Request {
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Request {
    type Value = Vec<Object<Item<'de>>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Request {
    type Value = Vec<Object<Item<'de>>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut items = None;
        while let Some(name) = members.next_key::<String>()? {
            if name != "items" {
                return Err(A::Error::unknown_field(&name, &["items"]));
            }
            if items.replace(members.next_value_seed(Items(self))?).is_some() {
                return Err(A::Error::duplicate_field("items"));
            }
        }
        items.ok_or_else(|| A::Error::missing_field("items"))
    }
}

struct Items(Request);

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Vec<Object<Item<'de>>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Vec<Object<Item<'de>>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut listed: A) -> Result<Self::Value, A::Error> {
        let (mut items, most) = (Vec::new(), self.0.most);
        while let Some(item) = listed.next_element()? {
            if items.len() == most {
                return Err(A::Error::custom(format!("it has more items than {most}, the most")));
            }
            items.push(item);
        }
        Ok(items)
    }
}

/// The fields of `kvs_client::BatchItem`, borrowed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item<'a> {
    op: Op,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
    content_type: Option<String>,
    #[serde(borrow, default, deserialize_with = "text")]
    data_base64: Option<Cow<'a, str>>,
    ttl: Option<String>,
    if_match: Option<String>,
    if_none_match: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    Get,
    Put,
    Delete,
}

/// A field that is there, even if it is `null`: that is a value, too.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(from).map(Some)
}

/// A text that is borrowed where it has no escapes.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Option::<Text<'de>>::deserialize(from)?.map(|text| text.0))
}

/// Reads a batch.
///
/// # Errors
///
/// The body is no batch at all. What is wrong with an item is its own result.
pub(super) fn of_body(
    body: &Bytes,
    settings: &Settings,
) -> Result<Vec<Result<Planned, Problem>>, Problem> {
    let mut from = serde_json::Deserializer::from_slice(body);
    let request = Request { most: settings.limits.batch_items };
    let items = request.deserialize(&mut from).and_then(|items| from.end().map(|()| items));
    let items = items.map_err(|error| refusal(&error))?;
    Ok(items.into_iter().map(|Object(item)| plan(item, body, settings)).collect())
}

fn refusal(error: &serde_json::Error) -> Problem {
    match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::Json(json::JsonError::Syntax(error.to_string()))
        }
        Category::Data => Problem::Content(format!("the body is no batch: {error}")),
    }
}

fn plan(item: Item<'_>, body: &Bytes, settings: &Settings) -> Result<Planned, Problem> {
    let key = Key::client(&item.key)?;
    match item.op {
        Op::Get => {
            refuse(&item, "get", &[PUT_FIELDS, &["if_match"]])?;
            Ok(Planned::Get(key))
        }
        Op::Delete => {
            refuse(&item, "delete", &[PUT_FIELDS])?;
            let condition = condition::parse(item.if_match.as_deref(), None)?;
            Ok(Planned::Change(key, Change::Delete { condition }))
        }
        Op::Put => Ok(Planned::Change(key, put(item, body, settings)?)),
    }
}

const PUT_FIELDS: &[&str] = &["value", "content_type", "data_base64", "ttl", "if_none_match"];

/// Refuses fields that the operation does not have.
fn refuse(item: &Item<'_>, op: &str, fields: &[&[&str]]) -> Result<(), Problem> {
    let given = |field: &str| match field {
        "value" => item.value.is_some(),
        "content_type" => item.content_type.is_some(),
        "data_base64" => item.data_base64.is_some(),
        "ttl" => item.ttl.is_some(),
        "if_none_match" => item.if_none_match.is_some(),
        _ => item.if_match.is_some(),
    };
    match fields.iter().copied().flatten().find(|field| given(field)) {
        Some(field) => Err(Problem::Content(format!("a {op} has no `{field}`"))),
        None => Ok(()),
    }
}

fn put(item: Item<'_>, body: &Bytes, settings: &Settings) -> Result<Change, Problem> {
    let condition = condition::parse(item.if_match.as_deref(), item.if_none_match.as_deref())?;
    let ttl = item.ttl.as_deref().map(ttl::parse).transpose();
    let ttl = ttl.map_err(|reason| Problem::Content(format!("ttl: {reason}")))?;
    let value = match (item.value, item.content_type, item.data_base64) {
        (Some(text), None, None) => json_value(text, body, settings)?,
        (None, Some(kind), Some(base64)) => binary_value(&kind, &base64, settings)?,
        (None, None, None) => return Err(wrong("a value is missing: give `value`, or")),
        _ => return Err(wrong("give either `value`, or")),
    };
    Ok(Change::Put { body: Body::Value(value), ttl, condition })
}

fn wrong(what: &str) -> Problem {
    Problem::Content(format!("{what} `content_type` together with `data_base64`"))
}

fn json_value(text: &RawValue, body: &Bytes, settings: &Settings) -> Result<Value, Problem> {
    let bytes = text.get().as_bytes();
    value::check_size(settings, bytes.len())?;
    // It was read as JSON already. Only its depth is open, and every level takes two bytes.
    let depth = settings.limits.json_depth;
    if bytes.len() > 2 * depth {
        json::check(bytes, depth)?;
    }
    Ok(value::compressed(settings, ContentType::JSON, body.slice_ref(bytes)))
}

fn binary_value(kind: &str, base64: &str, settings: &Settings) -> Result<Value, Problem> {
    let bytes = STANDARD.decode(base64).map_err(|error| {
        let what = "data_base64 is not base64 of the standard alphabet with padding";
        Problem::Content(format!("{what}: {error}"))
    })?;
    value::build(settings, ContentType::parse(kind)?, bytes.into())
}
