//! `sched_process_exit(task, group_dead)`: a thread ends, and with the last
//! one the process.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use sensor_common::{
    event::{Exit, Figures, Header, UNKNOWN_PAGES},
    field, kind,
};

use crate::{
    emit,
    group::{self, Ending, ZERO},
    maps::SCRATCH,
    scheduler,
    task::{Task, offset},
};

/// Reports the end of a process; sums up the end of a thread.
#[btf_tracepoint(function = "sched_process_exit")]
pub fn exit(ctx: BtfTracePointContext) -> i32 {
    let task = Task::new(ctx.arg(0));
    if task.is_kernel_thread() {
        return 0;
    }
    // Kernels since 6.16 say it; the verifier refuses the read on others, but
    // does not see it there, because the number of arguments is a constant.
    let group_dead = if offset(field::EXIT_ARGS) == 2 {
        Some(ctx.arg::<u32>(1) & 0xff != 0)
    } else {
        None
    };
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: an element of a per-CPU map belongs to this CPU, and hooks do
    // not interrupt each other.
    let scratch = unsafe { &mut *scratch };
    scratch.own = ZERO;
    task.add_to(&mut scratch.own, true);
    match group::thread_died(task, group_dead, scratch) {
        Ending::Thread => {}
        Ending::Process { threads, pending } => {
            report(task, &scratch.own, threads, pending);
            scheduler::ends(task);
        }
    }
    0
}

#[inline(always)]
fn report(task: Task, figures: &Figures, threads: u32, pending: u32) {
    let leader = task.leader();
    let signal = task.signal();
    let time = emit::now();
    emit::record(
        time,
        |lost| &mut lost.exit,
        |record: &mut Exit| {
            record.header = Header {
                kind: kind::EXIT,
                pid: task.pid(),
                time,
                start: leader.start(),
            };
            record.parent_pid = leader.parent().pid();
            record.uid = task.user();
            record.status = signal.status(leader);
            record.threads = threads;
            record.pending = pending;
            record.padding = 0;
            record.figures = *figures;
            record.peak_pages = signal.peak_pages();
            record.exec_peak_pages = match task.memory() {
                Some(memory) => memory.peak_pages(),
                None => UNKNOWN_PAGES,
            };
        },
    );
}
