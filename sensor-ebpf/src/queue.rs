//! The run queue of a CPU: its clocks, and the time that was taken from it.

use sensor_common::field::{self, Field};

use crate::read::{has, offset, probe, read};

/// An `rq`: the run queue of a CPU.
#[derive(Clone, Copy)]
pub struct Queue(*const u8);

impl Queue {
    /// Takes a field of a `cfs_rq`.
    pub fn new(field: *const u8) -> Self {
        Self(field)
    }

    /// A clock of it, or what it has counted, ns.
    #[inline(always)]
    pub fn u64(self, field: Field) -> u64 {
        // SAFETY: `rq` is a typed pointer.
        unsafe { read(self.0, field) }
    }

    /// Time that the hypervisor took since the queue's clocks were brought up
    /// to date: what `update_rq_clock_task` would take off now. The variable
    /// lies at a known distance from the queue, as each CPU has both.
    #[inline(always)]
    pub fn stolen_since_update(self) -> u64 {
        if !has(field::RQ_STEAL) || !has(field::CPU_RQ) || !has(field::CPU_STEAL) {
            return 0;
        }
        let counted = self.u64(field::RQ_STEAL);
        if counted == 0 {
            // No hypervisor that says so, or it is not taken off.
            return 0;
        }
        let cpu = (self.0 as u64).wrapping_sub(u64::from(offset(field::CPU_RQ)));
        // `kvm_steal_time` begins with the time, ns.
        match probe(cpu, field::CPU_STEAL) {
            Some(stolen) => stolen.saturating_sub(counted),
            None => 0,
        }
    }
}
