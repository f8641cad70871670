use serde_json::{Value, json};

use super::*;

const NOW: UnixMillis = UnixMillis(1_000_000);
const ID: Uuid = Uuid::from_u128(7);
const OTHER: Uuid = Uuid::from_u128(8);

/// A `KvsUser` with this mark, held if it has one.
fn user(mark: Option<Mark>, spec: Value) -> KvsUser {
    let mut object = json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsUser",
        "metadata": { "name": "cart", "namespace": "shop" },
        "spec": { "cluster": "db" },
    });
    let Value::Object(fields) = spec else { panic!() };
    for (name, value) in fields {
        object["spec"][name] = value;
    }
    if let Some(mark) = mark {
        object["metadata"]["annotations"] = json!({ MARK: mark.to_string() });
        object["metadata"]["finalizers"] = json!([FINALIZER]);
    }
    serde_json::from_value(object).unwrap()
}

fn leaving(mark: Option<Mark>) -> KvsUser {
    let mut user = user(mark, json!({}));
    user.metadata.deletion_timestamp = Some(time(NOW));
    user
}

fn account(id: Uuid, created: u64) -> Account {
    let created = UnixMillis(created);
    Account { id, scopes: Vec::new(), groups: Vec::new(), disabled: false, created }
}

fn seen(account: Option<Account>) -> Seen {
    Seen { node_now: NOW, account, secret: Secret::Absent, token: None }
}

/// The step that is next, or the reason why there is none.
fn step(user: &KvsUser, seen: &Seen) -> String {
    match next(user, seen) {
        Next::Do(step) => step.to_string(),
        Next::Rest(judged) => judged.reason.to_owned(),
    }
}

const MAKE: &str = "make the user";
const NOTE: &str = "write down whose the user is";
const IS: Option<Mark> = Some(Mark::Is(ID));
const SINCE: Option<Mark> = Some(Mark::Since(UnixMillis(500)));

#[test]
fn whose_a_user_is_decides_what_is_done() {
    let adopt = json!({ "adopt": true });
    for (mark, spec, account, does) in [
        // It is written down before it is made, and after.
        (None, json!({}), None, NOTE),
        (SINCE, json!({}), None, MAKE),
        (SINCE, json!({}), Some(account(ID, 500)), NOTE),
        (IS, json!({}), Some(account(ID, 500)), "AsAsked"),
        // Somebody deleted it: it is made again.
        (IS, json!({}), None, NOTE),
        // It is somebody else's.
        (None, json!({}), Some(account(ID, 400)), "UserTaken"),
        (SINCE, json!({}), Some(account(ID, 499)), "UserTaken"),
        (IS, json!({}), Some(account(OTHER, 900)), "UserTaken"),
        // It is taken over, as was asked.
        (None, adopt.clone(), Some(account(ID, 400)), NOTE),
        (SINCE, adopt.clone(), Some(account(ID, 400)), NOTE),
        (IS, adopt.clone(), Some(account(OTHER, 400)), NOTE),
        (IS, adopt, Some(account(ID, 400)), "AsAsked"),
    ] {
        let (of, is) = (user(mark, spec.clone()), seen(account.clone()));
        assert_eq!(step(&of, &is), does, "{mark:?} {spec} {account:?}");
    }
}

#[test]
fn what_is_written_down_is_read_back() {
    for mark in [Mark::Since(NOW), Mark::Is(ID)] {
        assert_eq!(mark.to_string().parse(), Ok(mark));
    }
    for text in ["", "since-", "since-x", "7", "since--1"] {
        assert_eq!(text.parse::<Mark>(), Err(()), "{text}");
    }
    assert_eq!(
        next(&user(SINCE, json!({})), &seen(Some(account(ID, 500)))),
        Next::Do(Step::Claim(Mark::Is(ID)))
    );
    assert_eq!(next(&user(None, json!({})), &seen(None)), Next::Do(Step::Claim(Mark::Since(NOW))));
}

#[test]
fn a_finalizer_that_somebody_took_away_comes_back_and_the_user_stays_ours() {
    let mut of = user(IS, json!({}));
    of.metadata.finalizers = None;
    let is = seen(Some(account(ID, 1)));
    assert_eq!(next(&of, &is), Next::Do(Step::Claim(Mark::Is(ID))));
    assert_eq!(next(&of, &seen(None)), Next::Do(Step::Claim(Mark::Since(NOW))));
}

#[test]
fn only_an_own_user_is_deleted_and_the_rest_is_let_go() {
    let (delete, release) = ("delete the user and its tokens", "let the KvsUser go");
    for (mark, account, does) in [
        (IS, Some(account(ID, 1)), delete),
        (SINCE, Some(account(ID, 500)), delete),
        (IS, Some(account(OTHER, 900)), release),
        (SINCE, Some(account(ID, 499)), release),
        (IS, None, release),
        (None, Some(account(ID, 1)), "Leaving"),
    ] {
        assert_eq!(step(&leaving(mark), &seen(account.clone())), does, "{mark:?} {account:?}");
    }
    let mut adopts = leaving(SINCE);
    adopts.spec.adopt = true;
    assert_eq!(step(&adopts, &seen(Some(account(ID, 499)))), release);
}

