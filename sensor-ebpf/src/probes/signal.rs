//! `signal_generate(sig, info, task, group, result)`: somebody sends a signal.
//!
//! It fires for every signal on the host, so it returns early; what may end a
//! process is remembered until that ends, which tells whether it did.

use aya_ebpf::{
    helpers::{
        bpf_get_current_task_btf,
        generated::{bpf_get_current_comm, bpf_probe_read_kernel},
    },
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use sensor_common::{event::Sender, field, limits::COMM_LEN};

use crate::{maps::SENDER, read::offset, task::Task};

/// Signals that end nobody who does not wish it: SIGCHLD, SIGCONT, SIGSTOP,
/// SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH (signal(7)). By far the most.
const HARMLESS: u64 = 1 << 17 | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 21 | 1 << 22 | 1 << 23 | 1 << 28;
/// From here on real-time signals, which runtimes send themselves all the time.
const REAL_TIME: u32 = 32;
/// `TRACE_SIGNAL_DELIVERED` and `TRACE_SIGNAL_LOSE_INFO` of
/// include/trace/events/signal.h.
const DELIVERED: u32 = 0;
const LOSE_INFO: u32 = 4;
/// `SEND_SIG_NOINFO` and `SEND_SIG_PRIV` of include/linux/signal.h: no info,
/// but who it is from, the current process or the kernel.
const FROM_PROCESS: u64 = 0;
const FROM_KERNEL: u64 = 1;
/// `SI_USER`, `SI_QUEUE`, `SI_TKILL` of include/uapi/asm-generic/siginfo.h: the
/// current process called kill, sigqueue or tgkill.
const SENT: [i32; 3] = [0, -1, -6];

/// Remembers who sent a signal.
#[btf_tracepoint(function = "signal_generate")]
pub fn signal(ctx: BtfTracePointContext) -> i32 {
    let signal = ctx.arg::<u32>(0);
    if signal > 64 || HARMLESS >> signal & 1 != 0 {
        return 0;
    }
    let result = ctx.arg::<u32>(4);
    if result != DELIVERED && result != LOSE_INFO {
        return 0;
    }
    if !is_sent(ctx.arg::<*const u8>(1) as u64) {
        return 0;
    }
    // SAFETY: no arguments.
    let current = Task::new(unsafe { bpf_get_current_task_btf() }.cast());
    if current.is_kernel_thread() {
        return 0;
    }
    let target = Task::new(ctx.arg(2));
    let key = [u64::from(target.pid()), target.leader().start()];
    if current.pid() == target.pid() {
        if signal >= REAL_TIME {
            return 0;
        }
        // Who cleans up first ends itself by the signal that it got: the
        // other one sent it.
        if let Some(known) = SENDER.get_ptr(&key) {
            // SAFETY: the pointer is that of a map element; one field is read.
            if unsafe { (*known).signal } == signal {
                return 0;
            }
        }
    }
    let mut sender = Sender {
        pid: current.pid(),
        uid: current.user(),
        signal,
        padding: 0,
        comm: [0; COMM_LEN],
    };
    // SAFETY: the destination has `COMM_LEN` bytes.
    unsafe { bpf_get_current_comm(sender.comm.as_mut_ptr().cast(), COMM_LEN as u32) };
    let _ = SENDER.insert(&key, &sender, 0);
    0
}

/// Whether the current process sent it, not the kernel while it happened to
/// run.
#[inline(always)]
fn is_sent(info: u64) -> bool {
    if info == FROM_PROCESS {
        return true;
    }
    let at = offset(field::SIGNAL_CODE);
    if info == FROM_KERNEL || at == field::ABSENT {
        return false;
    }
    let mut code = 1_i32;
    // SAFETY: the helper checks the source; the destination is 4 bytes.
    let failed = unsafe {
        bpf_probe_read_kernel(
            (&raw mut code).cast(),
            4,
            (info + u64::from(at)) as *const _,
        )
    };
    failed == 0 && (code == SENT[0] || code == SENT[1] || code == SENT[2])
}
