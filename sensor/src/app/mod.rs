//! The commands: each connects the stages it needs.

pub mod collecting;
pub mod config;
pub mod custom;
pub mod delivery;
pub mod detach;
pub mod doctor;
pub mod events;
mod hooks;
mod incidents;
pub mod keeping;
pub mod logging;
pub mod logs;
pub mod memory;
pub mod once;
pub mod plugin;
pub mod reload;
pub mod run;
pub mod setup;
pub mod store;
