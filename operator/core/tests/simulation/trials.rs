//! Changes of mind, crashes and stale looks; then quiet, and everything must be as it was asked for.

use std::collections::BTreeSet;

use kvs_operator_core::crd::{Mode, Retain};
use kvs_operator_core::names::Names;
use kvs_operator_core::plan::{Plan, plan};
use kvs_operator_core::wish::Wish;
use rand::RngExt as _;

use crate::controller::{collect, kubelet, route, sync, terminate};
use crate::hands;
use crate::operator::{Pending, SILENT, arrive, look};
use crate::restore::{self, IN_BACKUP};
use crate::seeds::each_seed;
use crate::world::{BROKEN, World};

/// Something happens about three times a second.
const TICK: u64 = 300;

/// So many things in a row must happen without anything left to do, waits included.
const QUIET: u32 = 600;

fn wish() -> Wish {
    Wish {
        names: Names::new("db", "apps"),
        replicas: 3,
        mode: Mode::Running,
        forget: BTreeSet::new(),
        fenced: BTreeSet::new(),
        size: 1 << 30,
        retain: Retain::Retain,
        canary: None,
        exception: None,
        replace: None,
        backup: None,
        template: "t0".into(),
    }
}

/// One thing happens that is not the operator's doing.
fn happen(world: &mut World) {
    world.now += world.rng.random_range(1..TICK * 2);
    world.remember();
    let pods: Vec<u32> = world.pods.keys().copied().collect();
    match world.rng.random_range(0..10) {
        0 | 1 => sync(world),
        2 => {
            collect(world);
            route(world);
            restore::get_on(world);
        }
        3 | 4 => {
            if let Some(ordinal) = world.pick(&pods) {
                kubelet(world, ordinal);
            }
        }
        5 => {
            if let Some(ordinal) = world.pick(&pods) {
                world.think(ordinal);
            }
        }
        6..=8 => {
            let running = world.running().len();
            if running > 1 {
                let left = world.rng.random_range(0..running);
                let right = (left + world.rng.random_range(1..running)) % running;
                world.meet(left, right);
            }
        }
        _ => world.write(),
    }
}

/// Trouble: a process crashes, or somebody deletes a pod without asking the budget.
fn trouble(world: &mut World) {
    let pods: Vec<u32> = world.pods.keys().copied().collect();
    let Some(ordinal) = world.pick(&pods) else { return };
    if world.chance(20) {
        strand(world, ordinal);
        return;
    }
    if world.chance(70) { world.crash(ordinal) } else { terminate(world, ordinal) }
}

/// A machine goes, with the pod on it, or all that went are back.
fn strand(world: &mut World, ordinal: u32) {
    if !world.stranded.is_empty() {
        world.say("machines: all are back".to_owned());
        world.stranded.clear();
        return;
    }
    world.say(format!("machines: that of {ordinal} goes"));
    world.stranded.insert(ordinal);
    terminate(world, ordinal);
}

/// People lay hands on single nodes.
fn handle(world: &mut World) {
    match world.rng.random_range(0..5) {
        0 | 1 => {
            let one = world.rng.random_range(0..world.wish.replicas);
            let other = world.rng.random_range(0..world.wish.replicas);
            world.say(format!("people: hold {one} and {other} down"));
            world.wish.fenced = [one, other].into();
        }
        2 => world.wish.fenced.clear(),
        3 => hands::break_a_disk(world),
        _ => hands::replace(world),
    }
}

/// People change their mind.
fn change(world: &mut World) {
    let number = world.rng.random_range(0..1000);
    let mut wish = world.wish.clone();
    match world.rng.random_range(0..12) {
        0..=3 => wish.replicas = world.rng.random_range(1..=5),
        4 | 5 => wish.template = format!("t{number}"),
        6 => wish.template = format!("{BROKEN}{number}"),
        7 => wish.size += 1 << 30,
        8 => wish.mode = Mode::Hibernated,
        9 => wish.retain = Retain::DeleteOnScaleDown,
        10 => wish.canary = Some(1),
        _ => wish.mode = Mode::Running,
    }
    world.say(format!(
        "people: {} {:?} {} {:?}",
        wish.replicas, wish.mode, wish.template, wish.canary
    ));
    // The API server takes no others.
    let replicas = wish.replicas;
    wish.fenced.retain(|ordinal| *ordinal < replicas);
    world.wish = wish;
}

/// The operator's turn: it looks, others go on, it is killed or writes. Says whether it wrote.
fn operate(world: &mut World, troubles: bool, killed: u32) -> bool {
    let (wish, silent) = (world.wish.clone(), if troubles { SILENT } else { 0 });
    let Some(mut pending) = look(world, &wish, silent) else { return false };
    if world.chance(killed) {
        world.say("operator: killed".to_owned());
        return true;
    }
    meanwhile(world, &mut pending, troubles);
    arrive(world, pending, killed / 4);
    true
}

/// Between the look and the write others go on; what they do may be trouble for somebody.
fn meanwhile(world: &mut World, pending: &mut Pending, troubles: bool) {
    let ready = |world: &World| -> Vec<u32> {
        world.pods.keys().copied().filter(|ordinal| world.is_ready(*ordinal)).collect()
    };
    let before = ready(world);
    for _ in 0..world.rng.random_range(0..3) {
        happen(world);
        if troubles && world.chance(5) {
            trouble(world);
        }
    }
    if ready(world) != before {
        pending.trouble();
    }
}

