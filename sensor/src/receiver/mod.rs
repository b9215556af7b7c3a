//! What applications report of themselves: an OTLP receiver on loopback and on
//! a Unix socket (errors.md, "Contract: the receiver").
//!
//! A thread of its own takes in requests. [`find`] reads incidents out of them
//! without any I/O; the engine's thread is asked which process sent them
//! ([`ask`]), before the answer goes out, so that the process is still there;
//! then they go the way of all incidents.
//!
//! Whoever may connect is not trusted: connections, bodies and times are
//! bounded, and nothing is kept of a request that is no incident.

pub mod ask;
#[cfg(test)]
mod bounds_tests;
mod cost;
mod counts;
mod decode;
pub mod find;
pub mod foreign;
mod grpc;
mod http;
mod intake;
mod listen;
mod once;
mod peer;
mod refusal;
mod sender;
mod serve;
mod traces;

pub use ask::{Asker, Questions};
pub use counts::{Counts, Received};
pub use listen::Listeners;
pub use serve::{Config, Receiver};
