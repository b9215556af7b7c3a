//! Stage 1: where events come from.

pub mod btf;
pub mod capability;
pub mod cgroup;
pub mod clocksource;
pub mod ebpf;
pub mod hook;
pub mod pins;
pub mod ring;
pub mod scheduler;
pub mod tap;
