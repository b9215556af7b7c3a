//! `sched_switch(preempt, prev, next, prev_state)`: a thread leaves its CPU
//! and another one gets it.
//!
//! Only the one that leaves is looked at: by then the scheduler has written
//! down how long it had waited for the CPU and how long it ran. So there is no
//! hook on wake-ups, which are as frequent as switches.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{scheduler, task::Task};

/// Counts a turn on the CPU of a process that a plugin wants it of.
#[btf_tracepoint(function = "sched_switch")]
pub fn sched(ctx: BtfTracePointContext) -> i32 {
    let task = Task::new(ctx.arg(1));
    let pid = task.pid();
    // 0 is the idle task, on most hosts every other one.
    if pid != 0 && scheduler::is_marked(pid) {
        scheduler::departs(task, pid);
    }
    0
}
