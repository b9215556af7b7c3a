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
