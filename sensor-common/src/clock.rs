//! The scheduler's clock, as the kernel programs keep it.

/// The distance between CLOCK_MONOTONIC and the scheduler's clock, ns.
///
/// Each observation `bpf_ktime_get_ns() - rq->clock` is the true distance plus
/// the age of `rq->clock`, so the least of many is the best. The two clocks
/// drift (NTP slews one of them), so the least of the current and of the last
/// window is used.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct SchedulerClock {
    /// CLOCK_MONOTONIC at the start of the current window, ns.
    pub window_start: u64,
    /// Least distance of the current window, ns; 0 before the first.
    pub current: u64,
    /// Least distance of the window before, ns; 0 where there was none.
    pub previous: u64,
}
