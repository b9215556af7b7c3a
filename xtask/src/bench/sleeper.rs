//! A program that sleeps until it is killed, or until who started it ends: the
//! smallest process that stays.
#![no_std]
#![no_main]

use core::arch::asm;

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    // SAFETY: prctl(PR_SET_PDEATHSIG, SIGKILL) has no memory to violate, and
    // neither has pause(), or ppoll() of nothing without an end.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        {
            asm!("syscall", inout("rax") 157 => _, in("rdi") 1, in("rsi") 9,
                out("rcx") _, out("r11") _);
            loop {
                asm!("syscall", inout("rax") 34 => _, out("rcx") _, out("r11") _);
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            asm!("svc 0", in("x8") 167, inout("x0") 1 => _, in("x1") 9);
            loop {
                asm!("svc 0", in("x8") 73, inout("x0") 0 => _, in("x1") 0, in("x2") 0,
                    in("x3") 0, in("x4") 0);
            }
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
