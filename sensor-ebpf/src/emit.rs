//! Reserve, fill, submit, or count the loss. Rare wake-ups: one per record is
//! what makes other tools slow.

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, BPF_RB_RING_SIZE},
    helpers::generated::{bpf_ktime_get_boot_ns, bpf_ringbuf_output},
};
use sensor_common::{limits::WAKE_AFTER_NS, loss::Loss};

use crate::maps::{LOSS, RING};

/// Now on CLOCK_BOOTTIME, ns.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Puts a record of fixed size into the ring.
#[inline(always)]
pub fn record<T: Copy + 'static>(record: &T, time: u64, lost: fn(&mut Loss) -> &mut u64) -> bool {
    match RING.reserve::<T>(0) {
        Some(mut entry) => {
            entry.write(*record);
            entry.submit(wake_up(time));
            true
        }
        None => {
            count(lost);
            false
        }
    }
}

/// Puts `len` bytes into the ring.
///
/// # Safety
///
/// `data` must point to at least `len` bytes; the verifier checks it.
#[inline(always)]
pub unsafe fn bytes(data: *mut u8, len: u64, time: u64, lost: fn(&mut Loss) -> &mut u64) {
    let ring = (&raw const RING).cast_mut().cast();
    // SAFETY: by the caller.
    let failed = unsafe { bpf_ringbuf_output(ring, data.cast(), len, wake_up(time)) };
    if failed != 0 {
        count(lost);
    }
}

/// Counts a loss of this CPU.
#[inline(always)]
pub fn count(lost: fn(&mut Loss) -> &mut u64) {
    if let Some(loss) = LOSS.get_ptr_mut(0) {
        // SAFETY: an element of a per-CPU map belongs to this CPU, and a hook
        // is not interrupted by another one.
        *lost(unsafe { &mut *loss }) += 1;
    }
}

/// Whether to wake the consumer: when this CPU has not done so for a while, or
/// the ring is filling up. A consumer that was woken keeps polling for longer
/// than [`WAKE_AFTER_NS`], so nothing waits unseen.
#[inline(always)]
fn wake_up(time: u64) -> u64 {
    let Some(loss) = LOSS.get_ptr_mut(0) else {
        return u64::from(BPF_RB_FORCE_WAKEUP);
    };
    // SAFETY: as in `count`.
    let last = unsafe { &mut (*loss).last_wake };
    let since = time.saturating_sub(*last);
    let filling = since > WAKE_AFTER_NS / 16
        && RING.query(u64::from(BPF_RB_AVAIL_DATA)) > RING.query(u64::from(BPF_RB_RING_SIZE)) / 4;
    if since > WAKE_AFTER_NS || filling {
        *last = time;
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}
