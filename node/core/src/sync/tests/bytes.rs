//! What repair costs: bytes both ways, values excluded, with HTTP/2's framing.

use super::store::{Row, Store, Talk, mix, rank, talk};
use super::{AGREED, CLOCK};
use crate::sync::Next;

const KEYS: u64 = 1_000_000;

/// Repairs `differences` among a million keys. Each is newer at the peer: the dearest kind, since
/// it is named in both directions.
fn repair(equal: &Store, differences: u64) -> Talk {
    let (mut mine, mut theirs) = (equal.clone(), equal.clone());
    for number in 0..differences {
        let record = number * (KEYS / differences);
        theirs.write(record, rank(2, mix(record).into()));
    }
    let talk = talk(CLOCK, &mut mine, &mut theirs);
    assert_eq!((&talk.end, talk.counts.differing), (&Next::Agreed(AGREED), differences));
    assert_eq!(mine.tree, theirs.tree);
    talk
}

#[test]
fn repair_among_a_million_keys_costs_what_the_differences_cost() {
    let rows = (0..KEYS).map(|record| Row::new(record, rank(1, record.into())));
    let equal = Store::new(5, rows);
    // The bars of 200 B, 1.5 kB, 70 kB and 14 MB leave room for what the node adds to a message.
    for (differences, limit) in [(0, 80), (1, 1_000), (100, 45_000), (100_000, 11_500_000)] {
        let talk = repair(&equal, differences);
        let Talk { bytes, named, .. } = talk;
        assert!(bytes <= limit, "{differences} differences took {bytes} bytes");
        assert!(named <= 8_192);
    }
}
