//! The scheduler's clock, which no helper gives (contract A1).

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use sensor_common::clock::SchedulerClock;

use crate::maps::CLOCK;

/// How long a window of observations is, ns. The daemon makes one good
/// observation a second, so every window has one.
const WINDOW_NS: u64 = 2_000_000_000;

/// Now on the scheduler's clock, given a `rq->clock`, which is never ahead.
/// `None` before the daemon has made an observation.
#[inline(always)]
pub fn scheduler_now(queue_clock: u64) -> Option<u64> {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let distance = observe(now, queue_clock)?;
    Some(now.saturating_sub(distance))
}

/// Takes in one observation and returns the least distance known.
///
/// Two CPUs may do this at once; then one observation may be lost, which
/// another one replaces soon.
#[inline(always)]
fn observe(now: u64, queue_clock: u64) -> Option<u64> {
    let clock = CLOCK.get_ptr_mut(0)?;
    // SAFETY: the pointer is that of a map element; all accesses are 8 bytes.
    let SchedulerClock {
        window_start,
        current,
        previous,
    } = unsafe { &mut *clock };
    let distance = now.saturating_sub(queue_clock);
    if now.saturating_sub(*window_start) > WINDOW_NS {
        *previous = *current;
        *current = distance;
        *window_start = now;
    } else if distance < *current {
        *current = distance;
    }
    let best = if *previous != 0 && *previous < *current {
        *previous
    } else {
        *current
    };
    Some(best)
}
