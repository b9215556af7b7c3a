//! One hook a file.

pub mod clock;
pub mod exec;
pub mod exit;
pub mod fork;
pub mod oom;
pub mod rename;
pub mod sched;
pub mod signal;
pub mod tap;
