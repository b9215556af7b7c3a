//! The scheduler's clock, as the kernel programs keep it.

/// The distance between CLOCK_BOOTTIME and the scheduler's clock, ns.
///
/// Each observation `bpf_ktime_get_boot_ns() - rq->clock` is the true distance
/// plus the age of `rq->clock`, so the least of many is the best. The two
/// clocks drift (NTP slews one of them), so the least of the current and of the
/// last window is used. While the host is suspended only the first one goes on.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct SchedulerClock {
    /// CLOCK_BOOTTIME at the start of the current window, ns.
    pub window_start: u64,
    /// Least distance of the current window, ns; 0 before the first.
    pub current: u64,
    /// Least distance of the window before, ns; 0 where there was none.
    pub previous: u64,
    /// How long the host had been suspended at the start of the current
    /// window: CLOCK_BOOTTIME less CLOCK_MONOTONIC, ns.
    pub suspended: u64,
}
