//! `sched_process_exit(task, group_dead)`: a thread ends, and with the last
//! one the process.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use sensor_common::{
    event::{Exit, Figures, Header, OOM_VICTIM, UNKNOWN_PAGES},
    field, kind,
};

use crate::{
    clock, emit,
    group::{self, Ending},
    maps::{SCRATCH, SENDER, VICTIM},
    output,
    read::offset,
    scheduler, tap,
    task::Task,
    zero,
};

/// Bits of a wait status that hold the signal.
const SIGNAL: u32 = 0x7f;
const SIGKILL: u32 = 9;

/// Reports the end of a process; sums up the end of a thread.
// Inlined into what the macro makes of it: it is too large to be by itself, and
// a call would cost something at every exit.
#[btf_tracepoint(function = "sched_process_exit")]
#[inline(always)]
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
    let time = clock::now();
    task.write_to(&mut scratch.own, Some(time));
    match group::thread_died(task, group_dead, scratch) {
        Ending::Thread => {}
        Ending::Process { threads, pending } => {
            report(task, time, &scratch.own, threads, pending);
            scheduler::ends(task, time);
            tap::ends(task.pid());
        }
    }
    0
}

#[inline(always)]
fn report(task: Task, time: u64, figures: &Figures, threads: u32, pending: u32) {
    let leader = task.leader();
    let signal = task.signal();
    let status = signal.status(leader);
    let header = Header {
        kind: kind::EXIT,
        pid: task.pid(),
        time,
        start: leader.start(),
    };
    if status != 0 && emit::wants_outputs() {
        let kind = kind::OUTPUT;
        output::tell(task, Header { kind, ..header });
    }
    emit::record(
        time,
        |lost| &mut lost.exit,
        |record: &mut Exit| {
            record.header = header;
            record.parent_pid = leader.parent().pid();
            record.uid = task.user();
            record.status = status;
            record.threads = threads;
            record.pending = pending;
            record.flags = 0;
            record.figures = *figures;
            record.peak_pages = signal.peak_pages();
            record.exec_peak_pages = match task.memory() {
                Some(memory) => memory.peak_pages(),
                None => UNKNOWN_PAGES,
            };
            // SAFETY: integers only.
            unsafe { zero::fill(&mut record.sender) };
            if status & SIGNAL != 0 {
                cause(&header, status & SIGNAL, record);
            }
        },
    );
}

/// Finds out why a signal ended the process, as far as others hooks know.
#[inline(always)]
fn cause(header: &Header, signal: u32, record: &mut Exit) {
    let key = [u64::from(header.pid), header.start];
    if let Some(sender) = SENDER.get_ptr(&key) {
        // SAFETY: the pointer is that of a map element, plain integers.
        unsafe {
            if (*sender).signal == signal {
                record.sender = *sender;
            }
        }
        let _ = SENDER.remove(&key);
    }
    if signal != SIGKILL {
        return;
    }
    if let Some(time) = VICTIM.get_ptr(&header.pid) {
        // SAFETY: as above. Another process may have had the pid.
        if unsafe { *time } >= header.start {
            record.flags |= OOM_VICTIM;
        }
        let _ = VICTIM.remove(&header.pid);
    }
}