#[test]
fn a_cluster_that_is_gone_holds_nobody() {
    assert_eq!(without_cluster(&leaving(IS)), Next::Do(Step::Release));
    let Next::Rest(judged) = without_cluster(&user(IS, json!({}))) else { panic!() };
    assert_eq!(judged.reason, "ClusterAbsent");
    let Next::Rest(judged) = without_cluster(&leaving(None)) else { panic!() };
    assert_eq!(judged.reason, "ClusterAbsent");
}

#[test]
fn drift_is_mended_first_by_what_takes_away() {
    let of = user(
        IS,
        json!({ "scopes": ["write:shop", "read"], "groups": ["staff"],
                "token": { "secretName": "s", "ttl": "24h" } }),
    );
    let mut account = account(ID, 1);
    account.scopes = vec!["*".into()];
    account.groups = vec!["admin".into()];
    let mut is = seen(Some(account));
    let mut done = Vec::new();
    while let Next::Do(step) = next(&of, &is) {
        done.push(step.to_string());
        let account = is.account.as_mut().unwrap();
        match step {
            Step::Scope(scopes) => account.scopes = scopes,
            Step::Leave(group) => account.groups.retain(|one| *one != group),
            Step::Join(group) => account.groups.push(group),
            Step::Issue => {
                is.secret = Secret::Whole;
                let expires = UnixMillis(NOW.0 + 90_000);
                is.token = Some(Token { user: ID, issued: NOW, expires });
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(
        done,
        [
            "set its scopes to read, write:shop",
            "take it out of group admin",
            "put a new token into the Secret",
            "put it into group staff",
        ]
    );
}

#[test]
fn the_order_of_scopes_and_what_others_contain_is_no_drift() {
    let of = user(IS, json!({ "scopes": ["write:shop/carts", "write:shop", "read"] }));
    let mut account = account(ID, 1);
    account.scopes = vec!["write:shop".into(), "read".into()];
    assert_eq!(step(&of, &seen(Some(account))), "AsAsked");
    let odd = user(IS, json!({ "scopes": ["fly"] }));
    assert_eq!(step(&odd, &seen(None)), "InvalidScope");
}

#[test]
fn a_token_is_renewed_when_a_third_is_left_or_it_is_no_longer_good() {
    let of = user(IS, json!({ "token": { "secretName": "s", "ttl": "24h" } }));
    let issue = "put a new token into the Secret";
    let (issued, left) = (UnixMillis(NOW.0 - 60_000), |left: u64| UnixMillis(NOW.0 + left));
    let token = |expires| Some(Token { user: ID, issued, expires });
    let foreign = Some(Token { user: OTHER, issued, expires: left(90_000) });
    for (secret, token, does) in [
        (Secret::Whole, token(left(30_001)), "AsAsked"),
        (Secret::Whole, token(left(30_000)), issue),
        (Secret::Whole, token(UnixMillis(0)), issue),
        (Secret::Whole, foreign, issue),
        (Secret::Whole, None, issue),
        (Secret::Changed, token(left(90_000)), issue),
        (Secret::Absent, token(left(90_000)), issue),
        (Secret::Foreign, None, "SecretTaken"),
    ] {
        let is = Seen { secret, token, ..seen(Some(account(ID, 1))) };
        assert_eq!(step(&of, &is), does, "{is:?}");
    }
}

#[test]
fn a_user_that_was_disabled_stays_so_and_is_told_of() {
    let disabled = Account { disabled: true, ..account(ID, 1) };
    let Next::Rest(judged) = next(&user(IS, json!({})), &seen(Some(disabled))) else { panic!() };
    assert_eq!(judged.reason, "Disabled");
    assert!(judged.message.contains("kvs user enable cart"));
}

#[test]
fn a_user_is_called_as_it_says_or_as_its_kvsuser_or_as_the_service_account() {
    for (spec, called) in [
        (json!({}), "cart"),
        (json!({ "userName": "Ann" }), "Ann"),
        (json!({ "serviceAccount": { "name": "web" } }), "system:serviceaccount:shop:web"),
        (
            json!({ "serviceAccount": { "name": "web", "namespace": "front" } }),
            "system:serviceaccount:front:web",
        ),
    ] {
        assert_eq!(name(&user(None, spec)), called);
    }
}

#[test]
fn nothing_is_written_where_nothing_changed() {
    let mut of = user(IS, json!({}));
    let first = status(&of, &Judged::well("AsAsked"), Some(NOW), NOW);
    of.status = Some(first.clone());
    let later = UnixMillis(NOW.0 + 60_000);
    assert_eq!(status(&of, &Judged::well("AsAsked"), None, later), first);
}
