//! When each seed is to be resolved again.

use std::time::Duration;

use rand::{Rng, RngExt as _};

/// Wait after the first attempt; it doubles from there.
const FIRST: Duration = Duration::from_millis(200);

/// Longest wait. Seeds are resolved for ever: any of them may come back with another address, and a
/// partition may have a seed on its other side.
const LONGEST: Duration = Duration::from_secs(10);

/// Attempts in which a known address is asked too: other nodes start along with this one, and the
/// first answers lack them.
const EAGER: u32 = 5;

/// Addresses asked after one resolution: a name may stand for a hundred.
pub(super) const ASKED: usize = 3;

/// The seeds, by number.
#[derive(Debug)]
pub(super) struct Seeds(Vec<Seed>);

#[derive(Clone, Debug, Default)]
struct Seed {
    /// How often it was resolved since the last fresh beginning.
    attempts: u32,
    /// When it is to be resolved next; nothing while it is being resolved.
    due: Option<Duration>,
}

impl Seeds {
    /// All of them due at once.
    pub(super) fn new(count: usize) -> Self {
        Self(vec![Seed { attempts: 0, due: Some(Duration::ZERO) }; count])
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Starts over: this node sees nobody any more.
    pub(super) fn begin_again(&mut self, now: Duration) {
        for seed in &mut self.0 {
            seed.attempts = 0;
            seed.due = seed.due.map(|due| due.min(now));
        }
    }

    /// Whether a seed is to be resolved now; it then counts as being resolved.
    pub(super) fn take_due(&mut self, seed: usize, now: Duration) -> bool {
        let seed = self.0.get_mut(seed);
        seed.is_some_and(|seed| seed.due.take_if(|due| *due <= now).is_some())
    }

    /// Whether the latest answers are still expected to lack members.
    pub(super) fn is_eager(&self, seed: usize) -> bool {
        self.0.get(seed).is_some_and(|seed| seed.attempts < EAGER)
    }

    /// A seed was resolved, or could not be; returns when it is due again. Nothing if it was not
    /// being resolved.
    pub(super) fn resolved(
        &mut self,
        seed: usize,
        now: Duration,
        rng: &mut impl Rng,
    ) -> Option<Duration> {
        let seed = self.0.get_mut(seed).filter(|seed| seed.due.is_none())?;
        let wait = FIRST.saturating_mul(1 << seed.attempts.min(10)).min(LONGEST);
        seed.attempts = seed.attempts.saturating_add(1);
        seed.due = Some(now + wait.mul_f64(rng.random_range(0.75..1.25)));
        seed.due
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::SmallRng;

    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn waits_double_from_a_fifth_of_a_second_to_ten_seconds_with_jitter() {
        let (mut seeds, mut rng) = (Seeds::new(1), SmallRng::seed_from_u64(1));
        let mut now = NOW;
        for expected in [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0] {
            assert!(seeds.take_due(0, now));
            let due = seeds.resolved(0, now, &mut rng).unwrap();
            let wait = due.as_secs_f64() - now.as_secs_f64();
            assert!((0.75..1.25).contains(&(wait / expected)), "{wait} for {expected}");
            assert!(!seeds.take_due(0, due.saturating_sub(Duration::from_nanos(1))));
            now = due;
        }
    }

    #[test]
    fn a_node_that_sees_nobody_begins_again_at_once_but_never_twice() {
        let (mut seeds, mut rng) = (Seeds::new(1), SmallRng::seed_from_u64(1));
        for _ in 0..9 {
            seeds.0[0].due = None;
            seeds.resolved(0, NOW, &mut rng);
        }
        assert!(!seeds.take_due(0, NOW));
        seeds.begin_again(NOW);
        assert!(seeds.take_due(0, NOW));
        seeds.begin_again(NOW);
        assert!(!seeds.take_due(0, NOW), "it is being resolved");
        let due = seeds.resolved(0, NOW, &mut rng).unwrap();
        assert!(due < NOW + Duration::from_millis(250));
        assert_eq!(seeds.resolved(0, NOW, &mut rng), None);
        assert_eq!(seeds.resolved(1, NOW, &mut rng), None, "there is no such seed");
    }
}
