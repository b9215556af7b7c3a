//! System calls, as `sys_enter` tells of them.

use core::ptr;

use sensor_common::field::{self, ABSENT};

use crate::{
    maps::CALLS,
    read::{has, offset, read},
};

/// A system call that writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `write(fd, buffer, length)`
    Write,
    /// `writev(fd, buffers, count)`
    WriteV,
}

impl Call {
    /// By its number; `None` for all others.
    #[inline(always)]
    pub fn of(id: u64) -> Option<Self> {
        // SAFETY: two numbers. Volatile, because the daemon replaces them
        // before the load.
        let [write, writev] = unsafe { ptr::read_volatile(&raw const CALLS) };
        if id == u64::from(write) {
            Some(Self::Write)
        } else if id == u64::from(writev) {
            Some(Self::WriteV)
        } else {
            None
        }
    }
}

/// A `pt_regs`: the registers of user space when it called the kernel.
#[derive(Clone, Copy)]
pub struct Registers(*const u8);

impl Registers {
    /// Takes an argument of the tracepoint.
    pub fn new(argument: *const u8) -> Self {
        Self(argument)
    }

    /// The first, second or third argument of the call: by name on x86, by
    /// number on arm64.
    #[inline(always)]
    pub fn argument(self, index: usize) -> u64 {
        let by_name = [field::REGS_DI, field::REGS_SI, field::REGS_DX];
        if has(field::REGS_DI) {
            // SAFETY: `pt_regs` is a typed pointer.
            return unsafe { read(self.0, by_name[index]) };
        }
        let all = offset(field::REGS_ALL);
        if all == ABSENT {
            return 0;
        }
        // SAFETY: as above; `regs` is an array of 31 numbers.
        unsafe { ptr::read_volatile(self.0.add(all as usize + 8 * index).cast()) }
    }
}
