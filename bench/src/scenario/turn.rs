//! How servers take turns.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{task::spawn_blocking, time::sleep};

use super::{ScenarioError, Settings};
use crate::{
    console::note,
    disk,
    load::{self, Figures, Load},
    number::grouped,
    results::{Measurement, Operation, Section},
};

/// One thing to be measured in every round.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) operation: Operation,
    pub(super) point: u64,
    pub(super) load: Load,
}

/// Measures every turn once in each round, each round beginning with another one: what changes
/// in the machine over time falls on all alike.
///
/// With a folder, the disk alone has a turn too.
pub(super) async fn interleave(
    settings: &Settings,
    turns: &[Turn],
    syncing: Option<&Path>,
    section: &mut Section,
) -> Result<(), ScenarioError> {
    let mut rounds = vec![Vec::new(); turns.len()];
    for round in 0..settings.rounds {
        for place in rotated(turns.len(), round) {
            rounds[place].push(measure(&turns[place], round).await?);
        }
        if let Some(folder) = syncing {
            section.syncs.push(syncs(folder.to_owned(), settings.length).await?);
        }
    }
    section.measurements.extend(turns.iter().zip(rounds).map(|(turn, rounds)| Measurement {
        protocol: turn.load.endpoint.protocol,
        operation: turn.operation,
        point: turn.point,
        rounds,
    }));
    Ok(())
}

fn rotated(count: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |place| (place + round) % count)
}

/// Between two turns all servers have a moment to finish what they do in the background.
pub(super) const PAUSE: Duration = Duration::from_millis(300);

pub(super) async fn measure(turn: &Turn, round: usize) -> Result<Figures, ScenarioError> {
    sleep(PAUSE).await;
    let figures = load::run(&turn.load).await?;
    let name = turn.load.endpoint.protocol.name();
    let rate = grouped(figures.keys_per_second);
    note(&format!("  round {}, {name}, {:?}, {}: {rate}/s", round + 1, turn.operation, turn.point));
    if let Some(error) = &figures.first_error {
        note(&format!("  {} requests failed, the first: {error}", figures.errors));
    }
    Ok(figures)
}

async fn syncs(folder: PathBuf, length: Duration) -> io::Result<f64> {
    let rate = spawn_blocking(move || disk::syncs_per_second(&folder, length / 2)).await??;
    note(&format!("  the disk alone: {} syncs/s", grouped(rate)));
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_begins_with_another_server() {
        let round = |number| rotated(3, number).collect::<Vec<_>>();
        assert_eq!([round(0), round(1), round(4)], [[0, 1, 2], [1, 2, 0], [1, 2, 0]]);
    }
}
