mod model;

use uuid::Uuid;

use super::*;
use crate::key::Key;
use crate::meta::Meta;

const ON: Switches = Switches { auth: true, anonymous_read: false, anonymous_write: false };
const NOW: UnixMillis = UnixMillis(1_000);
const LATER: UnixMillis = UnixMillis(2_000);
const ADMIN: &str = "admin:resources:update";

fn user(number: u128) -> UserId {
    UserId::new(Uuid::from_u128(number))
}

fn group(number: u128) -> GroupId {
    GroupId::new(Uuid::from_u128(number))
}

fn key(text: &str) -> Key {
    Key::client(text).unwrap()
}

fn set(scopes: &[&str]) -> ScopeSet {
    ScopeSet::parse(scopes).unwrap()
}

fn mode(text: &str) -> Meta {
    Meta { mode: Some(text.parse().unwrap()), ..Meta::default() }
}

/// What user 1 of group 1, with these scopes, is told.
fn ask(scopes: &[&str], action: Action, resource: &Resource<'_>) -> Decision {
    let (scopes, groups) = (set(scopes), [group(1)]);
    let caller = Caller::User { id: user(1), groups: &groups, scopes: &scopes, expires_at: LATER };
    decide(ON, &caller, action, resource, NOW)
}

const CHMOD: Action = Action::ChangeMetadata { group: None, above_others: false };

#[test]
fn a_scope_without_the_bit_or_a_bit_without_the_scope_is_not_enough() {
    let key = key("home/room");
    let meta = mode("---r--------");
    let mine = Resource {
        present: true,
        first_writer: Some(user(1)),
        own: Some(&meta),
        ..Resource::unwritten(&key)
    };
    assert!(ask(&["read"], Action::Read, &mine).is_allowed());
    assert_eq!(
        ask(&["write"], Action::Read, &mine),
        Decision::Denied(Because::LacksScope(Right::Read))
    );
    let denied = ask(&["write"], Action::Write, &mine);
    assert_eq!(
        denied.to_string(),
        "denied: mode ---r-------- of home/room does not let the owner write"
    );
}

#[test]
fn the_first_class_decides_even_if_a_later_one_allows() {
    let key = key("home/room");
    let meta = Meta { group: Some(group(1)), ..mode("----cdwrcdwr") };
    let mine = Resource {
        present: true,
        first_writer: Some(user(1)),
        own: Some(&meta),
        ..Resource::unwritten(&key)
    };
    assert!(!ask(&["read"], Action::Read, &mine).is_allowed());
    let theirs = Resource { first_writer: Some(user(2)), ..mine };
    assert!(ask(&["read"], Action::Read, &theirs).is_allowed());
    let meta = Meta { group: Some(group(1)), ..mode("--------cdwr") };
    assert!(!ask(&["read"], Action::Read, &Resource { own: Some(&meta), ..theirs }).is_allowed());
}

#[test]
fn create_is_asked_of_the_nearest_governing_ancestor_and_its_owner() {
    let (home, room) = (key("home"), key("home/room"));
    let (meta, open) = (mode("c-----------"), mode("cdwrcdwrcdwr"));
    let above = Governing { key: &home, meta: &meta, first_writer: Some(user(1)) };
    // Its own metadata, though it would allow it, has no say.
    let new = Resource { own: Some(&open), above: Some(above), ..Resource::unwritten(&room) };
    assert!(ask(&["write"], Action::Create, &new).is_allowed());
    let above = Some(Governing { first_writer: Some(user(2)), ..above });
    let denied = ask(&["write"], Action::Create, &Resource { above, ..new });
    assert_eq!(denied.to_string(), "denied: mode c----------- of home does not let others create");
    assert_eq!(
        ask(&["write"], Action::Create, &Resource { above: None, ..new }),
        Decision::Allowed(Because::NoBits)
    );
}

