//! `sched_process_fork(parent, child)`: a process or a thread was born.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use sensor_common::{
    event::{Fork, Header},
    kind,
};

use crate::{emit, group, scheduler, tap, task::Task};

/// Reports the birth of a process; counts the birth of a thread. It has not run
/// yet.
#[btf_tracepoint(function = "sched_process_fork")]
pub fn fork(ctx: BtfTracePointContext) -> i32 {
    let child = Task::new(ctx.arg(1));
    if child.is_kernel_thread() {
        return 0;
    }
    if child.tid() != child.pid() {
        group::thread_born(child);
        return 0;
    }
    let thread = Task::new(ctx.arg(0));
    let parent = thread.leader();
    scheduler::inherit(parent, child);
    tap::inherit(parent, child);
    // Taken a moment ago, in the same function of the kernel.
    let time = child.start();
    emit::record(
        time,
        |lost| &mut lost.fork,
        |record: &mut Fork| {
            record.header = Header {
                kind: kind::FORK,
                pid: child.pid(),
                time,
                start: time,
            };
            record.parent_pid = parent.pid();
            record.padding = 0;
            record.parent_start = parent.start();
            // The child's too, but where clone3 put it into another one: the
            // exec that follows tells.
            record.cgroup = thread.cgroup();
        },
    );
    0
}
