//! `sensor` knows what every process on a Linux host did.
//!
//! The modules are the pipeline, in order; each depends only on those above
//! it and on the helpers at the end.

pub mod aggregate;
pub mod collect;
pub mod export;
pub mod plugin;
pub mod process;

pub mod config;
pub mod procfs;
pub mod scrub;
pub mod units;
