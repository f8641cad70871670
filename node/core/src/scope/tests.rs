use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

fn set(texts: &[&str]) -> ScopeSet {
    ScopeSet::parse(texts).unwrap()
}

fn key(text: &str) -> Key {
    Key::client(text).unwrap()
}

/// Few distinct prefixes on few branches, so that scopes often cover each other.
const PREFIXES: [&str; 6] = ["a", "a/b", "a/bc", "a/b/c", "ab", "d:e"];

pub(crate) fn any_right() -> impl Strategy<Value = Right> {
    select(Right::all().collect::<Vec<_>>())
}

pub(crate) fn any_key() -> impl Strategy<Value = Key> {
    select(["a", "a/b", "a/bc", "a/b/c", "a/b/c/d", "ab", "d:e", "z"].map(key).to_vec())
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let limited =
        (any_right().prop_filter("limitable", |right| right.is_limitable()), select(&PREFIXES[..]))
            .prop_map(|(right, prefix)| scope(&format!("{right}:{prefix}")));
    prop_oneof![
        1 => Just(Scope::everything()),
        3 => select(&AREAS[..]).prop_map(|area| scope(&format!("{area}:*"))),
        6 => any_right().prop_map(Scope::of),
        6 => limited,
    ]
}

pub(crate) fn any_set() -> impl Strategy<Value = ScopeSet> {
    prop::collection::vec(any_scope(), 0..6).prop_map(|scopes| scopes.into_iter().collect())
}

proptest! {
    #[test]
    fn a_scope_survives_its_text(one in any_scope()) {
        prop_assert_eq!(one.to_string().parse(), Ok(one));
    }

    #[test]
    fn a_set_survives_its_json(scopes in any_set()) {
        let text = serde_json::to_string(&scopes).unwrap();
        prop_assert_eq!(serde_json::from_str::<ScopeSet>(&text).unwrap(), scopes);
    }

    #[test]
    fn any_text_is_a_scope_that_prints_as_it_or_an_error(text in "(read|write|admin|users|[:*/a-c_.]){0,6}") {
        if let Ok(scope) = text.parse::<Scope>() {
            prop_assert_eq!(scope.to_string(), text);
        }
    }

    #[test]
    fn covering_is_an_order(a in any_scope(), b in any_scope(), c in any_scope()) {
        prop_assert!(a.covers(&a));
        prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c));
        prop_assert!(!(a.covers(&b) && b.covers(&a)) || a == b);
    }

    #[test]
    fn who_covers_permits_as_much(a in any_scope(), b in any_scope(), right in any_right(), on in any_key()) {
        if a.covers(&b) {
            prop_assert!(a.permits(right) || !b.permits(right));
            prop_assert!(a.permits_on(right, &on) || !b.permits_on(right, &on));
            prop_assert!(a.permits_somewhere(right) || !b.permits_somewhere(right));
        }
    }

    #[test]
    fn an_intersection_permits_what_both_do(a in any_set(), b in any_set(), right in any_right(), on in any_key()) {
        let both = a.intersection(&b);
        prop_assert_eq!(both.permits(right), a.permits(right) && b.permits(right));
        prop_assert_eq!(both.permits_on(right, &on), a.permits_on(right, &on) && b.permits_on(right, &on));
        prop_assert_eq!(&both, &b.intersection(&a));
        prop_assert_eq!(a.intersection(&a), a.clone());
        prop_assert_eq!(both.lacking(&a).or(both.lacking(&b)), None);
    }

    #[test]
    fn a_union_permits_what_either_does(a in any_set(), b in any_set(), right in any_right(), on in any_key()) {
        let either = a.union(&b);
        prop_assert_eq!(either.permits(right), a.permits(right) || b.permits(right));
        prop_assert_eq!(either.permits_on(right, &on), a.permits_on(right, &on) || b.permits_on(right, &on));
        prop_assert_eq!(&either, &b.union(&a));
        prop_assert_eq!(a.union(&a), a.clone());
        prop_assert_eq!(a.lacking(&either).or(b.lacking(&either)), None);
    }

    #[test]
    fn who_lacks_nothing_permits_as_much(wanted in any_set(), held in any_set(), right in any_right(), on in any_key()) {
        if let Some(scope) = wanted.lacking(&held) {
            prop_assert!(wanted.covers(scope) && !held.covers(scope));
        } else {
            prop_assert!(held.permits(right) || !wanted.permits(right));
            prop_assert!(held.permits_on(right, &on) || !wanted.permits_on(right, &on));
        }
    }
}

