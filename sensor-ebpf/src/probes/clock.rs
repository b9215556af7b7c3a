//! `itimer_state(which, value, expires)`: an observation of the scheduler's
//! clock whenever somebody calls setitimer(2).
//!
//! The daemon calls it once a second, right after it was switched in, when
//! `rq->clock` is a few microseconds old. Hardly anybody else does, so the
//! hook costs nothing, and it needs no privilege once it is attached.

use aya_ebpf::{
    helpers::bpf_get_current_task_btf, macros::btf_tracepoint, programs::BtfTracePointContext,
};

use crate::task::Task;

/// Observes the clock.
#[btf_tracepoint(function = "itimer_state")]
pub fn clock(_: BtfTracePointContext) -> i32 {
    // SAFETY: no arguments.
    let task = Task::new(unsafe { bpf_get_current_task_btf() }.cast());
    task.observe_clock();
    0
}
