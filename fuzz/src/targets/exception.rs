//! Lines of any program: whatever is in them, every line comes out once and in
//! its order, as itself or within a trace.
use sensor::incident::exception::{Assembler, Piece};

/// Tries one input.
pub(super) fn run(text: &[u8]) {
    let mut next = 0;
    let mut out = |piece: Piece<'_, usize>| match piece {
        Piece::Plain(_, mark) => {
            assert_eq!(mark, next);
            next += 1;
        }
        Piece::Trace(exception, mark, _) => {
            assert_eq!(mark, next);
            next += exception.text.split('\n').count();
        }
    };
    let mut assembler = Assembler::default();
    let mut lines = 0;
    for line in text.split(|&byte| byte == b'\n') {
        assembler.line(line, lines, &mut out);
        lines += 1;
    }
    assembler.close(&mut out);
    assert_eq!(next, lines);
}
