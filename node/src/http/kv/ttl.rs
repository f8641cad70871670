//! How long a value is to live, as a request says it.

use std::time::Duration;

use crate::http::{Call, Problem};

const LEAST: kvs_config::Duration = kvs_config::Duration::seconds(1);
const HEADER: &str = "kvs-ttl";

/// The time to live that a request asks for, in its query or its header.
pub(in crate::http) fn of_request(call: &mut Call) -> Result<Option<Duration>, Problem> {
    let in_header = |reason| Problem::Header { name: HEADER, reason };
    let header = call.header(HEADER)?.map(parse).transpose().map_err(in_header)?;
    let query = call.query.take("ttl").map(|text| parse(&text)).transpose();
    let query = query.map_err(|reason| Problem::query("ttl", reason))?;
    match (query, header) {
        (Some(query), Some(header)) if query != header => {
            Err(in_header("differs from the query parameter ttl; give one".to_owned()))
        }
        (query, header) => Ok(query.or(header)),
    }
}

/// A time to live from its text.
///
/// # Errors
///
/// What is wrong with the text and what is allowed.
pub(in crate::http) fn parse(text: &str) -> Result<Duration, String> {
    match text.parse::<kvs_config::Duration>() {
        Ok(ttl) if ttl < LEAST => Err(format!("{text} is too short: the least is {LEAST}")),
        Ok(ttl) => Ok(ttl.into()),
        Err(error) => Err(error.to_string()),
    }
}

/// A time to live as a text that [`parse`] reads.
pub(in crate::http) fn text(ttl: Duration) -> String {
    let millis = format!("{}ms", ttl.as_millis());
    // Settings write durations in the greatest unit that divides them.
    millis.parse::<kvs_config::Duration>().map_or(millis, |ttl| ttl.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_enough_and_a_millisecond_less_is_not() {
        assert_eq!(parse("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(parse("999ms"), Err("999ms is too short: the least is 1s".to_owned()));
        assert!(parse("36500d").is_ok());
        for garbage in ["", "1", "-1s", "1.5s", "36501d", "1 s", "s"] {
            assert!(parse(garbage).is_err(), "{garbage}");
        }
    }

    #[test]
    fn every_time_to_live_survives_its_text() {
        for given in ["1s", "1500ms", "90s", "2m", "3h", "30d"] {
            assert_eq!(text(parse(given).unwrap()), given);
        }
    }
}