fn live(world: &mut World, ticks: u32, troubles: bool, hands: bool) {
    for _ in 0..ticks {
        happen(world);
        if world.chance(40) {
            operate(world, troubles, 20);
        }
        if troubles && world.chance(2) {
            trouble(world);
        }
        if world.chance(2) {
            change(world);
        }
        if hands && world.chance(2) {
            handle(world);
        }
    }
}

/// Everything is possible and wanted again; no more trouble.
fn calm(world: &mut World) -> Result<(), String> {
    world.wish.mode = Mode::Running;
    world.wish.canary = None;
    world.wish.template = "good".into();
    world.wish.fenced.clear();
    world.stranded.clear();
    hands::replace(world);
    world.say("people: calm".to_owned());
    let mut quiet = 0;
    for _ in 0..60_000 {
        happen(world);
        let wrote = operate(world, false, 0);
        quiet = if wrote || outlook(world).kind.is_some() { 0 } else { quiet + 1 };
        if quiet > QUIET {
            return settled(world);
        }
    }
    Err(format!("it does not come to rest: {:?}", outlook(world)))
}

/// What is left to do, by a look at all there is.
fn outlook(world: &mut World) -> Plan {
    let mut seen = world.objects();
    seen.members = world.members(0);
    plan(&world.wish, &seen)
}

/// What must be so at the end.
fn settled(world: &mut World) -> Result<(), String> {
    let wrong = |what: String| Err(what);
    if world.pods.len() != world.wish.replicas as usize {
        return wrong(format!("there are pods {:?}", world.pods.keys()));
    }
    if let Some(ordinal) = world.pods.keys().find(|ordinal| !world.is_ready(**ordinal)) {
        return wrong(format!("pod {ordinal} does not serve"));
    }
    if let Some(pod) = world.pods.values().find(|pod| pod.revision != "good") {
        return wrong(format!("a pod still has {}", pod.revision));
    }
    let running = world.running();
    let nodes: Vec<_> = running.iter().map(|(_, claim)| world.disks[claim].node).collect();
    for (ordinal, claim) in &running {
        let disk = &world.disks[claim];
        let joined = disk.members.keys().filter(|node| disk.counts(**node));
        if !joined.clone().all(|node| nodes.contains(node)) || joined.count() != nodes.len() {
            return wrong(format!("{ordinal} counts {:?}", disk.members));
        }
        let all = (1..=world.written).filter(|write| !world.lost.contains(write));
        // Some of the last may still be on their way.
        let missing: Vec<u32> = all.filter(|write| !disk.data.contains(write)).collect();
        if missing.iter().any(|write| !held_somewhere(world, *write)) {
            return wrong(format!("writes {missing:?} are lost, {ordinal} lacks them"));
        }
        if world.claims[ordinal].requested != world.wish.size {
            return wrong(format!("disk {ordinal} did not grow"));
        }
    }
    let unused = world.claims.keys().filter(|ordinal| **ordinal >= world.wish.replicas);
    if world.wish.retain == Retain::DeleteOnScaleDown && unused.count() > 0 {
        return wrong("disks of nodes that left are still there".into());
    }
    Ok(())
}

fn held_somewhere(world: &World, write: u32) -> bool {
    world.running().iter().any(|(_, claim)| world.disks[claim].data.contains(&write))
}

fn trial(seed: u64, troubles: bool) -> Result<String, String> {
    come_to_rest(World::new(seed, wish()), troubles, false)
}

/// The same with nodes that are held down, and disks that are lost and replaced.
fn trial_of_hands(seed: u64) -> Result<String, String> {
    come_to_rest(World::new(seed, wish()), true, true)
}

/// The same for a cluster that begins with a backup.
fn trial_of_backup(seed: u64) -> Result<String, String> {
    let wish = Wish { backup: Some("kvs-1".into()), ..wish() };
    let mut world = World::new(seed, wish);
    world.written = IN_BACKUP;
    come_to_rest(world, true, false)
}

fn come_to_rest(mut world: World, troubles: bool, hands: bool) -> Result<String, String> {
    live(&mut world, 3_000, troubles, hands);
    let told = |world: &World, why: String| {
        let shown = if std::env::var_os("KVS_SEED").is_some() { usize::MAX } else { 150 };
        let from = world.log.len().saturating_sub(shown);
        format!("{why}\n{}", world.log[from..].join("\n"))
    };
    if world.faults.is_empty() {
        calm(&mut world).map_err(|why| told(&world, why))?;
    }
    match world.faults.first() {
        None => Ok(format!("{} writes", world.written)),
        Some(fault) => Err(told(&world, fault.clone())),
    }
}

#[test]
fn changes_of_mind_lose_nothing_and_come_to_rest() {
    each_seed("changes", 60, |seed| trial(seed, false));
}

#[test]
fn nor_do_they_while_processes_crash_and_pods_are_deleted() {
    each_seed("troubles", 60, |seed| trial(seed, true));
}

#[test]
fn a_backup_is_brought_back_once_and_whole() {
    each_seed("backups", 60, trial_of_backup);
}

#[test]
fn nor_do_they_while_nodes_are_held_down_and_disks_are_lost() {
    each_seed("hands", 60, trial_of_hands);
}
