//! How long to leave a collector alone after a failure.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use tokio::time::Instant;

/// The contract's limit: a collector that is away is tried at least as often
/// (Q6).
const LONGEST: Duration = Duration::from_secs(5);
/// First upper bound; it doubles with each failure.
const FIRST: Duration = Duration::from_secs(2);
/// Between the end of a try and the next, however long the try took.
const LEAST_PAUSE: Duration = Duration::from_millis(500);
/// A collector cannot ask to be left alone for longer.
const LONGEST_ASKED: Duration = Duration::from_secs(600);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// After a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// When to try again: 1 s to 5 s after the *start* of the try that
    /// failed, so that a try that waits for nothing does not add to it. Half
    /// of it is random, so that many hosts do not come back at once.
    pub(super) fn next(&mut self, started: Instant, now: Instant) -> Instant {
        let bound = FIRST.saturating_mul(1 << self.failures.min(8)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let delay = bound / 2 + (bound / 2).mul_f64(random_fraction());
        (started + delay).max(now + LEAST_PAUSE)
    }

    /// When to try again where the collector named a delay.
    pub(super) fn asked(now: Instant, after: Duration) -> Instant {
        now + after.clamp(LEAST_PAUSE, LONGEST_ASKED)
    }
}

/// 0 to 1. The standard library seeds its hashers at random, which is random
/// enough to spread hosts.
fn random_fraction() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_one_to_five_seconds_apart() {
        let start = Instant::now();
        for _ in 0..100 {
            let mut backoff = Backoff::default();
            for (least, most) in [(1.0, 2.0), (2.0, 4.0), (2.5, 5.0), (2.5, 5.0)] {
                let delay = (backoff.next(start, start) - start).as_secs_f64();
                assert!((least..=most).contains(&delay), "{delay}");
            }
        }
    }

    #[test]
    fn a_long_try_is_part_of_the_delay() {
        let start = Instant::now();
        let end = start + Duration::from_secs(10);
        assert_eq!(Backoff::default().next(start, end), end + LEAST_PAUSE);
    }

    #[test]
    fn a_delay_that_is_asked_for_is_kept_within_reason() {
        let now = Instant::now();
        for (asked, kept) in [
            (0, LEAST_PAUSE),
            (30, Duration::from_secs(30)),
            (u64::MAX, LONGEST_ASKED),
        ] {
            assert_eq!(Backoff::asked(now, Duration::from_secs(asked)), now + kept);
        }
    }
}
