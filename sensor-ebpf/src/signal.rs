//! What the threads of a process share, and what those used that are gone.

use sensor_common::{
    event::Figures,
    field::{self, Field},
};

use crate::{read::read, task::Task};

/// `SIGNAL_GROUP_EXIT` of include/linux/sched/signal.h.
const GROUP_EXIT: u32 = 4;

/// A `signal_struct`: what the threads of a process share.
#[derive(Clone, Copy)]
pub struct Signal(*const u8);

impl Signal {
    /// Takes a field of a `task_struct`.
    pub fn new(field: *const u8) -> Self {
        Self(field)
    }

    #[inline(always)]
    fn u32(self, field: Field) -> u32 {
        // SAFETY: `signal` is a typed pointer.
        unsafe { read(self.0, field) }
    }

    #[inline(always)]
    fn u64(self, field: Field) -> u64 {
        // SAFETY: as in `u32`.
        unsafe { read(self.0, field) }
    }

    /// Threads that have not begun to exit.
    #[inline(always)]
    pub fn live(self) -> u32 {
        self.u32(field::SIGNAL_LIVE)
    }

    /// Threads that have not been released.
    #[inline(always)]
    pub fn threads(self) -> u32 {
        self.u32(field::SIGNAL_THREADS)
    }

    /// Peak resident set of the process, pages: `ru_maxrss`.
    #[inline(always)]
    pub fn peak_pages(self) -> u64 {
        self.u64(field::SIGNAL_MAXRSS)
    }

    /// Wait status of the process (kernel/exit.c, `wait_task_zombie`).
    #[inline(always)]
    pub fn status(self, leader: Task) -> u32 {
        if self.u32(field::SIGNAL_FLAGS) & GROUP_EXIT != 0 {
            self.u32(field::SIGNAL_EXIT_CODE)
        } else {
            leader.exit_code()
        }
    }

    /// CPU time of the threads that have been released; 0 means that there
    /// were none.
    #[inline(always)]
    pub fn released_cpu(self) -> u64 {
        self.u64(field::SIGNAL_CPU)
    }

    /// Adds what the threads that have been released used. Their run-queue
    /// wait is not kept by the kernel.
    #[inline(always)]
    pub fn add_to(self, sum: &mut Figures) {
        sum.cpu += self.u64(field::SIGNAL_CPU);
        sum.user += self.u64(field::SIGNAL_USER);
        sum.system += self.u64(field::SIGNAL_SYSTEM);
        sum.voluntary += self.u64(field::SIGNAL_VOLUNTARY);
        sum.involuntary += self.u64(field::SIGNAL_INVOLUNTARY);
        sum.minor += self.u64(field::SIGNAL_MINOR);
        sum.major += self.u64(field::SIGNAL_MAJOR);
        sum.read_bytes += self.u64(field::SIGNAL_READ_BYTES);
        sum.write_bytes += self.u64(field::SIGNAL_WRITE_BYTES);
        sum.rchar += self.u64(field::SIGNAL_RCHAR);
        sum.wchar += self.u64(field::SIGNAL_WCHAR);
    }
}
