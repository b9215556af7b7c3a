//! Text of log sources becomes incidents.
//!
//! ```text
//! bytes -> lines -> envelopes, opened one in the other -> a source of lines
//!       -> a format says level, time, logger -> exceptions are put together
//!       -> incidents, in the order in which they began
//! ```
//!
//! Nearly all lines are of no interest, so each step first asks whether it can
//! say no: a JSON line without a sign of a level is not parsed, a line of text
//! without a word for one is shown to no format.

mod clean;
mod core;
mod desk;
mod draft;
mod embedded;
mod envelope;
pub mod format;
mod gate;
mod held;
pub mod level;
mod lines;
mod options;
mod order;
mod partials;
mod prefix;
mod source;
pub mod time;

#[cfg(test)]
mod tests;

pub use options::LogOptions;

use self::{core::Core, lines::Lines};
use super::record::Incident;

/// Reads the text of one stream (a file, a pipe, what a process wrote) and
/// says what went wrong in it. Reads no clock and does no I/O; memory is
/// bounded whatever comes in. The text may be cut anywhere: the same incidents
/// come out.
#[derive(Debug)]
pub struct LogParser {
    lines: Lines,
    core: Core,
}

impl LogParser {
    /// A parser that has read nothing.
    #[must_use]
    pub fn new(options: &LogOptions) -> Self {
        Self {
            lines: Lines::default(),
            core: Core::new(options),
        }
    }

    /// Tells the time, ns since 1970.
    pub fn set_now(&mut self, now: u64) {
        self.core.set_now(now);
    }

    /// Takes in bytes; incidents come out in the order in which they began, as
    /// soon as they are complete.
    pub fn feed(&mut self, bytes: &[u8], found: &mut dyn FnMut(Incident)) {
        let Self { lines, core } = self;
        lines.feed(bytes, &mut |line| core.line(line, found));
    }

    /// The text was silent for a while: traces that are open end here. A line
    /// without its end goes on waiting for it.
    pub fn quiet(&mut self, found: &mut dyn FnMut(Incident)) {
        self.core.quiet(found);
    }

    /// Another parser goes on with this text: all that is open is told, parts of
    /// split lines too. A line without its end is not.
    pub fn leave(&mut self, found: &mut dyn FnMut(Incident)) {
        self.core.finish(found);
    }

    /// The text ended; afterwards the parser may begin another one.
    pub fn finish(&mut self, found: &mut dyn FnMut(Incident)) {
        let Self { lines, core } = self;
        lines.finish(&mut |line| core.line(line, found));
        core.finish(found);
    }

    /// Bytes that were passed over, because their lines were too long.
    #[must_use]
    pub fn skipped_bytes(&self) -> u64 {
        self.lines.skipped() + self.core.skipped()
    }
}