#[test]
fn a_key_without_owner_and_metadata_has_no_bits() {
    let key = key("a");
    let open = Resource { present: true, ..Resource::unwritten(&key) };
    assert_eq!(ask(&["delete"], Action::Delete, &open), Decision::Allowed(Because::NoBits));
    let owned = Resource { first_writer: Some(user(2)), ..open };
    let denied = ask(&["delete"], Action::Delete, &owned);
    assert_eq!(
        denied.to_string(),
        "denied: mode cdwr--wr---r of the default does not let others delete"
    );
}

#[test]
fn only_admin_resources_passes_over_bits_and_each_over_its_own() {
    let key = key("a");
    let meta = mode("------------");
    let closed = Resource { present: true, own: Some(&meta), ..Resource::unwritten(&key) };
    let every_other: Vec<_> = Right::all()
        .filter(|right| !right.name().starts_with("admin:resources"))
        .map(Right::name)
        .collect();
    for action in [Action::Read, Action::Write, Action::Delete, Action::Shorten] {
        assert!(!ask(&every_other, action, &closed).is_allowed());
        assert!(ask(&["*"], action, &closed).is_allowed());
    }
    assert!(ask(&["read", "admin:resources:read"], Action::Read, &closed).is_allowed());
    assert!(!ask(&["read", ADMIN], Action::Read, &closed).is_allowed());
    assert!(ask(&["write", ADMIN], Action::Write, &closed).is_allowed());
    assert!(!ask(&["write", "admin:resources:read"], Action::Write, &closed).is_allowed());
    // It passes over bits and not over scopes, and where it is limited, only there.
    assert!(!ask(&[ADMIN], Action::Write, &closed).is_allowed());
    assert!(!ask(&["write", "admin:resources:update:b"], Action::Write, &closed).is_allowed());
}

#[test]
fn who_may_write_a_key_cannot_permit_themself_the_rest() {
    let key = key("a");
    let meta = Meta { group: Some(group(1)), ..mode("cdwrcdwrcdwr") };
    let theirs = Resource {
        present: true,
        first_writer: Some(user(2)),
        own: Some(&meta),
        ..Resource::unwritten(&key)
    };
    assert!(ask(&["write"], Action::Write, &theirs).is_allowed());
    assert_eq!(ask(&["write"], CHMOD, &theirs), Decision::Denied(Because::NotOwner(user(2))));
    assert!(ask(&["write", ADMIN], CHMOD, &theirs).is_allowed());
    let mine = Resource { first_writer: Some(user(1)), ..theirs };
    assert!(ask(&["write"], CHMOD, &mine).is_allowed());
}

#[test]
fn owners_foreign_groups_and_metadata_above_others_take_an_administrator() {
    let key = key("a");
    let mine = Resource { present: true, first_writer: Some(user(1)), ..Resource::unwritten(&key) };
    let above = Action::ChangeMetadata { group: None, above_others: true };
    let to = |number| Action::ChangeMetadata { group: Some(group(number)), above_others: false };
    let cases = [
        (Action::ChangeOwner, Because::LacksScope(Right::UpdateResources)),
        (above, Because::AboveOthers),
        (to(2), Because::ForeignGroup(group(2))),
    ];
    for (action, because) in cases {
        assert_eq!(because.missing_scope(), Some(Right::UpdateResources));
        assert_eq!(ask(&["read", "write", "delete"], action, &mine), Decision::Denied(because));
        assert!(ask(&["write", ADMIN], action, &mine).is_allowed());
        assert!(!ask(&[ADMIN], action, &mine).is_allowed());
    }
    assert!(ask(&["write"], to(1), &mine).is_allowed());
}

#[test]
fn metadata_of_a_new_prefix_is_made_where_a_key_could_be() {
    let (home, room) = (key("home"), key("home/room"));
    let meta = mode("cdwr-----d-r");
    let above = Some(Governing { key: &home, meta: &meta, first_writer: Some(user(2)) });
    let new = Resource { above, ..Resource::unwritten(&room) };
    assert!(!ask(&["write"], CHMOD, &new).is_allowed());
    let meta = mode("cdwr----c---");
    let above = Some(Governing { key: &home, meta: &meta, first_writer: Some(user(2)) });
    assert!(ask(&["write"], CHMOD, &Resource { above, ..new }).is_allowed());
}

