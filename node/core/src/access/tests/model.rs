//! The decision against a second one that shares nothing with it but the question: a table of what
//! each action needs, and the mode as the twelve letters that people read.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::scope::tests::any_set;

/// Action, scope, column in `cdwr`, switch for the anonymous caller.
const TABLE: [(Action, &str, usize, char); 6] = [
    (Action::Read, "read", 3, 'r'),
    (Action::Create, "write", 0, 'w'),
    (Action::Write, "write", 2, 'w'),
    (Action::Delete, "delete", 1, '-'),
    (Action::Shorten, "delete", 1, '-'),
    (Action::Restore, "write", 3, 'w'),
];

/// Small numbers stand for users and groups, so that they often meet.
#[derive(Clone, Debug)]
struct Case {
    /// Read and write switches of the configuration.
    switches: (bool, bool),
    /// The user; nobody is anonymous.
    caller: Option<u128>,
    groups: Vec<u128>,
    scopes: ScopeSet,
    present: bool,
    first_writer: Option<u128>,
    own: Option<Set>,
    above: Option<(Set, Option<u128>)>,
}

/// Owner, group and mode that were set.
type Set = (Option<u128>, Option<u128>, Option<u64>);

fn any_set_metadata() -> impl Strategy<Value = Set> {
    use prop::option::of;
    (of(0u128..3), of(0u128..3), of(0u64..0x1000))
}

fn any_scopes() -> impl Strategy<Value = ScopeSet> {
    let useful = [
        "read",
        "write",
        "delete",
        "read:a",
        "write:a/b",
        "delete:ab",
        "admin:resources:read",
        "admin:resources:update:a",
    ];
    let useful = prop::collection::vec(select(useful.to_vec()), 0..6);
    prop_oneof![useful.prop_map(|scopes| set(&scopes)), any_set()]
}

prop_compose! {
    fn any_case()(
        switches in any::<(bool, bool)>(),
        caller in prop::option::weighted(0.8, 0u128..3),
        groups in prop::collection::vec(0u128..3, 0..3),
        scopes in any_scopes(),
        present in any::<bool>(),
        first_writer in prop::option::of(0u128..3),
        own in prop::option::of(any_set_metadata()),
        above in prop::option::of((any_set_metadata(), prop::option::of(0u128..3))),
    ) -> Case {
        Case { switches, caller, groups, scopes, present, first_writer, own, above }
    }
}

/// The rules once more, from the numbers alone.
fn model(case: &Case, row: (Action, &str, usize, char), key: &Key) -> bool {
    let (action, scope, column, switch) = row;
    let holds = |name: &str| {
        let right = Right::named(name).unwrap();
        case.caller.is_some() && case.scopes.permits_on(right, key)
    };
    let let_in = match (case.caller, switch) {
        (Some(_), _) => holds(scope),
        (None, 'r') => case.switches.0,
        (None, 'w') => case.switches.1,
        (None, _) => false,
    };
    let over = holds(if column == 3 { "admin:resources:read" } else { "admin:resources:update" });
    let there = case.present || case.own.is_some();
    let (metadata, writer) = if action == Action::Create {
        (case.above.map(|(set, _)| set), case.above.and_then(|(_, writer)| writer))
    } else {
        (case.own.or(case.above.map(|(set, _)| set)), case.first_writer.filter(|_| there))
    };
    let owner = metadata.and_then(|(owner, _, _)| owner).or(writer);
    let free = owner.is_none() && metadata.is_none();
    let letters = match metadata.and_then(|(_, _, mode)| mode) {
        Some(bits) => Mode::from_bits(bits).unwrap().to_string(),
        None => "cdwr--wr---r".to_owned(),
    };
    let group = metadata.and_then(|(_, group, _)| group);
    let class = match case.caller {
        Some(user) if owner == Some(user) => 0,
        Some(_) if group.is_some_and(|group| case.groups.contains(&group)) => 1,
        _ => 2,
    };
    let bit = &letters[4 * class + column..=4 * class + column] != "-";
    let_in && (over || free || bit)
}

fn meta((owner, of, bits): Set) -> Meta {
    let mode = bits.map(|bits| Mode::from_bits(bits).unwrap());
    Meta { owner: owner.map(user), group: of.map(group), mode, ttl: None }
}

/// What the code says.
fn code(case: &Case, action: Action, key: &Key) -> Decision {
    let (own, parent) = (case.own.map(meta), Key::client("a").unwrap());
    let above = case.above.map(|(set, writer)| (meta(set), writer.map(user)));
    let above = above.as_ref().map(|(meta, first_writer)| Governing {
        key: &parent,
        meta,
        first_writer: *first_writer,
    });
    let resource = Resource {
        present: case.present,
        first_writer: case.first_writer.map(user),
        own: own.as_ref(),
        above,
        ..Resource::unwritten(key)
    };
    let groups: Vec<_> = case.groups.iter().map(|number| group(*number)).collect();
    let caller = match case.caller {
        None => Caller::Anonymous,
        Some(id) => {
            Caller::User { id: user(id), groups: &groups, scopes: &case.scopes, expires_at: LATER }
        }
    };
    let (anonymous_read, anonymous_write) = case.switches;
    decide(
        Switches { auth: true, anonymous_read, anonymous_write },
        &caller,
        action,
        &resource,
        NOW,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_decision_is_the_tables(case in any_case(), row in select(&TABLE[..]), on in select(&["a", "a/b", "ab"][..])) {
        let key = Key::client(on).unwrap();
        let decision = code(&case, row.0, &key);
        prop_assert_eq!(decision.is_allowed(), model(&case, row, &key), "{} for {:?}", decision, case);
    }

    #[test]
    fn a_reason_names_a_bit_that_is_as_it_says(case in any_case(), row in select(&TABLE[..])) {
        let decision = code(&case, row.0, &Key::client("a/b").unwrap());
        if let Because::Bit { class, permission, mode, .. } = decision.because() {
            prop_assert_eq!(decision.is_allowed(), mode.allows(*class, *permission));
        }
    }

    #[test]
    fn more_scopes_never_deny(case in any_case(), more in any_scopes(), row in select(&TABLE[..])) {
        let key = Key::client("a/b").unwrap();
        let before = code(&case, row.0, &key);
        let wider = Case { scopes: case.scopes.union(&more), ..case };
        prop_assert!(!before.is_allowed() || code(&wider, row.0, &key).is_allowed());
    }
}
