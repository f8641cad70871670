//! Logins that failed, summed per address and second.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use kvs_core::audit::{Event, Subject};

use super::Notice;

/// Most addresses that are told apart in a second. Whoever has more of them is one with all others:
/// strangers may have as many as they like (one IPv6 /48 is 65,536 networks), and make half a gigabyte
/// a day of these.
const ADDRESSES: usize = 32;

/// What is counted until it is written down.
#[derive(Debug, Default)]
pub(super) struct Failures(BTreeMap<[u8; 16], u32>);

impl Failures {
    pub(super) fn add(&mut self, address: IpAddr) {
        let own = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        let full = self.0.len() >= ADDRESSES && !self.0.contains_key(&own);
        let of = if full { Ipv6Addr::UNSPECIFIED.octets() } else { own };
        let count = self.0.entry(of).or_default();
        *count = count.saturating_add(1);
    }

    /// What there is to write down, which is then forgotten.
    pub(super) fn take(&mut self) -> Vec<Notice> {
        let failed = |(address, count)| {
            Notice::refused(Event::LoginFailures(count), Subject::Address(address), None)
        };
        std::mem::take(&mut self.0).into_iter().map(failed).collect()
    }
}

#[cfg(test)]
mod tests {
    use kvs_core::audit::Outcome;

    use super::*;

    fn counts(failures: &mut Failures) -> Vec<u32> {
        let count = |notice: Notice| match notice.event {
            Event::LoginFailures(count) => count,
            other => panic!("{other:?}"),
        };
        failures.take().into_iter().map(count).collect()
    }

    #[test]
    fn failures_of_one_address_are_one_entry() {
        let mut failures = Failures::default();
        for address in ["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2"] {
            failures.add(address.parse().unwrap());
        }
        let notices = failures.take();
        let mapped = "::ffff:10.0.0.1".parse::<Ipv6Addr>().unwrap().octets();
        assert_eq!(notices.len(), 2);
        assert_eq!(notices[0].subject, Subject::Address(mapped));
        assert_eq!(notices[0].event, Event::LoginFailures(2));
        assert_eq!(notices[0].outcome, Outcome::Refused);
        assert!(failures.take().is_empty());
    }

    #[test]
    fn one_address_more_than_are_told_apart_is_one_with_all_others() {
        let mut failures = Failures::default();
        let address = |at: u32| IpAddr::V4(at.to_be_bytes().into());
        for at in 1..=u32::try_from(ADDRESSES).unwrap() {
            failures.add(address(at));
        }
        assert_eq!(counts(&mut failures).len(), ADDRESSES);
        for at in 1..=u32::try_from(ADDRESSES).unwrap() + 5 {
            failures.add(address(at));
        }
        failures.add(address(1));
        let counts = counts(&mut failures);
        assert_eq!(counts.len(), ADDRESSES + 1);
        assert_eq!(counts.iter().sum::<u32>(), u32::try_from(ADDRESSES).unwrap() + 6);
        assert_eq!(counts[0], 5, "the others");
    }
}
