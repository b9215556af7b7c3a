//! What the scheduler's hook has counted of a service.

use sensor_common::scheduler::{Counts, Distribution, LOWEST};

use super::{histogram::Histogram, report::HistogramValue, series::seconds};

/// The cumulative figures of a service.
#[derive(Debug, Clone)]
pub struct Scheduled {
    /// Waits for a CPU, s.
    pub latency: Histogram,
    /// Times on a CPU, s.
    pub burst: Histogram,
    /// Departures from a CPU of threads that could have gone on.
    pub preemptions: u64,
}

/// The same at one moment, to go on from.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedScheduled {
    /// Waits for a CPU, s.
    pub latency: HistogramValue,
    /// Times on a CPU, s.
    pub burst: HistogramValue,
    /// Departures from a CPU of threads that could have gone on.
    pub preemptions: u64,
}

impl Default for Scheduled {
    fn default() -> Self {
        Self {
            latency: Histogram::of_powers_of_two(),
            burst: Histogram::of_powers_of_two(),
            preemptions: 0,
        }
    }
}

impl Scheduled {
    /// Takes in what was counted since the last time.
    pub fn add(&mut self, more: &Counts) {
        add(&mut self.latency, &more.latency);
        add(&mut self.burst, &more.burst);
        self.preemptions = self.preemptions.saturating_add(more.preemptions);
    }

    /// What is to be kept.
    #[must_use]
    pub fn saved(&self) -> SavedScheduled {
        SavedScheduled {
            latency: self.latency.value(),
            burst: self.burst.value(),
            preemptions: self.preemptions,
        }
    }
}

impl From<SavedScheduled> for Scheduled {
    fn from(saved: SavedScheduled) -> Self {
        let histogram = |value: HistogramValue| match value.count {
            0 => Histogram::of_powers_of_two(),
            _ => Histogram::from(value),
        };
        Self {
            latency: histogram(saved.latency),
            burst: histogram(saved.burst),
            preemptions: saved.preemptions,
        }
    }
}

fn add(to: &mut Histogram, more: &Distribution) {
    for (bucket, &times) in (LOWEST..).zip(&more.counts) {
        to.add((bucket > LOWEST).then_some(bucket), times);
    }
    to.add_sum(seconds(more.sum));
}

/// What was counted between two looks at the same slot.
#[must_use]
pub fn difference(now: &Counts, before: &Counts) -> Counts {
    let part = |now: &Distribution, before: &Distribution| Distribution {
        counts: std::array::from_fn(|at| now.counts[at].saturating_sub(before.counts[at])),
        sum: now.sum.saturating_sub(before.sum),
    };
    Counts {
        latency: part(&now.latency, &before.latency),
        burst: part(&now.burst, &before.burst),
        preemptions: now.preemptions.saturating_sub(before.preemptions),
    }
}

#[cfg(test)]
mod tests {
    use sensor_common::scheduler::{BUCKETS, bucket};

    use super::*;

    #[test]
    fn each_bucket_of_the_kernel_is_one_of_the_histogram() {
        // Times, ns, and the exponent of the bucket that OTLP has for them: a
        // bound belongs to the bucket below it.
        for (ns, exponent) in [
            (1, -30),
            (2, -29),
            (1_000_000_000, -1),
            (1_000_000_001, 0),
            (500_000_000, -2),
            (500_000_001, -1),
            // 2^-10 s is 976,562.5 ns.
            (976_562, -11),
            (976_563, -10),
            (2_000_000_000, 0),
            (2_000_000_001, 1),
            (131_072_000_000_000, 16),
        ] {
            let mut counts = Counts::default();
            counts.latency.counts[bucket(ns)] = 5;
            counts.latency.sum = 5 * ns;
            let mut scheduled = Scheduled::default();
            scheduled.add(&counts);
            let value = scheduled.latency.value();
            assert_eq!((value.scale, value.zero_count), (0, 0));
            assert_eq!((value.offset, value.counts), (exponent, vec![5]), "{ns} ns");
        }
        let mut counts = Counts::default();
        counts.burst.counts[bucket(0)] = 1;
        let mut scheduled = Scheduled::default();
        scheduled.add(&counts);
        assert_eq!(scheduled.burst.value().zero_count, 1);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn what_was_kept_goes_on() {
        let mut counts = Counts::default();
        counts.burst.counts[7] = 3;
        counts.burst.sum = 12;
        counts.preemptions = 2;
        let mut scheduled = Scheduled::default();
        scheduled.add(&counts);
        let mut resumed = Scheduled::from(scheduled.saved());
        assert_eq!(resumed.saved(), scheduled.saved());
        resumed.add(&counts);
        scheduled.add(&counts);
        assert_eq!(resumed.saved(), scheduled.saved());
        assert_eq!(resumed.saved().burst.counts, [6]);
        assert_eq!(difference(&counts, &counts), Counts::default());
        // A slot that was read in part only, or went back, adds nothing.
        assert_eq!(difference(&Counts::default(), &counts), Counts::default());
    }
}
