//! The types of a kernel: whatever is in them, they are refused or answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sensor::source::btf::Btf;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(btf) = Btf::parse(bytes) {
        let _ = btf.offsets();
        let _ = btf.has_tracepoint("sched_process_exec");
    }
});
