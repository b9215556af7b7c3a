//! What the interpreter says when it cannot go on: `Fatal Python error: `, and
//! the stacks of its threads, innermost frame first.

use super::tree::is_library;
use crate::incident::exception::{
    Exception, Frame, Language, Next,
    finish::FATAL,
    place::{self, leading_number},
};
use crate::incident::find::Find;

pub(super) const FIRST: &str = "Fatal Python error: ";

/// Whether a line behind the first one belongs to it.
pub(super) fn goes_on(line: &[u8]) -> Next {
    let starts: [&[u8]; 7] = [
        b"Python runtime state: ",
        b"Current thread",
        b"Thread 0x",
        b"  File \"",
        b"  Binary file \"",
        b"  <",
        b"Extension modules: ",
    ];
    if line.is_empty() {
        Next::Maybe
    } else if starts.iter().any(|start| line.starts_with(start)) {
        Next::Part
    } else {
        Next::No
    }
}

/// Reads the whole; the thread that failed is the current one.
pub(super) fn read(text: &str) -> Option<Exception> {
    let message = text.rows().next()?.strip_prefix(FIRST)?;
    let current = |line: &&str| !line.starts_with("Current thread 0x");
    let stack = text.rows().skip_while(current).skip(1);
    let frames = stack.take_while(|line| line.starts_with("  "));
    Some(Exception {
        message: place::some(message),
        frames: frames.filter_map(frame).collect(),
        severity: FATAL,
        ..Exception::new(Language::Python, "Fatal Python error")
    })
}

/// `  File "x.py", line 3 in f`
fn frame(line: &str) -> Option<Frame> {
    let (file, rest) = line.strip_prefix("  File \"")?.rcut("\", line ")?;
    let (number, rest) = leading_number(rest)?;
    Some(Frame {
        function: place::some(rest.strip_prefix(" in ").unwrap_or_default()),
        file: place::some(file),
        line: Some(number),
        in_app: !is_library(file),
        ..Frame::default()
    })
}
