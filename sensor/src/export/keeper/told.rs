//! What people have been told of the disk: on one that stays full while a
//! little room comes and goes, it fails and works by turns.

use std::time::{Duration, Instant};

/// Least time from one failure that is told to the next.
const REST: Duration = Duration::from_secs(60);

/// The last word, and when it was a failure.
#[derive(Debug, Default)]
pub(super) struct Told {
    failing: bool,
    failed: Option<Instant>,
}

impl Told {
    /// Whether to say that the disk fails. One that fails for longer than the
    /// rest is told after it.
    pub(super) fn fails(&mut self, now: Instant) -> bool {
        let rests = |failed: Instant| now.saturating_duration_since(failed) < REST;
        if self.failing || self.failed.is_some_and(rests) {
            return false;
        }
        *self = Self {
            failing: true,
            failed: Some(now),
        };
        true
    }

    /// Whether to say that it works again: where the last word is that it
    /// fails.
    pub(super) fn works(&mut self) -> bool {
        std::mem::take(&mut self.failing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_comes_and_goes_is_one_pair_a_minute() {
        let start = Instant::now();
        let mut told = Told::default();
        assert!(!told.works());
        let mut said = Vec::new();
        for second in 0..150 {
            let now = start + Duration::from_secs(second);
            match second % 2 {
                0 if told.fails(now) => said.push((second, "fails")),
                1 if told.works() => said.push((second, "works")),
                _ => {}
            }
        }
        assert_eq!(
            said,
            [
                (0, "fails"),
                (1, "works"),
                (60, "fails"),
                (61, "works"),
                (120, "fails"),
                (121, "works"),
            ]
        );
    }

    #[test]
    fn what_lasts_is_told_after_the_rest_and_not_again() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut told = Told::default();
        assert!(told.fails(at(0)));
        assert!(told.works());
        let said: Vec<u64> = (1..200).filter(|&second| told.fails(at(second))).collect();
        assert_eq!(said, [60]);
        assert!(told.works());
        assert!(!told.works());
    }
}
