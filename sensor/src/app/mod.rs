//! The commands: each connects the stages it needs.

pub mod collecting;
pub mod config;
pub mod delivery;
pub mod doctor;
pub mod events;
pub mod logging;
pub mod once;
pub mod plugin;
pub mod run;
pub mod setup;
