//! What watched processes write to standard error, where a plugin asks for it:
//! the last words of those that write into a pipe, a terminal or a socket.
//!
//! The daemon puts in who is tapped; their children come in here, in the hook
//! on fork. Everybody is taken out in the hook on exit.

use aya_ebpf::helpers::{bpf_get_current_task_btf, generated::bpf_probe_read_user};
use sensor_common::{
    event::{Header, Tap},
    kind,
    limits::{TAP_MAX, TAP_PARTS},
    scheduler::Watched,
};

use crate::{
    call::Call,
    clock, emit,
    maps::{TAP, TAPPED},
    output,
    task::Task,
};

/// Descriptors of the standard streams.
pub const STDOUT: u32 = 1;
pub const STDERR: u32 = 2;

/// Where the record is put together; see `probes::exec::Buffer`.
#[repr(C)]
pub struct Buffer {
    record: Tap,
    text: [u8; TAP_MAX],
}

/// The current thread writes to descriptor 1 or 2: `address` and `count` are
/// the second and third argument of the call. Descriptor 1 counts while the
/// same file is behind both: so a shell does `echo ... >&2`.
#[inline(always)]
pub fn writes(call: Call, descriptor: u32, address: u64, count: u64) {
    // SAFETY: no arguments.
    let task = Task::new(unsafe { bpf_get_current_task_btf() }.cast());
    let pid = task.pid();
    let Some(start) = tapped(task, pid) else {
        return;
    };
    // The numbers of its calls and the layout of its buffers are others.
    if task.is_compat() {
        return;
    }
    if descriptor == STDOUT {
        let [out, err] = output::open_files(task);
        if out != err {
            return;
        }
    }
    // Whoever writes all the time must not push out what others did.
    if emit::is_filling() {
        emit::count(|lost| &mut lost.tap);
        return;
    }
    let header = Header {
        kind: kind::TAP,
        pid,
        time: clock::now(),
        start,
    };
    match call {
        Call::Write => send(header, address, count),
        Call::WriteV => {
            // What it said last is in the last ones.
            let first = count.saturating_sub(TAP_PARTS);
            if first > 0 {
                emit::count(|lost| &mut lost.tap);
            }
            for index in 0..TAP_PARTS {
                if index >= count {
                    break;
                }
                // `struct iovec` of include/uapi/linux/uio.h.
                let mut part = [0_u64; 2];
                // SAFETY: the helper checks the source; the destination is 16
                // bytes.
                let failed = unsafe {
                    bpf_probe_read_user(
                        part.as_mut_ptr().cast(),
                        16,
                        address.wrapping_add(16 * (first + index)) as *const _,
                    )
                };
                if failed != 0 {
                    emit::count(|lost| &mut lost.tap);
                    break;
                }
                send(header, part[0], part[1]);
            }
        }
    }
}

/// A child is tapped as its parent is, from its first call on.
#[inline(always)]
pub fn inherit(parent: Task, child: Task) {
    if !emit::wants_taps() || tapped(parent, parent.pid()).is_none() {
        return;
    }
    let watched = Watched {
        start: child.start(),
        tolerance: 0,
        slot: 0,
    };
    if TAPPED.insert(&child.pid(), &watched, 0).is_err() {
        emit::count(|lost| &mut lost.tap);
    }
}

/// The last thread of a process ends.
#[inline(always)]
pub fn ends(pid: u32) {
    if emit::wants_taps() {
        let _ = TAPPED.remove(&pid);
    }
}

/// Start of a process that is tapped.
#[inline(always)]
fn tapped(task: Task, pid: u32) -> Option<u64> {
    let watched = TAPPED.get_ptr(&pid)?;
    let start = task.leader().start();
    // SAFETY: an element of a hash map that is never freed while the map
    // lives; its fields are integers.
    unsafe { &*watched }.is(start).then_some(start)
}

/// Sends the end of a buffer.
#[inline(always)]
fn send(header: Header, address: u64, total: u64) {
    let Some(buffer) = TAP.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: an element of a per-CPU map belongs to this CPU, and the kernel
    // lets a program run once at a time on each (`prog->active`).
    let Buffer { record, text } = unsafe { &mut *buffer };
    let most = TAP_MAX as u64;
    let skipped = total.saturating_sub(most);
    record.header = header;
    record.len = (total - skipped) as u32;
    record.total = if total > u64::from(u32::MAX) {
        u32::MAX
    } else {
        total as u32
    };
    // SAFETY: the reference is valid. Volatile for the verifier's sake: what
    // it knows of the value begins here.
    let len = unsafe { (&raw const record.len).read_volatile() };
    if len == 0 || len > TAP_MAX as u32 {
        return;
    }
    // SAFETY: `text` has `TAP_MAX` bytes; the helper checks the source.
    let failed = unsafe {
        bpf_probe_read_user(
            text.as_mut_ptr().cast(),
            len,
            address.wrapping_add(skipped) as *const _,
        )
    };
    if failed != 0 {
        emit::count(|lost| &mut lost.tap);
        return;
    }
    // SAFETY: `len` bytes of `text` follow the record.
    unsafe {
        emit::bytes(
            buffer.cast(),
            size_of::<Tap>() as u64 + u64::from(len),
            header.time,
            |lost| &mut lost.tap,
        );
    };
}
