//! Traces inside a text that is whole: a field of a record.

use crate::incident::exception::{Assembler, Exception, Piece};

/// The first trace of a text that needs no level to be one.
#[must_use]
pub fn trace(text: &str) -> Option<Box<Exception>> {
    let mut found = None;
    let mut take = |piece: Piece<'_, ()>| {
        if let Piece::Trace(exception, (), _) = piece
            && found.is_none()
            && !exception.needs_error()
        {
            found = Some(exception);
        }
    };
    let mut assembler = Assembler::default();
    for line in text.lines() {
        assembler.line(line.as_bytes(), (), &mut take);
    }
    assembler.close(&mut take);
    found
}
