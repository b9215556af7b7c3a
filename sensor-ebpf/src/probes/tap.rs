//! `sys_enter(regs, id)`: a thread calls the kernel.
//!
//! Attached only while somebody asks for it: it costs every system call of the
//! host something. So nearly all return after two comparisons.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    call::{Call, Registers},
    tap,
};

/// Copies what a tapped process is about to write to standard error.
#[btf_tracepoint(function = "sys_enter")]
pub fn tap(ctx: BtfTracePointContext) -> i32 {
    let Some(call) = Call::of(ctx.arg::<u64>(1)) else {
        return 0;
    };
    let registers = Registers::new(ctx.arg(0));
    let descriptor = registers.argument(0) as u32;
    if descriptor == tap::STDOUT || descriptor == tap::STDERR {
        let (address, count) = (registers.argument(1), registers.argument(2));
        tap::writes(call, descriptor, address, count);
    }
    0
}
