//! The kernel programs of `sensor`: one hook a file, all BTF raw tracepoints.
//!
//! A hook reads a handful of fields, writes one record into the ring and is
//! gone. What can be computed later is computed in the daemon.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod call;
mod clock;
mod counter;
mod emit;
mod file;
mod group;
mod maps;
mod mark;
mod memory;
mod output;
mod path;
mod probes;
mod queue;
mod read;
mod scheduler;
mod signal;
mod tap;
mod task;
mod zero;

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// The verifier refuses a program from which this could be reached.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
