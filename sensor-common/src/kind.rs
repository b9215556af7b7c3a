//! The kinds of records in the ring.

/// A process was born: [`crate::event::Fork`].
pub const FORK: u32 = 1;
/// A process runs a new program: [`crate::event::Exec`], path and arguments.
pub const EXEC: u32 = 2;
/// A process ended with its last thread: [`crate::event::Exit`].
pub const EXIT: u32 = 3;
/// Threads whose figures missed the exit record: [`crate::event::Late`].
pub const LATE: u32 = 4;
/// A process took another name, not by an exec: [`crate::event::Header`] and
/// nothing else.
pub const RENAME: u32 = 5;
/// Where a process that is about to end wrote: [`crate::event::Output`] and a
/// path.
pub const OUTPUT: u32 = 6;
/// What a tapped process is about to write: [`crate::event::Tap`] and text.
pub const TAP: u32 = 7;
