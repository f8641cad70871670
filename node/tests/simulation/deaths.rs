//! What becomes of the dead.

use std::time::Duration;

use kvs_core::engine::Life;
use kvs_core::{Body, Command, Condition, ContentType, Expiry, Key, RecordId, Value, VersionId};
use kvs_node::store::{Column, Read as _};
use kvs_node::writer::Write;
use rand::RngExt as _;
use uuid::Uuid;

use crate::seeds::each_seed;
use crate::trials::{RETENTION, check};
use crate::world::World;

/// Values per node that expire at one instant: enough that a difference would be streamed whole.
const MANY: usize = 1_500;
const LIVED: Duration = Duration::from_secs(20);

fn cluster(seed: u64) -> Result<World, String> {
    let mut world = World::new(seed, 3, RETENTION);
    for at in 0..3 {
        world.start_within(at, Duration::from_millis(500));
    }
    world.calm(Duration::from_secs(20))?;
    Ok(world)
}

/// A value that lives for a while.
fn mortal(world: &mut World, key: &str) -> Write {
    let command = Command::Put {
        body: Body::Value(Value::plain(ContentType::JSON, "1".into())),
        expiry: Expiry::After(LIVED),
        condition: Condition::Always,
        uuid: VersionId::new(Uuid::from_u128(world.rng.random())),
        author: None,
    };
    Write { record: RecordId::value(Key::client(key).unwrap()), command }
}

/// How many rows of clients' records a node has in any column.
fn rows_of_clients(world: &World, at: usize) -> usize {
    let disk = &world.places[at].disk;
    let count = |column| {
        let mut rows = disk.cursor(column, &[], &[0xff; 40]);
        let mut found = 0;
        while let Some((key, value)) = rows.next().unwrap() {
            let system = [key, value].iter().any(|bytes| is_of_system(bytes));
            found += usize::from(!system);
        }
        found
    };
    Column::ALL.into_iter().filter(|column| *column != Column::Local).map(count).sum()
}

fn is_of_system(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|window| window == b"_system")
}

/// Waits until nobody has anything of clients.
fn emptied(world: &mut World) -> Result<(), String> {
    for _ in 0..60 {
        world.run(Duration::from_secs(1));
        if (0..3).all(|at| rows_of_clients(world, at) == 0) {
            return Ok(());
        }
    }
    let left: Vec<usize> = (0..3).map(|at| rows_of_clients(world, at)).collect();
    Err(format!("rows that are left: {left:?}\n{}", world.log.join("\n")))
}

#[test]
fn values_that_expire_at_one_instant_cost_no_repair_and_leave_the_disk() {
    each_seed("expiry", 1, |seed| {
        let mut world = cluster(seed)?;
        for at in 0..3 {
            let write = |number| mortal(&mut world, &format!("{at}/{number}"));
            let writes = (0..MANY).map(write).collect();
            world.write_all(at, writes);
        }
        world.run(LIVED / 2);
        let before = rows_of_clients(&world, 0);
        if before < 3 * MANY {
            return Err(format!("only {before} rows came"));
        }
        world.bytes.clear();
        emptied(&mut world)?;
        let bytes = |route| world.bytes.get(route).copied().unwrap_or(0);
        let repair = bytes("push") + bytes("fetch") + bytes("range");
        if repair > 0 || bytes("compare") > bytes("begin") {
            return Err(format!("{:?}\n{}", world.bytes, world.log.join("\n")));
        }
        Ok(format!("{:?}", world.bytes))
    });
}

#[test]
fn a_store_from_which_everything_was_deleted_is_empty_on_disk() {
    each_seed("emptied", 4, |seed| {
        let mut world = cluster(seed)?;
        world.live(Duration::from_secs(20), true);
        check(&mut world, Duration::from_mins(2))?;
        for row in world.ledger.records() {
            let at = (0..3).find(|at| world.life(*at) == Some(Life::Serving)).unwrap();
            let uuid = VersionId::new(Uuid::from_u128(world.rng.random()));
            let record = RecordId::decode(&row).unwrap();
            world.write_all(at, vec![Write { record, command: Command::delete(uuid) }]);
        }
        emptied(&mut world)?;
        Ok(String::new())
    });
}
