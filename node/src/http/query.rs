//! The part of a URL behind the `?`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Problem;

/// Query parameters by name, each at most once. A handler takes what it knows and then calls
/// [`Self::finish`], so that a misspelt name is an error and not ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// A part is not UTF-8 once percent-decoded, or a name stands twice.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut query = Self::default();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name, part)?, decode(value, part)?);
            if query.0.iter().any(|(known, _)| *known == name) {
                return Err(Problem::query(name, "is given more than once"));
            }
            query.0.push((name, value));
        }
        Ok(query)
    }

    /// Takes a parameter.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Takes a switch: there and empty, `true` or `false`.
    ///
    /// # Errors
    ///
    /// It has another value.
    pub fn take_switch(&mut self, name: &str) -> Result<bool, Problem> {
        match self.take(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(_) => {
                Err(Problem::query(name, "is a switch: leave its value out, or true or false"))
            }
        }
    }

    /// Takes a whole number from 1 to `greatest`.
    ///
    /// # Errors
    ///
    /// It is none, or out of range.
    pub fn take_count(&mut self, name: &str, greatest: usize) -> Result<Option<usize>, Problem> {
        let Some(text) = self.take(name) else { return Ok(None) };
        match text.parse() {
            Ok(count) if (1..=greatest).contains(&count) => Ok(Some(count)),
            _ => Err(Problem::query(name, format!("must be a whole number from 1 to {greatest}"))),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// A parameter is left that nobody took.
    pub fn finish(&self, known: &[&str]) -> Result<(), Problem> {
        let Some((name, _)) = self.0.first() else { return Ok(()) };
        let reason = match known {
            [] => "is unknown; this route takes none".to_owned(),
            known => format!("is unknown; this route takes {}", known.join(", ")),
        };
        Err(Problem::query(name, reason))
    }
}

fn decode(text: &str, part: &str) -> Result<String, Problem> {
    // In a query, unlike in a path, a plus sign is a space.
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().map(Cow::into_owned);
    decoded.map_err(|_bytes| Problem::query(part, "is not UTF-8 once percent-decoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_taken_once() {
        let mut query = Query::parse("a=1%202&b&c=x+y").unwrap();
        assert_eq!(query.take("a").as_deref(), Some("1 2"));
        assert_eq!(query.take("a"), None);
        assert!(query.take_switch("b").unwrap());
        assert_eq!(query.take("c").as_deref(), Some("x y"));
        assert!(query.finish(&[]).is_ok());
    }

    #[test]
    fn a_misspelt_name_is_an_error_that_names_the_right_ones() {
        let error = Query::parse("limt=3").unwrap().finish(&["limit", "after"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "query parameter limt: is unknown; this route takes limit, after"
        );
    }

    #[test]
    fn a_count_is_accepted_at_its_bounds_and_refused_one_beyond() {
        let count = |text: &str| Query::parse(text).unwrap().take_count("limit", 9);
        assert_eq!(count("limit=1").unwrap(), Some(1));
        assert_eq!(count("limit=9").unwrap(), Some(9));
        assert_eq!(count("").unwrap(), None);
        for text in ["limit=0", "limit=10", "limit=-1", "limit=x", "limit=", "limit=1.5"] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_given_twice_and_bytes_that_are_not_utf8_are_refused() {
        assert!(Query::parse("a=1&a=2").is_err());
        assert!(Query::parse("a=%ff").is_err());
    }
}
