//! Stage 3: the table of every process on the host.

pub mod event;
pub mod table;
mod texts;
pub mod usage;
