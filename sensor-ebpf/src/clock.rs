//! The scheduler's clock, which no helper gives (contract A1).

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use sensor_common::clock::SchedulerClock;

use crate::maps::CLOCK;

/// How long a window of observations is at least, ns. The daemon observes once
/// a second, so every window has a good observation.
const WINDOW_NS: u64 = 1_500_000_000;

/// Now on the scheduler's clock, given a `rq->clock`, which is never ahead and
/// so is an observation in passing. `None` before the daemon has made the first.
#[inline(always)]
pub fn scheduler_now(queue_clock: u64) -> Option<u64> {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let clock = CLOCK.get_ptr_mut(0)?;
    // SAFETY: the pointer is that of a map element. CPUs may write at the same
    // time; each field is written at once, and what is lost is one observation.
    let SchedulerClock {
        current, previous, ..
    } = unsafe { &mut *clock };
    if *current == 0 {
        return None;
    }
    let distance = now.saturating_sub(queue_clock);
    if distance < *current {
        *current = distance;
    }
    let best = if *previous != 0 && *previous < *current {
        *previous
    } else {
        *current
    };
    Some(now.saturating_sub(best))
}

/// The daemon's observation, and nobody else's: only this one begins a new
/// window. If every hook did, two at once would make both windows new, and a
/// bad observation would be the best there is.
#[inline(always)]
pub fn observe(queue_clock: u64) {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let Some(clock) = CLOCK.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: as in `scheduler_now`.
    let SchedulerClock {
        window_start,
        current,
        previous,
    } = unsafe { &mut *clock };
    let distance = now.saturating_sub(queue_clock);
    if *current == 0 || now.saturating_sub(*window_start) > WINDOW_NS {
        *previous = *current;
        *current = distance;
        *window_start = now;
    } else if distance < *current {
        *current = distance;
    }
}
