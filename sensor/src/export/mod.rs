//! Stage 8: OTLP on the wire.
//!
//! `wire` turns reports and events into encoded requests, `queue` keeps them
//! while the collector is away, `otlp` carries one of them to a collector,
//! and `exporter` is the task that joins the three.

pub mod exporter;
pub mod host;
pub mod keeper;
pub mod once;
pub mod otlp;
pub mod queue;
pub mod wire;

mod backoff;

pub use exporter::{Exporter, ExporterConfig, ExporterHandle, SignalStats, Stats};
pub use host::HostResource;
pub use keeper::{Found, Interval, Keeper, Pen, Shelf};
pub use once::{SendError, send_once};
