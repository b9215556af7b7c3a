//! The address space of a process.

use core::ptr;

use sensor_common::{
    event::UNKNOWN_PAGES,
    field::{self, Field},
};

use crate::{
    file::File,
    read::{has, offset, pointer, read},
};

/// Counters of `mm->rss_stat` that make up the resident set: file, anonymous,
/// shared memory. Swap, between the last two, is none.
const RESIDENT: [usize; 3] = [0, 1, 3];

/// An `mm_struct`: the address space.
#[derive(Clone, Copy)]
pub struct Memory(*const u8);

impl Memory {
    /// Takes a field of a `task_struct`.
    pub fn new(field: *const u8) -> Self {
        Self(field)
    }

    #[inline(always)]
    fn u64(self, field: Field) -> u64 {
        // SAFETY: `mm` is a typed pointer.
        unsafe { read(self.0, field) }
    }

    /// User addresses between which the arguments lie.
    #[inline(always)]
    pub fn arguments(self) -> (u64, u64) {
        (self.u64(field::MM_ARG_START), self.u64(field::MM_ARG_END))
    }

    /// The executable file.
    #[inline(always)]
    pub fn executable(self) -> Option<File> {
        if !has(field::MM_EXE_FILE) || !has(field::FILE_PATH_DENTRY) || !has(field::FILE_PATH_MNT) {
            return None;
        }
        // SAFETY: `mm` is a typed pointer and has the field.
        Some(File::new(unsafe { pointer(self.0, field::MM_EXE_FILE) }))
    }

    /// Peak resident set since the address space was made, pages. As exact as
    /// `ru_maxrss`: the kernel too sums the counters without their per-CPU
    /// parts (`get_mm_rss`).
    #[inline(always)]
    pub fn peak_pages(self) -> u64 {
        // Before 6.2 the counters are an array in a struct, not the other way
        // round, and the first offset is absent; but then the address space is
        // gone in the exit hook anyway.
        if !has(field::MM_PEAK) || !has(field::MM_RSS_COUNT) || !has(field::COUNTER_SIZE) {
            return UNKNOWN_PAGES;
        }
        let peak = self.u64(field::MM_PEAK);
        let mut resident = 0_u64;
        for counter in RESIDENT {
            let at = offset(field::MM_RSS_COUNT) as usize
                + counter * offset(field::COUNTER_SIZE) as usize;
            // SAFETY: the verifier knows the offset to be inside `rss_stat`.
            let count = unsafe { ptr::read_volatile(self.0.add(at).cast::<i64>()) };
            if count > 0 {
                resident += count as u64;
            }
        }
        if resident > peak { resident } else { peak }
    }
}
