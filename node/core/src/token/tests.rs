use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::id::{TokenId, UserId};
use crate::scope::ScopeSet;
use crate::stamp::UnixMillis;

const DRIFT: Duration = Duration::from_mins(1);

fn claims() -> Claims {
    Claims {
        iss: "kvs".to_owned(),
        aud: "cluster".to_owned(),
        sub: UserId::new(Uuid::from_u128(1)),
        scopes: ScopeSet::parse(["read:home", "write"]).unwrap(),
        iat: UnixSeconds(1000),
        exp: UnixSeconds(4600),
        jti: TokenId::new(Uuid::from_u128(2)),
    }
}

fn at(millis: u64) -> Expected<'static> {
    Expected { issuer: "kvs", audience: "cluster", now: UnixMillis(millis), drift: DRIFT }
}

fn text(header: &str, payload: &str) -> String {
    format!("{}.{}.{}", BASE64.encode(header), BASE64.encode(payload), BASE64.encode("signature"))
}

#[test]
fn a_token_survives_its_text() {
    let signed = claims().to_sign("00112233aabbccdd");
    let token = Unverified::parse(&compact(&signed, b"signature")).unwrap();
    assert_eq!(token.kid(), Some("00112233aabbccdd"));
    assert_eq!(token.issuer().as_deref(), Ok("kvs"));
    let fits =
        |bytes: &[u8], signature: &[u8]| bytes == signed.as_bytes() && signature == b"signature";
    let verified = token.verify(Algorithm::EdDsa, fits).unwrap();
    assert_eq!(verified.claims(), Ok(claims()));
}

