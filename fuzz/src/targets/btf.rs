//! The types of a kernel: whatever is in them, they are refused or answer.

use sensor::source::btf::Btf;

/// Tries one input.
pub(super) fn run(bytes: &[u8]) {
    if let Ok(btf) = Btf::parse(bytes) {
        let _ = btf.offsets();
        let _ = btf.has_tracepoint("sched_process_exec");
    }
}
