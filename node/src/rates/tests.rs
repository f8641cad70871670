use std::net::Ipv6Addr;
use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::time::ManualClock;

/// So many units a minute, by a clock that stands still.
fn limited(rate_limit: u32, failed_login_limit: u32) -> (Rates, Arc<ManualClock>) {
    let rate_limit_window = kvs_config::Duration::minutes(1);
    let limits =
        Settings { rate_limit, failed_login_limit, rate_limit_window, ..Settings::default() };
    let clock = Arc::new(ManualClock::at(1_000_000));
    (Rates::new(&limits, clock.clone()), clock)
}

fn address(last: u16) -> Subject {
    Subject::Address(Ipv6Addr::new(0x2001, 0xdb8, 0, last, 0, 0, 0, 0).into())
}

fn user(number: u128) -> Subject {
    Subject::User(UserId::new(Uuid::from_u128(number)))
}

#[test]
fn a_caller_gets_the_limit_at_once_and_the_rest_as_it_comes_back() {
    let (rates, clock) = limited(60, 1);
    for left in (0..60).rev() {
        let standing = rates.take(user(1), Kind::Read, 1).unwrap().unwrap();
        assert_eq!((standing.limit, standing.remaining), (60, left));
    }
    let refused = rates.take(user(1), Kind::Read, 1).unwrap_err();
    assert_eq!(refused.retry_in, Duration::from_secs(1));
    clock.advance(Duration::from_millis(999));
    assert!(rates.take(user(1), Kind::Read, 1).is_err());
    clock.advance(Duration::from_millis(1));
    assert!(rates.take(user(1), Kind::Read, 1).is_ok());
    assert!(rates.take(user(1), Kind::Read, 1).is_err());
    clock.advance(Duration::from_mins(1));
    assert!(rates.take(user(1), Kind::Read, 60).is_ok());
}

#[test]
fn callers_and_kinds_are_counted_apart() {
    let (rates, _clock) = limited(1, 2);
    for subject in [user(1), user(2), address(1), address(2), address(3)] {
        for kind in [Kind::Read, Kind::Write] {
            assert!(rates.take(subject, kind, 1).is_ok(), "{subject:?} {kind:?}");
            assert!(rates.take(subject, kind, 1).is_err(), "{subject:?} {kind:?}");
        }
        assert_eq!(rates.take(subject, Kind::Login, 2).unwrap().unwrap().remaining, 0);
        assert!(rates.take(subject, Kind::Login, 1).is_err());
    }
}

#[test]
fn asking_takes_nothing() {
    let (rates, _clock) = limited(2, 1);
    for _ in 0..9 {
        rates.ask(user(1), Kind::Write, 2).unwrap();
    }
    rates.take(user(1), Kind::Write, 2).unwrap();
    rates.ask(user(1), Kind::Write, 1).unwrap_err();
}

#[test]
fn new_limits_hold_at_once_and_what_was_taken_stays_taken() {
    let (rates, clock) = limited(10, 1);
    rates.take(user(1), Kind::Read, 10).unwrap();
    let rate_limit_window = kvs_config::Duration::minutes(1);
    rates.set(&Settings { rate_limit: 20, rate_limit_window, ..Settings::default() });
    // A minute's worth is taken, whatever a minute is worth.
    rates.take(user(1), Kind::Read, 1).unwrap_err();
    clock.advance(Duration::from_secs(3));
    assert_eq!(rates.take(user(1), Kind::Read, 1).unwrap().unwrap().remaining, 0);
    assert_eq!(rates.take(user(2), Kind::Read, 1).unwrap().unwrap().remaining, 19);
}

#[test]
fn the_table_is_bounded_and_whoever_comes_often_is_not_forgotten() {
    let (rates, _clock) = limited(1_000_000, 1);
    for number in 0..4 * ROWS as u128 {
        rates.take(user(number), Kind::Read, 1).unwrap();
        rates.take(address(7), Kind::Read, 1).unwrap();
    }
    assert!(rates.rows() <= ROWS, "{}", rates.rows());
    let standing = rates.take(address(7), Kind::Read, 1).unwrap().unwrap();
    assert_eq!(standing.remaining, 1_000_000 - 4 * 65_536 - 1);
}

#[test]
fn without_limits_nobody_is_counted() {
    let settings = Settings { rate_limiting_enabled: false, rate_limit: 1, ..Settings::default() };
    let rates = Rates::new(&settings, Arc::new(ManualClock::at(0)));
    for _ in 0..9 {
        assert_eq!(rates.take(user(1), Kind::Read, 9), Ok(None));
        assert_eq!(rates.ask(user(1), Kind::Login, 9), Ok(()));
    }
    assert_eq!(rates.rows(), 0);
}
