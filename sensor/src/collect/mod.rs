//! Stage 5: /proc figures of watched processes.
//!
//! [`Collector`] reads the figures of one process, [`scan`] finds out which
//! processes there are and what they run. Each group of figures declares what
//! it costs: opening, reading and closing a file of /proc takes 5 to 15 µs,
//! which is nearly all that a collection costs.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")
)]

mod account;
mod collector;
pub mod custom;
mod fds;
mod io;
mod memory;
pub mod number;
mod runqueue;
mod scale;
pub mod scan;
mod switches;
mod threads;

pub use collector::{Collector, Reading, Watched};
pub use memory::physical as physical_memory;
pub use scale::Scale;
pub use scan::{Scanned, Wanted, Wants};

/// What a group of figures reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Name of the group.
    pub group: &'static str,
    /// Files of `/proc/PID`. One that several groups name is read once.
    pub process: &'static [&'static str],
    /// Files of `/proc/PID/task/TID`, for each thread of a process that has
    /// more than one.
    pub thread: &'static [&'static str],
    /// It is read also of a process that has not run since the last look.
    pub idle: bool,
}

/// The cost of every group.
pub const COSTS: [Cost; 6] = [
    account::COST,
    memory::COST,
    fds::COST,
    io::COST,
    switches::COST,
    runqueue::COST,
];
