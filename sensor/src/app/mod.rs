//! The commands: each connects the stages it needs.

pub mod collecting;
pub mod delivery;
pub mod doctor;
pub mod events;
pub mod logging;
pub mod once;
pub mod reload;
pub mod run;
pub mod setup;