#[test]
fn every_right_has_a_name_and_a_number_of_its_own() {
    for right in Right::all() {
        assert_eq!(Right::named(right.name()), Some(right));
        assert_eq!(Right::from_code(right.code()), Some(right));
    }
    assert_eq!(Right::all().count(), 23);
    assert_eq!(Right::named(""), None);
    assert_eq!(Right::from_code(0), None);
}

#[test]
fn a_prefix_is_of_whole_segments() {
    let room = scope("read:home/room");
    for inside in ["home/room", "home/room/closet", "home/room/a/b"] {
        assert!(room.permits_on(Right::Read, &key(inside)));
    }
    for outside in ["home", "home/roommate", "home/roo", "room", "x/home/room"] {
        assert!(!room.permits_on(Right::Read, &key(outside)));
    }
    assert!(!room.permits(Right::Read));
    assert!(!room.permits_on(Right::Write, &key("home/room")));
}

#[test]
fn a_wildcard_is_only_given_by_a_wildcard() {
    let every_right_today: ScopeSet = Right::all().map(Scope::of).collect();
    assert_eq!(set(&["*"]).lacking(&every_right_today), Some(&Scope::everything()));
    assert_eq!(set(&["admin:users:*"]).lacking(&every_right_today), Some(&scope("admin:users:*")));
    assert_eq!(set(&["admin:users:*", "read:a"]).lacking(&set(&["admin:*", "read"])), None);
}

#[test]
fn a_set_keeps_only_what_says_something() {
    assert_eq!(set(&["read:a/b", "read", "read:a"]), set(&["read"]));
    assert_eq!(set(&["read", "read"]), set(&["read"]));
    assert_eq!(set(&["admin:users:read", "*"]), ScopeSet::everything());
    assert_eq!(set(&["write", "read:ab", "read:a"]).to_string(), "read:a, read:ab, write");
}

#[test]
fn errors_say_what_is_wrong_and_what_is_allowed() {
    for text in
        ["", "Read", "admin", "admin:", "admin:users", "admin:user:read", "reads", " read", "read "]
    {
        let error = text.parse::<Scope>().unwrap_err();
        assert_eq!(error, ScopeError::Unknown(text.to_owned()));
        assert!(error.to_string().contains("allowed are read, write, delete"));
    }
    for text in ["read:*", "read:home/*", "*:read", "admin:us*", "admin:*:read", "**", "read*"] {
        assert_eq!(text.parse::<Scope>(), Err(ScopeError::Wildcard(text.to_owned())));
    }
    for text in ["admin:users:read:home", "admin:audit:read:"] {
        assert_eq!(text.parse::<Scope>(), Err(ScopeError::NotLimitable(text.to_owned())));
    }
    for text in [
        "read:",
        "read:/a",
        "write:a/",
        "delete:a//b",
        "read:_system/users",
        "admin:resources:read:..",
    ] {
        assert!(matches!(text.parse::<Scope>(), Err(ScopeError::Prefix { .. })), "{text}");
    }
}

#[test]
fn the_greatest_number_of_scopes_is_taken_and_one_more_is_not() {
    let texts = |count: usize| (0..count).map(|at| format!("read:k{at}")).collect::<Vec<_>>();
    assert_eq!(ScopeSet::parse(texts(MAX_SCOPES)).unwrap().iter().len(), MAX_SCOPES);
    assert_eq!(ScopeSet::parse(texts(MAX_SCOPES + 1)), Err(ScopeError::TooMany));
}
