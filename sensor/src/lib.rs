//! `sensor` knows what every process on a Linux host did.
//!
//! The modules are the pipeline, in order; dependencies point up, towards the
//! source.

/// The configuration, checked whole, with file and line of every problem.
pub mod config;

/// 1: kernel events, scans of /proc.
pub mod source;
pub mod store;

/// What the daemon may no longer do once it is set up.
pub mod privilege;

/// 2: bytes become events, or are counted as rejected.
pub mod decode;

/// 3: the table of every process on the host.
pub mod process;

/// 4: which process belongs to which service.
pub mod plugin;

/// 5: /proc figures of watched processes.
pub mod collect;

/// 6: exact cumulative series of each service.
pub mod aggregate;

/// The stages 3 to 6 as one state machine without I/O.
pub mod engine;

/// Moves events from the source into the engine.
pub mod pump;

/// The commands.
pub mod app;

/// 8: OTLP on the wire.
pub mod export;
pub mod incident;

/// What applications report of themselves over OTLP.
pub mod receiver;

/// What people and programs read on standard output.
pub mod output;

/// The sensor's own metrics.
pub mod selfmon;

/// The command line.
pub mod cli;

/// Pure parsers of /proc, and the one place that opens its files.
pub mod procfs;

/// Secrets vanish here, before anything leaves the process.
pub mod scrub;

/// The clocks.
pub mod clock;

/// Waiting for the ring, a signal, or a moment.
pub mod wait;
pub mod watch;

/// Exit codes.
pub mod exit;

/// Newtypes for units and identifiers.
pub mod units;