#[test]
fn a_shorter_life_is_a_delete() {
    let key = key("a");
    let meta = mode("c-wr--------");
    let mine = Resource {
        present: true,
        first_writer: Some(user(1)),
        own: Some(&meta),
        ..Resource::unwritten(&key)
    };
    let both = [Action::Write, Action::Shorten];
    let (scopes, groups) = (set(&["write", "delete"]), [group(1)]);
    let caller = Caller::User { id: user(1), groups: &groups, scopes: &scopes, expires_at: LATER };
    assert!(decide_all(ON, &caller, &both[..1], &mine, NOW).is_allowed());
    assert!(!decide_all(ON, &caller, &both, &mine, NOW).is_allowed());
    let open = Switches { anonymous_read: true, anonymous_write: true, ..ON };
    let free = Resource { present: true, ..Resource::unwritten(&key) };
    assert!(!decide_all(open, &Caller::Anonymous, &both, &free, NOW).is_allowed());
}

#[test]
fn a_revision_of_a_former_owner_stays_theirs() {
    let key = key("a");
    let meta = mode("cdwr--------");
    let mine = Resource {
        present: true,
        first_writer: Some(user(1)),
        own: Some(&meta),
        ..Resource::unwritten(&key)
    };
    let theirs_once = Resource { former_owner: Some(user(2)), ..mine };
    assert!(ask(&["read"], Action::Read, &mine).is_allowed());
    assert!(!ask(&["read"], Action::Read, &theirs_once).is_allowed());
    assert!(!ask(&["write"], Action::Restore, &theirs_once).is_allowed());
    assert!(
        ask(&["write"], Action::Restore, &Resource { former_owner: Some(user(1)), ..mine })
            .is_allowed()
    );
    // An owner that an administrator set is the owner of all that was ever there.
    let given = Meta { owner: Some(user(1)), ..meta };
    assert!(
        ask(&["read"], Action::Read, &Resource { own: Some(&given), ..theirs_once }).is_allowed()
    );
}

#[test]
fn the_anonymous_caller_is_let_in_by_switches_and_never_deletes() {
    let key = key("a");
    let free = Resource { present: true, ..Resource::unwritten(&key) };
    let ask = |read, write, action| {
        let switches = Switches { auth: true, anonymous_read: read, anonymous_write: write };
        decide(switches, &Caller::Anonymous, action, &free, NOW)
    };
    assert!(ask(true, false, Action::Read).is_allowed());
    assert_eq!(
        ask(false, true, Action::Read),
        Decision::Denied(Because::AnonymousOff("allow_anonymous_read"))
    );
    assert!(
        ask(false, true, Action::Write).is_allowed()
            && ask(false, true, Action::Create).is_allowed()
    );
    assert!(!ask(true, false, Action::Write).is_allowed());
    for action in [Action::Delete, Action::Shorten, CHMOD, Action::ChangeOwner] {
        assert_eq!(
            ask(true, true, action),
            Decision::Denied(Because::NeverAnonymous(action.name()))
        );
    }
}

#[test]
fn an_expired_caller_may_nothing_from_the_very_millisecond_on() {
    let (key, scopes) = (key("a"), ScopeSet::everything());
    let free = Resource { present: true, ..Resource::unwritten(&key) };
    let caller = Caller::User { id: user(1), groups: &[], scopes: &scopes, expires_at: LATER };
    assert!(decide(ON, &caller, Action::Read, &free, UnixMillis(LATER.0 - 1)).is_allowed());
    assert_eq!(
        decide(ON, &caller, Action::Read, &free, LATER),
        Decision::Denied(Because::Expired(LATER))
    );
}

#[test]
fn system_records_are_nobodys_even_with_auth_off() {
    let (key, scopes) = (Key::system("_system/users/root").unwrap(), ScopeSet::everything());
    let caller = Caller::User { id: user(1), groups: &[], scopes: &scopes, expires_at: LATER };
    for auth in [true, false] {
        let switches = Switches { auth, ..ON };
        let decision = decide(switches, &caller, Action::Read, &Resource::unwritten(&key), NOW);
        assert_eq!(decision, Decision::Denied(Because::System));
    }
}
