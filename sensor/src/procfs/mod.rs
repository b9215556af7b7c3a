//! The pure parsers of /proc, and the one place that opens its files.
//!
//! A parser takes the bytes of one file and gives what is in them, or `None`
//! where they are not what the kernel writes. It never panics, and a field
//! that it could not read is never 0. Names, arguments and paths are chosen by
//! the processes themselves and stay bytes.
//!
//! [`Proc`] opens, reads and counts; its typed methods join both.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")
)]

pub mod cgroup;
pub mod cmdline;
mod comm;
mod dirs;
mod error;
mod files;
pub mod host;
pub mod io;
mod kept;
pub mod mount;
pub mod schedstat;
pub mod stat;
pub mod statm;
pub mod status;
mod typed;
mod words;

pub use cmdline::Args;
pub use comm::Comm;
pub use error::{Counts, ReadError};
pub use files::{Proc, Subject};
pub use io::Io;
pub use kept::{Kept, allow_descriptors, spare_descriptors};
pub use schedstat::Schedstat;
pub use stat::Stat;
pub use statm::Statm;
pub use status::{Status, Switches};

#[cfg(test)]
pub(crate) mod testing;
