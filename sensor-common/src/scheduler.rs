//! What the hook on `sched_switch` counts of watched processes.
//!
//! Every figure is the difference between two departures of one thread from
//! its CPU, taken from counters that the scheduler keeps anyway
//! (`sched_info`). So nothing is timed here: no clock is read, no time stamp
//! can be late or out of order, and a wait that moves from one CPU to another
//! stays one wait.

/// Buckets of a distribution. The last one takes what is longer than 18 hours.
pub const BUCKETS: usize = 48;
/// Exponent of bucket 0, which holds what took no time at all; bucket `n` from
/// 1 on holds `(2^(n + LOWEST), 2^(n + LOWEST + 1)]` seconds.
pub const LOWEST: i32 = -31;
/// One second, with its highest bit where [`bucket`] wants it.
const SECOND: u64 = 1_000_000_000 << 34;

/// The bucket of a time, ns.
///
/// The bounds are powers of two of a *second*, as those of an OTLP exponential
/// histogram of scale 0 are, so that nothing is lost on the way to it. They
/// are no whole numbers of nanoseconds; both sides are brought to the same
/// length and compared instead.
#[must_use]
#[inline(always)]
pub const fn bucket(ns: u64) -> usize {
    if ns == 0 {
        return 0;
    }
    let zeros = ns.leading_zeros();
    // 2^29 < 1 s < 2^30 ns, so 1 ns is in bucket 1.
    let bucket = (64 - zeros) as usize + (ns << zeros > SECOND) as usize;
    if bucket < BUCKETS {
        bucket
    } else {
        BUCKETS - 1
    }
}

/// A watched process, by its thread group id.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watched {
    /// `start_boottime` of the leader, ns: a pid that is used again is not
    /// this process.
    pub start: u64,
    /// How much later it may have started: /proc shows hundredths of a second
    /// only. 0 where the start is exact.
    pub tolerance: u32,
    /// Where it is counted.
    pub slot: u32,
}

impl Watched {
    /// Whether this is the process that began at `start`.
    #[must_use]
    #[inline(always)]
    pub const fn is(&self, start: u64) -> bool {
        start.wrapping_sub(self.start) <= self.tolerance as u64
    }
}

/// A thread as of its last departure.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Departure {
    /// `start_boottime` of the thread, ns.
    pub start: u64,
    /// `sched_info.pcount`: how often it got a CPU.
    pub arrivals: u64,
    /// `sched_info.run_delay`: how long it waited for that, ns.
    pub delay: u64,
    /// `se.sum_exec_runtime`: how long it ran, ns.
    pub cpu: u64,
    /// `nivcsw`: how often it had to go.
    pub preemptions: u64,
}

/// What lies between two departures of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Waits for a CPU: one, but for departures that nobody saw.
    pub waits: u64,
    /// Their length together, ns.
    pub waited: u64,
    /// How long it ran, ns.
    pub ran: u64,
    /// How often it had to go.
    pub preemptions: u64,
}

impl Departure {
    /// What has been since `before`. Counters that went back count as still:
    /// what is wrong must not become the greatest number there is.
    #[must_use]
    #[inline(always)]
    pub const fn since(&self, before: &Self) -> Turn {
        Turn {
            waits: self.arrivals.saturating_sub(before.arrivals),
            waited: self.delay.saturating_sub(before.delay),
            ran: self.cpu.saturating_sub(before.cpu),
            preemptions: self.preemptions.saturating_sub(before.preemptions),
        }
    }

    /// Whether its life is known from the start: this is its first departure.
    #[must_use]
    #[inline(always)]
    pub const fn is_first(&self) -> bool {
        self.arrivals <= 1
    }
}

/// A distribution of times.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distribution {
    /// How many times, by [`bucket`].
    pub counts: [u64; BUCKETS],
    /// Their sum, ns.
    pub sum: u64,
}

/// What was counted in one slot, by one CPU.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waits for a CPU.
    pub latency: Distribution,
    /// Times on a CPU.
    pub burst: Distribution,
    /// Times that ended because the thread had to go.
    pub preemptions: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            sum: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a time is longer than `2^exponent` seconds, without rounding.
    fn exceeds(ns: u64, exponent: i32) -> bool {
        let (ns, second) = (u128::from(ns), 1_000_000_000_u128);
        match exponent {
            0.. => ns > second << exponent,
            _ => ns << -exponent > second,
        }
    }

    #[test]
    fn every_time_lies_between_the_bounds_of_its_bucket() {
        let mut times = 0_u64;
        let mut ns = 1_u64;
        loop {
            for ns in [ns - 1, ns, ns.saturating_add(1), ns.saturating_mul(10) / 7] {
                let at = bucket(ns);
                times += 1;
                if ns == 0 {
                    assert_eq!(at, 0);
                    continue;
                }
                let exponent = LOWEST + i32::try_from(at).unwrap();
                assert!(exceeds(ns, exponent), "{ns} ns in {exponent}");
                assert!(at == BUCKETS - 1 || !exceeds(ns, exponent + 1), "{ns} ns");
            }
            let Some(next) = ns.checked_mul(2) else {
                break;
            };
            // The bounds themselves, too: whole nanoseconds down to 2^-9 s.
            ns = match next {
                0x4000_0000 => 1_000_000_000 >> 9,
                _ if next.is_power_of_two() || next < 1_000_000_000 << 20 => next,
                _ => 0x4000_0000,
            };
        }
        assert!(times > 300);
    }

    #[test]
    fn a_pid_that_is_used_again_is_another_process() {
        let exact = Watched {
            start: 1_000_000_123,
            tolerance: 0,
            slot: 3,
        };
        assert!(exact.is(1_000_000_123));
        for other in [1_000_000_122, 1_000_000_124, 0, u64::MAX] {
            assert!(!exact.is(other), "{other}");
        }
        let scanned = Watched {
            start: 1_000_000_000,
            tolerance: 9_999_999,
            slot: 3,
        };
        assert!(scanned.is(1_000_000_000) && scanned.is(1_009_999_999));
        assert!(!scanned.is(999_999_999) && !scanned.is(1_010_000_000));
    }

    #[test]
    fn what_goes_back_counts_as_still() {
        let before = Departure {
            start: 1,
            arrivals: 7,
            delay: 1_000,
            cpu: 500,
            preemptions: 2,
        };
        let now = Departure {
            arrivals: 8,
            delay: 900,
            cpu: 700,
            preemptions: 1,
            ..before
        };
        let turn = now.since(&before);
        assert_eq!((turn.waits, turn.waited), (1, 0));
        assert_eq!((turn.ran, turn.preemptions), (200, 0));
        assert_eq!(bucket(turn.waited), 0);
        assert!(!now.is_first());
        let first = Departure { arrivals: 1, ..now };
        assert!(first.is_first());
    }
}
