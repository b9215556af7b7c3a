//! `mark_victim(task, uid)`: the kernel ends a process for want of memory.
//! Kernels before 6.10 or so give its thread id only.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use sensor_common::field;

use crate::{clock, maps::VICTIM, read::offset, task::Task};

/// Remembers the victim until it ends.
#[btf_tracepoint(function = "mark_victim")]
pub fn oom(ctx: BtfTracePointContext) -> i32 {
    let pid = match offset(field::VICTIM_ARGS) {
        // The thread that is looked at first is the leader, unless it has gone.
        1 => ctx.arg::<u32>(0),
        2 => Task::new(ctx.arg(0)).pid(),
        _ => return 0,
    };
    let _ = VICTIM.insert(&pid, &clock::now(), 0);
    0
}
