//! `sched_process_exec(task, old_pid, bprm)`: a process runs a new program.
//!
//! Arguments and path are taken here, because /proc is gone when a process
//! lives 200 µs. The pages with the arguments are resident: the kernel just
//! wrote them.

use aya_ebpf::{
    helpers::generated::bpf_probe_read_user, macros::btf_tracepoint, programs::BtfTracePointContext,
};
use sensor_common::{
    event::{Exec, Header, PATH_WHOLE},
    kind,
    limits::{ARGS_MAX, NAME_MAX, PATH_MAX},
};

use crate::{clock, emit, group, maps::BUFFER, output, path, task::Task};

/// Where the record is put together. The last two bounds are the verifier's:
/// it wants room for the longest name after the longest path, and for the
/// longest arguments after that.
#[repr(C)]
pub struct Buffer {
    record: Exec,
    tail: [u8; PATH_MAX + NAME_MAX + ARGS_MAX],
}

/// Reports the exec.
#[btf_tracepoint(function = "sched_process_exec")]
pub fn exec(ctx: BtfTracePointContext) -> i32 {
    let task = Task::new(ctx.arg(0));
    let Some(buffer) = BUFFER.get_ptr_mut(0) else {
        return 0;
    };
    let parent = task.parent();
    let signal = task.signal();
    let time = clock::now();

    // SAFETY: an element of a per-CPU map belongs to this CPU, and no other
    // hook uses it.
    let Buffer { record, tail } = unsafe { &mut *buffer };
    record.header = Header {
        kind: kind::EXEC,
        pid: task.pid(),
        time,
        start: task.start(),
    };
    record.parent_pid = parent.pid();
    record.uid = task.user();
    record.parent_start = parent.start();
    record.cgroup = task.cgroup();
    task.write_to(&mut record.figures, Some(time));
    group::add_dead_threads(task.pid(), task.start(), signal, &mut record.figures);
    // SAFETY: it lies behind figures of 8 bytes each.
    unsafe { task.write_name(&mut record.comm) };
    record.peak_pages = signal.peak_pages();
    record.flags = 0;
    record.padding = 0;
    record.outputs = output::note(task);

    let tail = tail.as_mut_ptr();
    let mut path_len = 0_u32;
    let mut args_len = 0_u32;
    record.path_len = 0;
    record.args_total = 0;
    if let Some(memory) = task.memory() {
        if let Some(executable) = memory.executable() {
            // SAFETY: `tail` has more than `PATH_MAX + NAME_MAX` bytes.
            let whole = unsafe { path::write(tail, &raw mut record.path_len, executable) };
            if whole {
                record.flags |= PATH_WHOLE;
            }
            // SAFETY: the reference is valid. Volatile for the verifier's
            // sake: what it knows of the value begins here.
            path_len = unsafe { (&raw const record.path_len).read_volatile() };
        }
        let (start, end) = memory.arguments();
        record.args_total = end.saturating_sub(start);
        args_len = if record.args_total > ARGS_MAX as u64 {
            ARGS_MAX as u32
        } else {
            record.args_total as u32
        };
        // For the verifier, which forgets the bound of a spilled value.
        if path_len > (PATH_MAX + NAME_MAX) as u32 || args_len > ARGS_MAX as u32 {
            return 0;
        }
        // SAFETY: `path_len + args_len` is within `tail`.
        let failed = unsafe {
            bpf_probe_read_user(
                tail.add(path_len as usize).cast(),
                args_len,
                start as *const _,
            )
        };
        if failed != 0 {
            args_len = 0;
        }
    }
    record.args_len = args_len;
    let len = (path_len + args_len) as usize;
    if len > PATH_MAX + NAME_MAX + ARGS_MAX {
        return 0;
    }
    if emit::wants_taps() {
        emit::hurry(time);
    }
    // SAFETY: `len` bytes of `tail` follow the record.
    unsafe {
        emit::bytes(
            buffer.cast(),
            (size_of::<Exec>() + len) as u64,
            time,
            |lost| &mut lost.exec,
        );
    };
    0
}
