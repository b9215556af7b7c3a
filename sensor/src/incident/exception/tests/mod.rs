//! Traces of real programs, and lines that are none.

mod extending;
mod fixtures;
mod messages;
mod ordinary;
mod streams;

use super::{Assembler, Exception, Piece};

/// What came out, owned.
#[derive(Debug, PartialEq)]
enum Out {
    Plain(String, usize),
    Trace(Exception, usize),
}

/// Feeds lines, each with its number as the mark.
fn assemble<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Vec<Out> {
    let mut found = Vec::new();
    let mut out = |piece: Piece<'_, usize>| match piece {
        Piece::Plain(line, mark) => {
            found.push(Out::Plain(String::from_utf8_lossy(line).into_owned(), mark));
        }
        Piece::Trace(exception, mark, _) => found.push(Out::Trace(*exception, mark)),
    };
    let mut assembler = Assembler::default();
    for (number, line) in lines.into_iter().enumerate() {
        assembler.line(line, number, &mut out);
    }
    assembler.close(&mut out);
    assert!(!assembler.is_open());
    found
}

fn assemble_text(text: &str) -> Vec<Out> {
    assemble(text.lines().map(str::as_bytes))
}

fn traces(text: &str) -> Vec<Exception> {
    let traces = assemble_text(text).into_iter().filter_map(|out| match out {
        Out::Trace(exception, _) => Some(exception),
        Out::Plain(..) => None,
    });
    traces.collect()
}
