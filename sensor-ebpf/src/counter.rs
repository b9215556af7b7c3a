//! Numbers that several CPUs change at once.

use core::{arch::asm, cell::UnsafeCell};

/// A number that several CPUs change at once. The target has no atomic types
/// in `core`, the kernel has the instruction; on x86 it is a full barrier.
#[repr(transparent)]
pub struct Counter(UnsafeCell<u64>);

// SAFETY: it is read whole and changed by atomic instructions only.
unsafe impl Sync for Counter {}

impl Counter {
    /// Sets it, before anybody else sees it.
    #[inline(always)]
    pub fn set(&mut self, value: u64) {
        *self.0.get_mut() = value;
    }

    /// What it is now.
    #[inline(always)]
    pub fn get(&self) -> u64 {
        // SAFETY: the pointer is valid; 8 aligned bytes are read at once.
        unsafe { self.0.get().read_volatile() }
    }

    /// Takes one away.
    #[inline(always)]
    pub fn sub_one(&self) {
        self.add(1_u64.wrapping_neg());
    }

    /// Adds to it.
    #[inline(always)]
    pub fn add(&self, value: u64) {
        // SAFETY: the pointer is valid and the instruction atomic.
        unsafe {
            asm!("lock *(u64 *)({at} + 0) += {value}", at = in(reg) self.0.get(), value = in(reg) value);
        }
    }
}
