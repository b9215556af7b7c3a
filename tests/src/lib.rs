//! Shared parts of the whole-program tests.
//!
//! What is faked here is only what cannot be had for real: collectors that
//! misbehave. The collector itself is a real one, and so are the kernel and
//! the processes.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test helper reports every problem by panicking with its cause"
)]

pub mod accounting;
pub mod apps;
pub mod background;
pub mod bpffs;
pub mod cgroup;
pub mod collector;
pub mod faults;
pub mod gate;
pub mod isolated;
pub mod plugins;
pub mod process;
pub mod received;
pub mod receiving;
pub mod samples;
pub mod sensor;
pub mod setting;
pub mod stored;
pub mod tls;
