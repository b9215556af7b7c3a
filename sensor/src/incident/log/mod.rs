//! Text of log sources becomes incidents.

pub mod format;
mod options;

pub use options::LogOptions;

use super::record::Incident;

/// Reads the text of one stream (a file, a pipe, what a process wrote) and
/// says what went wrong in it. Reads no clock and does no I/O; memory is
/// bounded whatever comes in. The text may be cut anywhere: the same incidents
/// come out.
#[derive(Debug)]
pub struct LogParser {
    options: LogOptions,
}

impl LogParser {
    /// A parser that has read nothing.
    #[must_use]
    pub fn new(options: &LogOptions) -> Self {
        Self {
            options: options.clone(),
        }
    }

    /// Tells the time, ns since 1970.
    pub fn set_now(&mut self, now: u64) {
        self.options.now = now;
    }

    /// Takes in bytes; incidents come out in the order in which they began, as
    /// soon as they are complete.
    pub fn feed(&mut self, _bytes: &[u8], _found: &mut dyn FnMut(Incident)) {}

    /// The text was silent for a while: traces that are open end here. A line
    /// without its end goes on waiting for it.
    pub fn quiet(&mut self, _found: &mut dyn FnMut(Incident)) {}

    /// The text ended; afterwards the parser is as new.
    pub fn finish(&mut self, _found: &mut dyn FnMut(Incident)) {}

    /// Bytes that were passed over, because their lines were too long.
    #[must_use]
    pub fn skipped_bytes(&self) -> u64 {
        0
    }
}
