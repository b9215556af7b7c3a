//! The commands: each connects the stages it needs.

pub mod events;
