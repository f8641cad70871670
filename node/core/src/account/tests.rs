use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::codec;
use crate::id::{GroupId, TokenId, UserId};
use crate::key::Key;
use crate::scope::ScopeSet;
use crate::stamp::{Stamp, UnixMillis};
use crate::token::{Claims, TokenError, UnixSeconds};

const NOW: UnixMillis = UnixMillis(1_000_000);
const CLUSTER: Uuid = Uuid::from_u128(0xC1);

fn set(scopes: &[&str]) -> ScopeSet {
    ScopeSet::parse(scopes).unwrap()
}

fn user(number: u128) -> UserId {
    UserId::new(Uuid::from_u128(number))
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn kid(text: &str) -> KeyId {
    text.parse().unwrap()
}

fn alice(id: u128, scopes: &[&str]) -> User {
    let (id, name, scopes) = (user(id), name("alice"), set(scopes));
    User { id, name, scopes, disabled: false, created_at: UnixMillis(7) }
}

fn group(id: u128, of: &str, scopes: &[&str]) -> Group {
    let id = GroupId::new(Uuid::from_u128(id));
    Group { id, name: name(of), scopes: set(scopes), created_at: UnixMillis(7) }
}

fn signing(of: &str, created_at: u64) -> SigningKey {
    let (public, sealed) = (vec![1, 2, 255], Some(vec![9; 4]));
    SigningKey { kid: kid(of), public, sealed, created_at: UnixMillis(created_at) }
}

fn token_record() -> Token {
    Token {
        id: TokenId::new(Uuid::from_u128(5)),
        user: user(1),
        issued_by: user(2),
        scopes: set(&["read:home"]),
        kid: kid("k1"),
        issued_at: UnixSeconds(10),
        expires_at: UnixSeconds(20),
    }
}

fn claims(sub: u128, jti: u128, scopes: &[&str]) -> Claims {
    Claims {
        iss: "kvs".to_owned(),
        aud: CLUSTER.to_string(),
        sub: user(sub),
        scopes: set(scopes),
        iat: UnixSeconds(1),
        exp: UnixSeconds(2_000),
        jti: TokenId::new(Uuid::from_u128(jti)),
    }
}

fn revocations() -> Vec<Revocation> {
    vec![
        Revocation::token(
            TokenId::new(Uuid::from_u128(5)),
            UnixSeconds(2_000),
            Duration::from_mins(1),
        ),
        Revocation::user(user(1)),
        Revocation::key(kid("k1")),
    ]
}

fn records() -> Vec<Record> {
    let membership = Membership { group: GroupId::new(Uuid::from_u128(3)), user: user(1) };
    let mut records = vec![
        Record::User(alice(1, &["read", "write:a"])),
        Record::Group(group(3, "family", &["delete"])),
        Record::Membership(membership),
        Record::Token(token_record()),
        Record::SigningKey(signing("k1", 7)),
    ];
    records.extend(revocations().into_iter().map(Record::Revocation));
    records
}

#[test]
fn records_lie_and_read_as_documented() {
    let written: Vec<_> = records()
        .iter()
        .map(|record| encode(record).unwrap())
        .map(|(key, body)| format!("{key} {}", String::from_utf8(body).unwrap()))
        .collect();
    let id = |number: u32| format!("00000000-0000-0000-0000-{number:012}");
    assert_eq!(written, [
        format!("_system/users/alice {{\"format\":1,\"id\":\"{}\",\"name\":\"alice\",\"scopes\":[\"read\",\"write:a\"],\"disabled\":false,\"created_at\":7}}", id(1)),
        format!("_system/groups/family {{\"format\":1,\"id\":\"{}\",\"name\":\"family\",\"scopes\":[\"delete\"],\"created_at\":7}}", id(3)),
        format!("_system/memberships/{0}/{1} {{\"format\":1,\"group\":\"{0}\",\"user\":\"{1}\"}}", id(3), id(1)),
        format!("_system/tokens/{} {{\"format\":1,\"id\":\"{}\",\"user\":\"{}\",\"issued_by\":\"{}\",\"scopes\":[\"read:home\"],\"kid\":\"k1\",\"issued_at\":10,\"expires_at\":20}}", id(5), id(5), id(1), id(2)),
        "_system/keys/k1 {\"format\":1,\"kid\":\"k1\",\"public\":\"AQL_\",\"sealed\":\"CQkJCQ\",\"created_at\":7}".to_owned(),
        format!("_system/revoked/tokens/{}/2060000 {{\"format\":1}}", id(5)),
        format!("_system/revoked/users/{} {{\"format\":1}}", id(1)),
        "_system/revoked/keys/k1 {\"format\":1}".to_owned(),
    ]);
}

#[test]
fn a_record_survives_its_bytes_and_its_place() {
    for record in records() {
        let (key, body) = encode(&record).unwrap();
        assert_eq!(Place::of(&key), Some(record.place()));
        assert_eq!(decode(&key, &body).unwrap(), record);
    }
}

#[test]
fn a_record_of_another_place_or_format_is_named() {
    let (key, body) = encode(&Record::User(alice(1, &[]))).unwrap();
    let bob = Key::system("_system/users/bob").unwrap();
    assert!(matches!(decode(&bob, &body), Err(RecordError::Elsewhere(key)) if key == bob));
    let later = String::from_utf8(body).unwrap().replace("\"format\":1", "\"format\":2");
    let error = decode(&key, later.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "the record _system/users/alice has format 2; this build reads 1");
    assert!(matches!(decode(&key, b"{}"), Err(RecordError::Json { .. })));
}

#[test]
fn each_place_has_one_spelling() {
    let id = "0000000a-0000-0000-0000-000000000001";
    let fine = [
        "_system/users/a:b@c+d.e-f_g",
        &format!("_system/tokens/{id}"),
        &format!("_system/revoked/tokens/{id}/0"),
    ];
    for text in fine {
        assert!(Place::of(&Key::system(text).unwrap()).is_some(), "{text}");
    }
    let (upper, bare) = (id.to_uppercase(), id.replace('-', ""));
    let bad = [
        "home/users/a".to_owned(),
        "_system/users".to_owned(),
        "_system/users/a/b".to_owned(),
        "_system/users/é".to_owned(),
        "_system/users/.a".to_owned(),
        "_system/other/a".to_owned(),
        format!("_system/tokens/{upper}"),
        format!("_system/tokens/{bare}"),
        format!("_system/memberships/{id}"),
        format!("_system/memberships/{id}/{id}/{id}"),
        format!("_system/revoked/tokens/{id}"),
        format!("_system/revoked/tokens/{id}/01"),
        format!("_system/revoked/tokens/{id}/{}", Stamp::MAX_MILLIS + 1),
        format!("_system/revoked/users/{id}/5"),
        format!("_system/revoked/users/{id}/5/6"),
    ];
    for text in bad {
        assert_eq!(Place::of(&Key::system(&text).unwrap()), None, "{text}");
    }
}

#[test]
fn names_are_of_plain_letters_and_bounded() {
    assert!("x".repeat(MAX_NAME).parse::<Name>().is_ok());
    assert_eq!("x".repeat(MAX_NAME + 1).parse::<Name>(), Err(NameError::Length(MAX_NAME + 1)));
    assert_eq!("".parse::<Name>(), Err(NameError::Length(0)));
    for (text, character) in
        [("_a", '_'), ("-a", '-'), ("a b", ' '), ("a/b", '/'), ("аlice", 'а'), ("a\n", '\n')]
    {
        assert_eq!(text.parse::<Name>(), Err(NameError::Character(text.to_owned(), character)));
    }
    assert!("k".repeat(MAX_KEY_ID).parse::<KeyId>().is_ok());
    for text in ["", "k-1", "../x", &"k".repeat(MAX_KEY_ID + 1)] {
        assert_eq!(text.parse::<KeyId>(), Err(NameError::KeyId(text.to_owned())));
    }
}

#[test]
fn every_birth_writes_the_same_root() {
    let born = || root_records(CLUSTER, kid("k1"), &[7; 32]).unwrap();
    let bytes = |(id, version): &(crate::RecordId, crate::Version)| {
        (id.encode(), codec::encode(version, crate::Format::One))
    };
    let all: Vec<_> = born().iter().map(bytes).collect();
    assert_eq!(all, born().iter().map(bytes).collect::<Vec<_>>());
    let mut hasher = blake3::Hasher::new();
    for (id, version) in &all {
        hasher.update(id).update(version.as_ref());
    }
    // What releases before this one wrote; another value would make two roots of one cluster.
    assert_eq!(
        hasher.finalize().to_hex().as_str(),
        "ed643690cd7ab74765bf5df67b94bb2fc4cbf907570008909ac3354fc48b575e"
    );
    assert!(born().iter().all(|(_, version)| version.stamp == Stamp::MIN.next()));
    let other = root_records(Uuid::from_u128(0xC2), kid("k1"), &[7; 32]).unwrap();
    assert!(born().iter().zip(&other).all(|(a, b)| a.1.uuid != b.1.uuid));
    assert_ne!(RootIds::of(CLUSTER), RootIds::of(Uuid::from_u128(0xC2)));
}

#[test]
fn root_may_do_everything_until_deleted_and_no_later_birth_brings_it_back() {
    let mut directory = Directory::default();
    let birth = |directory: &mut Directory| {
        for (id, version) in root_records(CLUSTER, kid("k1"), &[7; 32]).unwrap() {
            let crate::Body::Value(value) = &version.body else { panic!("{version:?}") };
            directory.put(version.stamp, decode(&id.key, &value.bytes().unwrap()).unwrap());
        }
    };
    birth(&mut directory);
    let root = Claims { sub: RootIds::of(CLUSTER).user, ..claims(0, 1, &["*"]) };
    assert_eq!(directory.rights(&kid("k1"), &root, NOW).unwrap().scopes, ScopeSet::everything());
    directory.remove(&Place::User(name(ROOT_USER)));
    directory.put(Stamp::MAX, Record::Revocation(Revocation::user(root.sub)));
    birth(&mut directory);
    assert_eq!(
        directory.rights(&kid("k1"), &root, UnixMillis(Stamp::MAX_MILLIS)),
        Err(TokenError::User)
    );
    assert_eq!(directory.ghosts(NOW).count(), 1);
}

#[test]
fn effective_rights_are_what_the_token_and_the_user_or_groups_hold() {
    let mut directory = Directory::default();
    directory.put(Stamp::MIN, Record::User(alice(1, &["read:a"])));
    directory.put(Stamp::MIN, Record::Group(group(3, "family", &["write", "admin:users:read"])));
    let rights = |directory: &Directory, scopes: &[&str]| {
        directory.rights(&kid("k1"), &claims(1, 5, scopes), NOW).unwrap()
    };
    assert_eq!(rights(&directory, &["*"]).scopes, set(&["read:a"]));
    directory.put(Stamp::MIN, records().remove(2));
    assert_eq!(rights(&directory, &["*"]).scopes, set(&["read:a", "write", "admin:users:read"]));
    assert_eq!(
        rights(&directory, &["read", "write:b", "delete"]).scopes,
        set(&["read:a", "write:b"])
    );
    assert_eq!(rights(&directory, &["*"]).groups.len(), 1);
    directory.remove(&Place::Group(name("family")));
    assert_eq!(rights(&directory, &["*"]).scopes, set(&["read:a"]));
    directory.put(Stamp::MIN, Record::User(User { disabled: true, ..alice(1, &["read"]) }));
    assert_eq!(directory.rights(&kid("k1"), &claims(1, 5, &["*"]), NOW), Err(TokenError::User));
}

#[test]
fn a_name_that_is_used_again_inherits_nothing() {
    let mut directory = Directory::default();
    records().into_iter().take(3).for_each(|record| directory.put(Stamp::MIN, record));
    directory.put(Stamp::MIN, Record::User(alice(9, &["read"])));
    assert_eq!(directory.rights(&kid("k1"), &claims(1, 5, &["*"]), NOW), Err(TokenError::User));
    let rights = directory.rights(&kid("k1"), &claims(9, 6, &["*"]), NOW).unwrap();
    assert_eq!((rights.groups, rights.scopes), (vec![], set(&["read"])));
}

#[test]
fn revocations_refuse_the_token_the_key_and_the_user() {
    let base = || {
        let mut directory = Directory::default();
        directory.put(Stamp::MIN, Record::User(alice(1, &["read"])));
        directory
    };
    let errors = [TokenError::Revoked, TokenError::User, TokenError::Revoked];
    for (revocation, error) in revocations().into_iter().zip(errors) {
        let mut directory = base();
        directory.put(Stamp::MIN, Record::Revocation(revocation));
        assert_eq!(directory.rights(&kid("k1"), &claims(1, 5, &["*"]), NOW), Err(error));
    }
}

#[test]
fn a_revocation_of_a_token_ends_when_no_clock_believes_it() {
    let revocation = &revocations()[0];
    assert_eq!(revocation.expires_at(), Some(UnixMillis(2_060_000)));
    assert!(
        revocation.is_in_force(UnixMillis(2_059_999))
            && !revocation.is_in_force(UnixMillis(2_060_000))
    );
    let mut directory = Directory::default();
    directory.put(Stamp::MIN, Record::Revocation(revocation.clone()));
    directory.forget(UnixMillis(2_059_999));
    assert!(directory.is_revoked(revocation.what(), NOW));
    directory.forget(UnixMillis(2_060_000));
    assert!(!directory.is_revoked(revocation.what(), NOW));
}

#[test]
fn a_key_signs_once_all_hold_it_or_no_other_is_left_and_never_when_revoked() {
    let mut directory = Directory::default();
    directory.put(Stamp::from_bits(1), Record::SigningKey(signing("k1", 0)));
    directory.put(Stamp::from_bits(50), Record::SigningKey(signing("k2", 50)));
    let signs = |directory: &Directory, horizon| {
        directory.signs(Stamp::from_bits(horizon), NOW, |_| true).map(|key| key.kid.to_string())
    };
    assert_eq!(signs(&directory, 49).as_deref(), Some("k1"));
    assert_eq!(signs(&directory, 50).as_deref(), Some("k2"));
    directory.put(Stamp::MIN, Record::Revocation(Revocation::key(kid("k1"))));
    assert_eq!(signs(&directory, 49).as_deref(), Some("k2"), "a member is away");
    assert!(directory.signing_key(&kid("k1"), NOW).is_none());
    directory.put(Stamp::MIN, Record::Revocation(Revocation::key(kid("k2"))));
    assert_eq!(signs(&directory, 50), None);
}

#[test]
fn nobody_gives_what_they_lack() {
    let held = set(&["admin:tokens:create", "admin:groups:*", "read:home"]);
    let none = ScopeSet::EMPTY;
    assert_eq!(may_change(&held, &none, &set(&["read:home/room"])), Ok(()));
    assert_eq!(may_change(&held, &none, &set(&["*"])), Err(Lacking("*".parse().unwrap())));
    assert_eq!(may_change(&held, &none, &set(&["read"])), Err(Lacking("read".parse().unwrap())));
    // Not even to take it away: root is not weakened by those below.
    assert_eq!(may_change(&held, &set(&["*"]), &none), Err(Lacking("*".parse().unwrap())));
}

proptest! {
    /// Whatever is told in whatever order, and however often: as long as the last word on each
    /// place is the same, so is the directory, but for revocations, of which none is ever lost.
    #[test]
    fn the_order_of_arrival_does_not_matter(
        order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
        noise in prop::collection::vec((0usize..8, any::<bool>()), 0..20),
    ) {
        let records = records();
        let mut plain = Directory::default();
        for record in &records {
            plain.put(Stamp::MIN, record.clone());
        }
        let mut noisy = Directory::default();
        for (at, put) in noise {
            if put { noisy.put(Stamp::MAX, records[at].clone()) } else { noisy.remove(&records[at].place()) }
        }
        for at in order {
            noisy.put(Stamp::MIN, records[at].clone());
        }
        prop_assert_eq!(format!("{plain:?}"), format!("{noisy:?}"));
        for revocation in revocations() {
            noisy.remove(&Place::Revocation(revocation.clone()));
            prop_assert!(noisy.is_revoked(revocation.what(), NOW));
        }
    }

    #[test]
    fn any_key_is_one_place_or_none(text in "_system(/(users|groups|members|tokens|keys|revoked|a|0|00000000-0000-0000-0000-00000000000[0-9a-fA-F])){1,5}") {
        let key = Key::system(&text).unwrap();
        if let Some(place) = Place::of(&key) {
            prop_assert_eq!(place.key().unwrap(), key);
        }
    }
}