#[test]
fn the_text_to_sign_is_as_it_always_was() {
    let mut parts = claims().to_sign("00112233aabbccdd");
    parts = parts
        .split('.')
        .map(|part| String::from_utf8(BASE64.decode(part).unwrap()).unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    assert_eq!(
        parts,
        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"00112233aabbccdd\"}\n\
         {\"iss\":\"kvs\",\"aud\":\"cluster\",\"sub\":\"00000000-0000-0000-0000-000000000001\",\
         \"scopes\":[\"read:home\",\"write\"],\"iat\":1000,\"exp\":4600,\
         \"jti\":\"00000000-0000-0000-0000-000000000002\"}"
    );
}

#[test]
fn claims_hold_from_their_start_to_the_last_millisecond() {
    let check = |millis| claims().check(&at(millis));
    assert_eq!(check(4_599_999), Ok(()));
    assert_eq!(check(4_600_000), Err(TokenError::Expired(UnixSeconds(4600))));
    assert_eq!(check(1_000_000 - 60_000), Ok(()));
    assert_eq!(check(1_000_000 - 60_001), Err(TokenError::NotYetValid(UnixSeconds(1000))));
}

#[test]
fn another_issuer_or_audience_is_named() {
    let wrong = Claims { iss: "KVS".to_owned(), ..claims() };
    assert_eq!(wrong.check(&at(2_000_000)), Err(TokenError::Issuer("KVS".to_owned())));
    let wrong = Claims { aud: "other".to_owned(), ..claims() };
    let (found, expected) = ("other".to_owned(), "cluster".to_owned());
    assert_eq!(wrong.check(&at(2_000_000)), Err(TokenError::Audience { found, expected }));
}

#[test]
fn an_algorithm_that_the_key_is_not_for_is_refused_before_the_signature_is_looked_at() {
    for algorithm in ["none", "None", "HS256", "RS256", "eddsa", "EdDSA "] {
        let token =
            Unverified::parse(&text(&format!("{{\"alg\":\"{algorithm}\"}}"), "{}")).unwrap();
        let error = token.verify(Algorithm::EdDsa, |_, _| panic!("asked")).unwrap_err();
        let found = algorithm.to_owned();
        assert_eq!(error, TokenError::Algorithm { found, expected: Algorithm::EdDsa });
    }
}

#[test]
fn a_signature_that_does_not_fit_shows_no_claims() {
    let token = Unverified::parse(&text("{\"alg\":\"EdDSA\"}", "{}")).unwrap();
    assert_eq!(token.verify(Algorithm::EdDsa, |_, _| false).unwrap_err(), TokenError::Signature);
}

#[test]
fn what_is_no_token_is_refused() {
    let fine = text("{\"alg\":\"EdDSA\"}", "{}");
    assert!(Unverified::parse(&fine).is_ok());
    let padded = format!("{fine}=");
    let four = format!("{fine}.e30");
    let crit = text("{\"alg\":\"EdDSA\",\"crit\":[\"b64\"],\"b64\":false}", "{}");
    let twice = text("{\"alg\":\"EdDSA\",\"alg\":\"none\"}", "{}");
    let no_algorithm = text("{}", "{}");
    let stray_bits = "e30.e31.";
    for bad in ["", ".", "..", "a.b", &padded, &four, &crit, &twice, &no_algorithm, stray_bits] {
        assert!(matches!(Unverified::parse(bad), Err(TokenError::Malformed(_))), "{bad}");
    }
}

#[test]
fn the_longest_token_is_read_and_one_byte_more_is_not() {
    let token = |length: usize| {
        let start = text("{\"alg\":\"EdDSA\"}", "{}");
        let room = length - start.rfind('.').unwrap() - 1;
        // No base64 text has a length of 4n + 1.
        assert_ne!(room % 4, 1);
        format!("{}.{}", &start[..start.rfind('.').unwrap()], "A".repeat(room))
    };
    assert!(Unverified::parse(&token(MAX_TOKEN)).is_ok());
    let long = Unverified::parse(&token(MAX_TOKEN + 1));
    assert_eq!(long.unwrap_err(), TokenError::Malformed("it is longer than 16 KiB"));
}

#[test]
fn claims_that_come_twice_or_lack_one_are_refused() {
    let json = serde_json::to_string(&claims()).unwrap();
    let read = |payload: &str| {
        let token = Unverified::parse(&text("{\"alg\":\"EdDSA\"}", payload)).unwrap();
        token.verify(Algorithm::EdDsa, |_, _| true).unwrap().claims()
    };
    assert_eq!(read(&json), Ok(claims()));
    assert!(read(&json.replacen("{\"iss\":\"kvs\"", "{\"iss\":\"x\",\"iss\":\"kvs\"", 1)).is_err());
    assert!(read(&json.replace(",\"exp\":4600", "")).is_err());
    assert!(read(&json.replace("4600", "-1")).is_err());
    assert!(read(&json.replace("write", "writes")).is_err());
}

#[test]
fn debugging_output_holds_nothing_that_could_be_used() {
    let token = Unverified::parse(&text("{\"alg\":\"EdDSA\",\"kid\":\"k\"}", "{}")).unwrap();
    assert_eq!(format!("{token:?}"), "Unverified { kid: Some(\"k\"), .. }");
}

#[test]
fn lifetimes_hold_to_the_second() {
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    let lifetimes = Lifetimes { usual: hours(1), most: hours(720) };
    assert_eq!(lifetimes.choose(None), Ok(hours(1)));
    assert_eq!(lifetimes.choose(Some(hours(720))), Ok(hours(720)));
    assert_eq!(lifetimes.choose(Some(MIN_LIFETIME)), Ok(MIN_LIFETIME));
    let (asked, most) = (hours(720) + Duration::from_millis(1), hours(720));
    assert_eq!(lifetimes.choose(Some(asked)), Err(TtlError::TooLong { asked, most }));
    let short = Duration::from_millis(999);
    assert_eq!(lifetimes.choose(Some(short)), Err(TtlError::TooShort(short)));
    let inverted = Lifetimes { usual: hours(2), most: hours(1) };
    assert_eq!(inverted.choose(None), Ok(hours(1)));
    let (made, ends) = Lifetimes::period(UnixMillis(1_999), hours(1));
    assert_eq!((made, ends), (UnixSeconds(1), UnixSeconds(3601)));
}

proptest! {
    #[test]
    fn any_text_is_taken_apart_or_refused(text in "[A-Za-z0-9_.-]{0,60}") {
        if let Ok(token) = Unverified::parse(&text) {
            prop_assert_eq!(compact(token.signed(), token.signature()), text);
        }
    }

    #[test]
    fn a_period_holds_exactly_between_its_ends(start in 0u64..50, length in 0u64..50, now in 0u64..150_000) {
        let period = Period { start: Some(UnixSeconds(start)), end: UnixSeconds(start + length) };
        let within = now < (start + length) * 1000 && now + 10_000 >= start * 1000;
        prop_assert_eq!(period.check(UnixMillis(now), Duration::from_secs(10)).is_ok(), within);
    }
}
