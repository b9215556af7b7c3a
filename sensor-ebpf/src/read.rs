//! The only way to kernel memory.
//!
//! Arguments of a BTF tracepoint are pointers that the verifier knows the type
//! of, and it knows the offsets, because they lie in a frozen map: so a read is
//! one load instruction that yields 0 where the memory is not there, and not a
//! helper call (20 to 60 ns each).

use core::ptr;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use sensor_common::field::{ABSENT, Field};

use crate::maps::OFFSETS;

/// The running kernel's offset of a field.
#[inline(always)]
pub fn offset(field: Field) -> u32 {
    // SAFETY: `field` is an index below `COUNT`, as all constants of `field`
    // are. Volatile, because the daemon replaces the value before the load.
    unsafe { ptr::read_volatile((&raw const OFFSETS).cast::<u32>().add(field)) }
}

/// Whether the running kernel has a field.
#[inline(always)]
pub fn has(field: Field) -> bool {
    offset(field) != ABSENT
}

/// Reads a field of the object at `base`; zero where the kernel has no such
/// field or the memory is not there.
///
/// # Safety
///
/// `base` must be a pointer whose type the verifier knows and which has the
/// field; the verifier refuses the program otherwise.
#[inline(always)]
pub unsafe fn read<T: Copy + Default>(base: *const u8, field: Field) -> T {
    let offset = offset(field);
    if offset == ABSENT {
        return T::default();
    }
    // SAFETY: the verifier checks type and offset, and the load itself yields
    // zero on a fault.
    unsafe { ptr::read_volatile(base.add(offset as usize).cast::<T>()) }
}

/// Reads a pointer; null where the kernel has no such field. Not through
/// [`read`], because the verifier has to see that the value is a pointer.
///
/// # Safety
///
/// As for [`read`].
#[inline(always)]
pub unsafe fn pointer(base: *const u8, field: Field) -> *const u8 {
    let offset = offset(field);
    if offset == ABSENT {
        return ptr::null();
    }
    // SAFETY: by the caller.
    unsafe { ptr::read_volatile(base.add(offset as usize).cast()) }
}

/// Reads a pointer-sized field of an object whose type the verifier does not
/// know; `None` where the memory is not there.
#[inline(always)]
pub fn probe(base: u64, field: Field) -> Option<u64> {
    let mut value = 0_u64;
    let offset = offset(field);
    if offset == ABSENT {
        return None;
    }
    // SAFETY: the helper checks the source; the destination is 8 bytes.
    let failed = unsafe {
        bpf_probe_read_kernel(
            (&raw mut value).cast(),
            8,
            (base + u64::from(offset)) as *const _,
        )
    };
    (failed == 0).then_some(value)
}
