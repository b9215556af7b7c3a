//! The scheduler's clock, which no helper gives (contract A1).

use aya_ebpf::helpers::generated::{bpf_ktime_get_boot_ns, bpf_ktime_get_ns};
use sensor_common::clock::SchedulerClock;

use crate::maps::CLOCK;

/// How long a window of observations is at least, ns. The daemon observes once
/// a second, so every window has a good observation.
const WINDOW_NS: u64 = 1_500_000_000;
/// A queue's clock that is older has missed ticks, or the host was suspended.
const STALE_NS: u64 = 10_000_000;

/// Now on CLOCK_BOOTTIME, ns. A look at a clock costs 60 ns in a virtual
/// machine, so a hook takes one.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// `time` of CLOCK_BOOTTIME on the scheduler's clock, given a `rq->clock`,
/// which is never ahead and so is an observation in passing. `None` before the
/// daemon has made the first.
#[inline(always)]
pub fn to_scheduler(time: u64, queue_clock: u64) -> Option<u64> {
    let clock = CLOCK.get_ptr_mut(0)?;
    // SAFETY: the pointer is that of a map element. CPUs may write at the same
    // time; each field is written at once, and what is lost is one observation.
    let SchedulerClock {
        current,
        previous,
        suspended: before,
        ..
    } = unsafe { &mut *clock };
    if *current == 0 {
        return None;
    }
    let distance = time.saturating_sub(queue_clock);
    if distance < *current {
        *current = distance;
    }
    let mut best = if *previous != 0 && *previous < *current {
        *previous
    } else {
        *current
    };
    if distance > best + STALE_NS {
        best += suspended().saturating_sub(*before);
    }
    Some(time.saturating_sub(best))
}

/// The daemon's observation, and nobody else's: only this one begins a new
/// window. If every hook did, two at once would make both windows new, and a
/// bad observation would be the best there is.
#[inline(always)]
pub fn observe(queue_clock: u64) {
    let suspended = suspended();
    let now = now();
    let Some(clock) = CLOCK.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: as in `to_scheduler`.
    let SchedulerClock {
        window_start,
        current,
        previous,
        suspended: before,
    } = unsafe { &mut *clock };
    let distance = now.saturating_sub(queue_clock);
    if suspended > *before + STALE_NS {
        // Distances from before are too small.
        *previous = 0;
        *current = distance;
        *before = suspended;
        *window_start = now;
    } else if *current == 0 || now.saturating_sub(*window_start) > WINDOW_NS {
        *previous = *current;
        *current = distance;
        *window_start = now;
    } else if distance < *current {
        *current = distance;
    }
}

/// How long the host has been suspended since it was started, ns; never less
/// than that.
#[inline(always)]
fn suspended() -> u64 {
    // SAFETY: no arguments.
    let monotonic = unsafe { bpf_ktime_get_ns() };
    now().saturating_sub(monotonic)
}
