//! A client with a good token, alone and beside somebody on its address who shows wrong ones.

use super::{ScenarioError, Section, Settings, fill_all, measure, no_kvs, workload};
use crate::{
    load::{self, Figures, Load},
    number::float,
    results::{Measurement, Operation, Reading, Unit},
    scenario::turn::{PAUSE, Turn},
    schedule::{Pace, Window},
    server::Fleet,
    target::{Endpoint, Protocol},
};

/// The figure of how many wrong tokens were really shown.
pub(crate) const SHOWN: &str = "wrong tokens refused a second";

/// Wrong tokens that are due in a second: somewhat more than must be shown, since at the edges of
/// what is measured some come too late to count.
const DUE: u64 = 10_200;

/// Connections of each of the two.
const CONNECTIONS: usize = 64;

const KEYS: u64 = 100_000;

pub(super) async fn measure_attack(settings: &Settings) -> Result<Section, ScenarioError> {
    let place = &settings.disk;
    let fleet = Fleet::start(&[Protocol::KvsGuarded], &settings.programs, place).await;
    let endpoint = fleet.endpoint(Protocol::KvsGuarded).ok_or_else(|| no_kvs(&fleet))?;
    let asked = format!(
        "reads of 256 B over {CONNECTIONS} connections with a good token, alone and while as many \
         connections from the same address show tokens whose signature does not fit; all that \
         guards a node is on, with its defaults"
    );
    let mut section = settings.section(asked, place, &fleet);
    fill_all(&[endpoint], &workload(KEYS, 0, 1)).await?;
    let good = settings.load(endpoint, workload(KEYS, 100, 1), CONNECTIONS);
    let wrong = wrong(&good);
    let turn = |point| Turn { operation: Operation::Get, point, load: good.clone() };
    let (calm, attacked) = (turn(0), turn(DUE));
    let mut rounds = [const { Vec::new() }; 2];
    let mut shown = Vec::new();
    for round in 0..settings.rounds {
        rounds[0].push(measure(&calm, round).await?);
        let attack = async { Ok(load::run(&wrong).await?) };
        let (figures, refused) = tokio::try_join!(measure(&attacked, round), attack)?;
        rounds[1].push(figures);
        shown.push(float(refused.errors) / wrong.window.length.as_secs_f64());
    }
    fleet.stop().await;
    let measured = |(turn, rounds): (Turn, Vec<Figures>)| Measurement {
        protocol: Protocol::KvsGuarded,
        operation: turn.operation,
        point: turn.point,
        rounds,
    };
    section.measurements.extend([calm, attacked].into_iter().zip(rounds).map(measured));
    let (name, unit) = (SHOWN.to_owned(), Unit::PerSecond);
    section.readings.push(Reading { name, unit, rounds: shown });
    Ok(section)
}

/// Somebody who asks for the same and shows a token that is no good for as long.
fn wrong(good: &Load) -> Load {
    let token = good.endpoint.token.map(spoiled);
    let Window { warmup, length } = good.window;
    Load {
        endpoint: Endpoint { token, ..good.endpoint },
        pace: Pace::Open(float(DUE)),
        // The other one begins after a pause.
        window: Window { warmup: warmup + PAUSE, length },
        ..good.clone()
    }
}

/// The same token with another signature. It stays for as long as the process: there is one of it.
fn spoiled(token: &str) -> &'static str {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let rest = signature.get(1..).unwrap_or_default();
    Box::leak(format!("{signed}.{other}{rest}").into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoiled_token_differs_in_its_signature_alone() {
        assert_eq!(spoiled("a.b.cd"), "a.b.Ad");
        assert_eq!(spoiled("a.b.Ad"), "a.b.Bd");
    }
}
