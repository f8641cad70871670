//! One key written in several places at one instant.

use std::time::Duration;

use kvs_core::{
    Body, ContentType, Key, Origin, RecordId, Stamp, UnixMillis, Value, Version, VersionId,
};
use uuid::Uuid;

use crate::ledger;
use crate::seeds::each_seed;
use crate::trials::{RETENTION, check};
use crate::world::World;

/// Every order of meeting of three nodes: who meets whom, one pair after the other.
const MEETINGS: [[(usize, usize); 3]; 6] = [
    [(0, 1), (1, 2), (0, 2)],
    [(0, 1), (0, 2), (1, 2)],
    [(1, 2), (0, 1), (0, 2)],
    [(1, 2), (0, 2), (0, 1)],
    [(0, 2), (0, 1), (1, 2)],
    [(0, 2), (1, 2), (0, 1)],
];

/// A version of each node, all of one stamp, that differ in the age of their origins or only in
/// their uuids.
fn versions(world: &mut World, count: usize, same_age: bool) -> Vec<Version> {
    let stamp = Stamp::at(UnixMillis(world.wall(0).0));
    let version = |at: usize, uuid: u128| {
        let node = world.places[at].disk_id();
        let joined = UnixMillis(if same_age { 5 } else { 5 + (at as u64 * 7) % 3 });
        Version {
            uuid: VersionId::new(Uuid::from_u128(uuid)),
            stamp,
            origin: Origin { node, joined },
            owner: None,
            created_at: UnixMillis(1),
            expires_at: None,
            body: Body::Value(Value::plain(ContentType::JSON, at.to_string().into())),
        }
    };
    let uuids: Vec<u128> = (0..count).map(|_| 0).collect();
    uuids.into_iter().enumerate().map(|(at, _)| version(at, (at as u128 * 5) % 3 + 1)).collect()
}

fn conflict(
    seed: u64,
    count: usize,
    meetings: &[(usize, usize)],
    same_age: bool,
) -> Result<(), String> {
    let mut world = World::new(seed, count, RETENTION);
    for at in 0..count {
        world.start_within(at, Duration::from_millis(300));
    }
    world.calm(Duration::from_secs(20))?;
    world.apart = true;
    world.run(Duration::from_secs(4));
    let record = RecordId::value(Key::client("conflict").unwrap());
    let versions = versions(&mut world, count, same_age);
    for (at, version) in versions.iter().enumerate() {
        world.put(at, &record, version.clone());
    }
    for (one, other) in meetings {
        world.weather.island = [*one, *other].into();
        world.run(Duration::from_secs(8));
    }
    world.apart = false;
    check(&mut world, Duration::from_secs(30))?;
    let winner = versions.iter().map(Version::head).max_by_key(kvs_core::Head::rank).unwrap();
    for (at, place) in world.places.iter().enumerate() {
        let found = ledger::head(&*place.disk, &record.encode());
        if found.as_ref() != Some(&winner) {
            return Err(format!("{at} has {found:?}, merge names {winner:?}"));
        }
    }
    Ok(())
}

#[test]
fn of_versions_of_one_instant_the_one_that_merge_names_wins_in_every_order_of_meeting() {
    each_seed("conflict", 2, |seed| {
        for same_age in [true, false] {
            conflict(seed, 2, &[(0, 1)], same_age)?;
            for meetings in &MEETINGS {
                conflict(seed, 3, meetings, same_age)?;
            }
        }
        Ok(String::new())
    });
}
