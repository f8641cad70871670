//! `since` and `until`.

use jiff::Timestamp;
use kvs_core::UnixMillis;

use crate::http::Problem;
use crate::http::query::Query;
use crate::records::TimeRange;

/// Takes the span of time that the query names; nothing if it names none.
pub(super) fn take(query: &mut Query) -> Result<Option<TimeRange>, Problem> {
    let since = instant(query, "since")?;
    let until = instant(query, "until")?;
    if since.is_none() && until.is_none() {
        return Ok(None);
    }
    let since = since.unwrap_or(UnixMillis(0));
    let until = until.unwrap_or(UnixMillis(u64::MAX));
    if since > until {
        return Err(Problem::query("until", "must not be before since"));
    }
    Ok(Some(TimeRange { since, until }))
}

fn instant(query: &mut Query, name: &str) -> Result<Option<UnixMillis>, Problem> {
    let Some(text) = query.take(name) else { return Ok(None) };
    let malformed = || {
        let allowed = "must be Unix milliseconds, or a time as in 2026-01-31T12:00:00Z";
        Problem::query(name, allowed)
    };
    parse(&text).map(Some).ok_or_else(malformed)
}

fn parse(text: &str) -> Option<UnixMillis> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(UnixMillis);
    }
    // The plus sign of an offset, not escaped, has become a space.
    let time: Timestamp = text.replace(' ', "+").parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(UnixMillis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(query: &str) -> Result<Option<(u64, u64)>, Problem> {
        let span = take(&mut Query::parse(query)?)?;
        Ok(span.map(|span| (span.since.0, span.until.0)))
    }

    #[test]
    fn times_are_milliseconds_or_rfc_3339_with_any_offset() {
        assert_eq!(span("").unwrap(), None);
        assert_eq!(span("since=5").unwrap(), Some((5, u64::MAX)));
        assert_eq!(span("until=0").unwrap(), Some((0, 0)));
        for text in [
            "1970-01-01T00:00:01.5Z",
            "1970-01-01T01:00:01.5+01:00",
            "1970-01-01T01:00:01.5%2B01:00",
        ] {
            assert_eq!(span(&format!("since={text}")).unwrap(), Some((1500, u64::MAX)), "{text}");
        }
    }

    #[test]
    fn garbage_and_a_span_that_ends_before_it_begins_are_refused() {
        let long = "9".repeat(21);
        for text in ["x", "", "-1", "1.5", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z", &long] {
            assert!(span(&format!("since={text}")).is_err(), "{text}");
        }
        assert!(span("since=5&until=5").is_ok());
        assert!(span("since=6&until=5").is_err());
    }
}
