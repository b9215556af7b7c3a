//! What died, why, and its last words: abnormal exits, exceptions in logs and
//! output, errors that applications report become one record each.
//!
//! Text comes in as bytes of foreign programs. Nothing here trusts it: every
//! state is bounded, and a line that nobody understands costs next to nothing.

pub mod attributes;
pub mod context;
pub mod ended;
#[cfg(test)]
mod examples;
pub mod exception;
mod find;
mod fingerprint;
pub mod fold;
pub mod follow;
mod journal;
pub mod limit;
pub mod log;
pub mod memory;
pub mod record;
mod scrubbed;
pub mod signal;
pub mod stage;
pub mod transport;
mod window;
mod words;
