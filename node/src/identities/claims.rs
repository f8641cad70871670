//! What tokens of others say, and who that is here.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use kvs_core::UnixMillis;
use kvs_core::account::Name;
use kvs_core::token::{Period, TokenError, UnixSeconds};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The most groups of a token that are looked at.
const GROUPS: usize = 1_000;

/// The claims of a token. One that comes twice makes it no token at all, so that no two readers can
/// see different ones.
#[derive(Debug)]
pub(super) struct Claims(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ClaimsVisitor)
    }
}

struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = Claims;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the claims of a token")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Claims, A::Error> {
        let mut claims = BTreeMap::new();
        while let Some((name, value)) = members.next_entry::<String, Value>()? {
            if claims.insert(name, value).is_some() {
                return Err(A::Error::custom("a claim comes twice"));
            }
        }
        Ok(Claims(claims))
    }
}

impl Claims {
    /// Whether the token is for `audience` and for now.
    pub(super) fn check(
        &self,
        audience: &str,
        now: UnixMillis,
        drift: Duration,
    ) -> Result<Period, TokenError> {
        if !self.texts("aud").any(|found| found == audience) {
            let found = self.texts("aud").collect::<Vec<_>>().join(", ");
            return Err(TokenError::Audience { found, expected: audience.to_owned() });
        }
        let period = self.period()?;
        period.check(now, drift)?;
        Ok(period)
    }

    fn period(&self) -> Result<Period, TokenError> {
        let end = self.time("exp")?.ok_or(TokenError::Malformed("it has no end (exp)"))?;
        let start = self.time("iat")?.max(self.time("nbf")?);
        Ok(Period { start, end })
    }

    /// A point in time. Some issuers write fractions.
    fn time(&self, name: &str) -> Result<Option<UnixSeconds>, TokenError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let whole = value.as_u64();
        let fraction = || {
            let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0)?;
            Some(Duration::try_from_secs_f64(seconds).ok()?.as_secs())
        };
        let seconds = whole.or_else(fraction);
        seconds.map(|at| Some(UnixSeconds(at))).ok_or(TokenError::Malformed("a time is no number"))
    }

    /// A claim that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Whether a claim is there and is true.
    fn says(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// A claim that is a text or a list of them.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let claim = self.0.get(name);
        let one = claim.and_then(Value::as_str);
        let many = claim.and_then(Value::as_array).into_iter().flatten();
        one.into_iter().chain(many.filter_map(Value::as_str))
    }
}

/// Which claims say who somebody is here.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub(super) prefix: String,
    pub(super) user: String,
    pub(super) groups: Option<String>,
}

impl Mapping {
    /// The user, and the groups that can be groups here.
    pub(super) fn apply(&self, claims: &Claims) -> Result<(Name, Vec<Name>), TokenError> {
        let user = claims.text(&self.user).filter(|user| !user.is_empty());
        let user = user.ok_or(TokenError::Malformed("it does not say who its user is"))?;
        // Anybody can say that an address is theirs, where the issuer does not say that it looked.
        if self.user == "email" && !claims.says("email_verified") {
            return Err(TokenError::Malformed("its issuer has not verified the email address"));
        }
        let groups = self.groups.as_deref().map(|claim| claims.texts(claim));
        let groups = groups.into_iter().flatten().take(GROUPS);
        let groups = groups.filter_map(|group| self.name(group).ok());
        Ok((self.name(user)?, groups.collect()))
    }

    fn name(&self, text: &str) -> Result<Name, TokenError> {
        let name = format!("{}{text}", self.prefix);
        name.parse().map_err(|_no_name| TokenError::Unmapped(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);
    const DRIFT: Duration = Duration::from_secs(10);

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
    }

    fn checked(json: &str) -> Result<Period, TokenError> {
        claims(json).check("kvs", NOW, DRIFT)
    }

    #[test]
    fn a_token_is_for_its_audiences_and_from_its_beginning_to_its_end() {
        for good in [
            r#"{"aud":"kvs","exp":1001}"#,
            r#"{"aud":["other","kvs"],"exp":1001,"iat":1010,"nbf":1}"#,
            r#"{"aud":"kvs","exp":1001.5,"iat":999.9}"#,
        ] {
            assert!(checked(good).is_ok(), "{good}");
        }
        let malformed = |what| Err(TokenError::Malformed(what));
        assert_eq!(checked(r#"{"aud":"kvs"}"#), malformed("it has no end (exp)"));
        assert_eq!(checked(r#"{"aud":"kvs","exp":"1001"}"#), malformed("a time is no number"));
        assert_eq!(
            checked(r#"{"aud":"kvs","exp":1001,"nbf":-1}"#),
            malformed("a time is no number")
        );
        let expired = Err(TokenError::Expired(UnixSeconds(1_000)));
        assert_eq!(checked(r#"{"aud":"kvs","exp":1000}"#), expired);
        let early = Err(TokenError::NotYetValid(UnixSeconds(1_011)));
        assert_eq!(checked(r#"{"aud":"kvs","exp":2000,"nbf":1011,"iat":1}"#), early);
        for (aud, found) in
            [(r#""other""#, "other"), ("[]", ""), (r#"["a","kvsx"]"#, "a, kvsx"), ("7", "")]
        {
            let expected = TokenError::Audience { found: found.into(), expected: "kvs".into() };
            assert_eq!(checked(&format!(r#"{{"aud":{aud},"exp":1001}}"#)), Err(expected));
        }
    }

    #[test]
    fn a_claim_that_comes_twice_makes_it_no_token() {
        assert!(serde_json::from_str::<Claims>(r#"{"sub":"a","sub":"root"}"#).is_err());
        assert!(serde_json::from_str::<Claims>("[]").is_err());
    }

    #[test]
    fn users_and_groups_have_the_prefix_and_names_that_are_none_here_do_not_count() {
        let mapping = Mapping {
            prefix: "a:".to_owned(),
            user: "email".to_owned(),
            groups: Some("groups".to_owned()),
        };
        let of = |json: &str| {
            let json = json.replace("{\"email\"", "{\"email_verified\":true,\"email\"");
            let (user, groups) = mapping.apply(&claims(&json))?;
            Ok((user.to_string(), groups.iter().map(Name::to_string).collect::<Vec<_>>()))
        };
        let (user, groups) = of(r#"{"email":"ann@b.c","groups":["x","a b","y",7]}"#).unwrap();
        assert_eq!((user.as_str(), groups), ("a:ann@b.c", vec!["a:x".into(), "a:y".into()]));
        assert_eq!(of(r#"{"email":"ann","groups":"x"}"#).unwrap().1, ["a:x"]);
        assert_eq!(of(r#"{"email":"ann"}"#).unwrap().1, Vec::<String>::new());
        let nobody = TokenError::Malformed("it does not say who its user is");
        for json in [r#"{"sub":"ann"}"#, r#"{"email":""}"#, r#"{"email":["ann"]}"#] {
            assert_eq!(of(json), Err(nobody.clone()), "{json}");
        }
        let unverified = TokenError::Malformed("its issuer has not verified the email address");
        for said in ["", r#","email_verified":false"#, r#","email_verified":"true""#] {
            let json = format!(r#"{{"sub":"ann","email":"ann"{said}}}"#);
            assert_eq!(of(&json), Err(unverified.clone()), "{json}");
        }
        let unmapped = TokenError::Unmapped("a:ann b".to_owned());
        assert_eq!(of(r#"{"email":"ann b"}"#), Err(unmapped));
    }
}
