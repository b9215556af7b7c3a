//! Reserve, fill, submit, or count the loss. Rare wake-ups: one per record is
//! what makes other tools slow.

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, BPF_RB_RING_SIZE},
    helpers::generated::bpf_ringbuf_output,
};
use sensor_common::loss::Loss;

use crate::maps::{AWAKE, LOSS, RING};

/// How long a consumer may take to wake up before it is woken again, and how
/// often a hook looks how full the ring is, ns.
const PATIENCE_NS: u64 = 1_000_000;
/// How often the consumer is woken out of turn at most, ns.
const HURRY_NS: u64 = 1_000_000;

/// Whether a quarter of the ring waits for the consumer.
#[inline(always)]
pub fn is_filling() -> bool {
    let size = RING.query(u64::from(BPF_RB_RING_SIZE));
    RING.query(u64::from(BPF_RB_AVAIL_DATA)) >= size / 4
}

/// Whether the consumer wants to know who takes another name.
#[inline(always)]
pub fn wants_renames() -> bool {
    match AWAKE.get_ptr(0) {
        // SAFETY: the pointer is that of a map element; one field is read.
        Some(awake) => unsafe { (&raw const (*awake).renames).read_volatile() != 0 },
        None => false,
    }
}

/// Whether the consumer wants to know where processes that end badly wrote.
#[inline(always)]
pub fn wants_outputs() -> bool {
    match AWAKE.get_ptr(0) {
        // SAFETY: the pointer is that of a map element; one field is read.
        Some(awake) => unsafe { (&raw const (*awake).outputs).read_volatile() != 0 },
        None => false,
    }
}

/// Whether the consumer taps what processes write. Then it has to know of new
/// programs at once.
#[inline(always)]
pub fn wants_taps() -> bool {
    match AWAKE.get_ptr(0) {
        // SAFETY: the pointer is that of a map element; one field is read.
        Some(awake) => unsafe { (&raw const (*awake).taps).read_volatile() != 0 },
        None => false,
    }
}

/// Puts a record of fixed size into the ring; `fill` writes every byte of it,
/// in place.
#[inline(always)]
pub fn record<T: 'static>(time: u64, lost: fn(&mut Loss) -> &mut u64, fill: impl FnOnce(&mut T)) {
    match RING.reserve::<T>(0) {
        Some(mut entry) => {
            // SAFETY: `T` is integers only, of which every bit pattern is a
            // value, and `fill` writes them all.
            fill(unsafe { entry.assume_init_mut() });
            entry.submit(wake_up(time));
        }
        None => count(lost),
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

/// Has the next record wake the consumer, whatever it promised, but no more
/// than once in `HURRY_NS`: a storm must not cost a wake-up each.
#[inline(always)]
pub fn hurry(time: u64) {
    let Some(awake) = AWAKE.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: as in `wake_up`.
    unsafe {
        let hurried = &raw mut (*awake).hurried;
        if time >= hurried.read_volatile() + HURRY_NS {
            hurried.write_volatile(time);
            (&raw mut (*awake).until).write_volatile(0);
        }
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

/// Whether to wake the consumer: where it sleeps, or the ring is filling up.
#[inline(always)]
fn wake_up(time: u64) -> u64 {
    let Some(awake) = AWAKE.get_ptr_mut(0) else {
        return u64::from(BPF_RB_FORCE_WAKEUP);
    };
    // SAFETY: the pointer is that of a map element. Others write it at the same
    // time; every field is read and written at once, and all it costs is a
    // wake-up too many.
    unsafe {
        let until = &raw mut (*awake).until;
        let looked = &raw mut (*awake).looked;
        if time < until.read_volatile() {
            if time < looked.read_volatile() + PATIENCE_NS {
                return u64::from(BPF_RB_NO_WAKEUP);
            }
            looked.write_volatile(time);
            if !is_filling() {
                return u64::from(BPF_RB_NO_WAKEUP);
            }
        } else {
            until.write_volatile(time + PATIENCE_NS);
        }
    }
    u64::from(BPF_RB_FORCE_WAKEUP)
}
