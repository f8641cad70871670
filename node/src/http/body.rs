//! Bodies that are requests in JSON, not values.

use std::fmt;
use std::marker::PhantomData;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use kvs_core::json;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

use super::{Call, Problem};

/// What curl calls a body whose type it was not told.
const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a content type is what JSON comes under from clients that were not told to name it.
pub(super) fn is_form(content_type: &str) -> bool {
    essence(content_type).eq_ignore_ascii_case(FORM)
}

/// A media type without its parameters.
pub(super) fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Refuses a body that is not JSON by its type. Some routes know JSON by other names, too.
pub(super) fn expect_json(
    call: &Call,
    others: &[&str],
    allowed: &'static str,
) -> Result<(), Problem> {
    refuse_encoded(call)?;
    let Some(text) = call.header(CONTENT_TYPE.as_str())? else { return Ok(()) };
    let is = |known: &&str| essence(text).eq_ignore_ascii_case(known);
    if is(&"application/json") || is_form(text) || others.iter().any(is) {
        return Ok(());
    }
    Err(Problem::MediaType { given: text.to_owned(), allowed })
}

/// Refuses bodies that were compressed on the way: they would be taken for what they are not.
pub(super) fn refuse_encoded(call: &Call) -> Result<(), Problem> {
    match call.header(CONTENT_ENCODING.as_str())? {
        None | Some("" | "identity") => Ok(()),
        Some(given) => {
            let given = format!("encoded as {given}");
            Err(Problem::MediaType { given, allowed: "it as it is, without Content-Encoding" })
        }
    }
}

/// Reads a JSON object.
pub(super) fn read<T: DeserializeOwned>(call: &Call) -> Result<T, Problem> {
    json::check(&call.body, call.node.settings().limits.json_depth)?;
    let Object(body) = serde_json::from_slice(&call.body).map_err(|error| {
        let named = wrong_member::<T>(&call.body);
        Problem::Content(named.unwrap_or(format!("the body is not what is taken here: {error}")))
    })?;
    Ok(body)
}

/// Which member of an object is wrong by itself, and why.
fn wrong_member<T: DeserializeOwned>(body: &[u8]) -> Option<String> {
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    members.into_iter().find_map(|(name, value)| {
        let alone = serde_json::Value::from_iter([(name.clone(), value)]);
        let error = serde_json::from_value::<T>(alone).err()?.to_string();
        // What is missing is no fault of the members that are there.
        (!error.starts_with("missing field")).then(|| format!("{name}: {error}"))
    })
}

/// A `T` from an object alone: what serde derives also reads arrays, member by member.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }

        from.deserialize_map(Members(PhantomData))
    }
}
