//! `If-Match` and `If-None-Match` of writes.

use std::borrow::Cow;

use http::HeaderMap;
use kvs_core::VersionId;
use kvs_core::decide::Condition;

use crate::http::{Call, Problem};

const IF_MATCH: &str = "if-match";
const IF_NONE_MATCH: &str = "if-none-match";

/// The condition that a request's headers make.
pub(in crate::http) fn of_request(call: &Call) -> Result<Condition, Problem> {
    let if_match = list(&call.headers, IF_MATCH)?;
    let if_none_match = list(&call.headers, IF_NONE_MATCH)?;
    parse(if_match.as_deref(), if_none_match.as_deref())
}

/// The condition that the texts of the two headers make.
pub(in crate::http) fn parse(
    if_match: Option<&str>,
    if_none_match: Option<&str>,
) -> Result<Condition, Problem> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Condition::Always),
        (Some(text), None) => {
            let tags = tags(IF_MATCH, text)?;
            Ok(tags.map_or(Condition::Present, Condition::Is))
        }
        (None, Some(text)) => {
            let tags = tags(IF_NONE_MATCH, text)?;
            Ok(tags.map_or(Condition::Absent, Condition::IsNot))
        }
        (Some(_), Some(_)) => {
            let reason = "cannot be given together with if-match; give one".to_owned();
            Err(Problem::Header { name: IF_NONE_MATCH, reason })
        }
    }
}

/// A header's lines as the one list that they are (RFC 9110, 5.3).
fn list<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<Cow<'a, str>>, Problem> {
    let mut whole: Option<Cow<'a, str>> = None;
    for line in headers.get_all(name) {
        let line = line.to_str().map_err(|_bytes| Problem::header(name))?;
        whole = Some(match whole {
            None => Cow::Borrowed(line),
            Some(before) => Cow::Owned(format!("{before},{line}")),
        });
    }
    Ok(whole)
}

/// The versions of a list of entity tags; nothing for `*`.
fn tags(name: &'static str, text: &str) -> Result<Option<Vec<VersionId>>, Problem> {
    let malformed = || {
        let reason = "must be * or a list of versions' uuids in double quotes, as ETag gives them; \
                      weak ones (W/) cannot guard a write";
        Problem::Header { name, reason: reason.to_owned() }
    };
    if text.trim() == "*" {
        return Ok(None);
    }
    let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    let tags: Vec<_> = tags.map(tag).collect::<Option<_>>().ok_or_else(malformed)?;
    if tags.is_empty() { Err(malformed()) } else { Ok(Some(tags)) }
}

fn tag(text: &str) -> Option<VersionId> {
    // A UUID has other spellings that no tag of ours has.
    let inner = text.strip_prefix('"')?.strip_suffix('"').filter(|inner| inner.len() == 36)?;
    inner.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "00000000-0000-0000-0000-00000000000a";
    const B: &str = "00000000-0000-0000-0000-00000000000b";

    fn id(text: &str) -> VersionId {
        text.parse().unwrap()
    }

    #[test]
    fn lists_and_stars_are_conditions() {
        let both = format!("\"{A}\" ,, \"{B}\"");
        assert_eq!(parse(None, None).unwrap(), Condition::Always);
        assert_eq!(parse(Some(" * "), None).unwrap(), Condition::Present);
        assert_eq!(parse(None, Some("*")).unwrap(), Condition::Absent);
        assert_eq!(parse(Some(&both), None).unwrap(), Condition::Is(vec![id(A), id(B)]));
        assert_eq!(parse(None, Some(&both)).unwrap(), Condition::IsNot(vec![id(A), id(B)]));
    }

    #[test]
    fn weak_and_malformed_tags_and_both_headers_are_refused() {
        let (weak, bare, simple) = (format!("W/\"{A}\""), A, A.replace('-', ""));
        for text in ["", ",", "\"\"", "\"x\"", "**", &weak, bare, &format!("\"{simple}\"")] {
            assert!(parse(Some(text), None).is_err(), "{text}");
            assert!(parse(None, Some(text)).is_err(), "{text}");
        }
        assert!(parse(Some("*"), Some("*")).is_err());
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(IF_MATCH, "\"a\"".parse().unwrap());
        headers.append(IF_MATCH, "\"b\"".parse().unwrap());
        assert_eq!(list(&headers, IF_MATCH).unwrap().as_deref(), Some("\"a\",\"b\""));
    }
}
