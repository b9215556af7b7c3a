//! `task_rename(task, comm)`: a thread takes another name.
//!
//! The name itself is not taken: the daemon looks at it with its next
//! collection, when it may be another one already.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use sensor_common::{event::Header, kind};

use crate::{clock, emit, task::Task};

/// Says that a process has another name, where somebody wants to know. That of
/// a thread beside the leader is not the process's, and an exec tells its own.
#[btf_tracepoint(function = "task_rename")]
pub fn rename(ctx: BtfTracePointContext) -> i32 {
    // Nearly all are execs; these are told apart by what is in the cache.
    let task = Task::new(ctx.arg(0));
    if task.is_in_exec() || task.tid() != task.pid() || task.is_kernel_thread() {
        return 0;
    }
    if !emit::wants_renames() {
        return 0;
    }
    // Whoever renames itself all the time must not push out what others did.
    if emit::is_filling() {
        emit::count(|lost| &mut lost.rename);
        return 0;
    }
    let time = clock::now();
    emit::record(
        time,
        |lost| &mut lost.rename,
        |record: &mut Header| {
            *record = Header {
                kind: kind::RENAME,
                pid: task.pid(),
                time,
                start: task.start(),
            };
        },
    );
    0
}
