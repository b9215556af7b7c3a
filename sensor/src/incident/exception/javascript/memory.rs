//! What V8 says when it cannot go on for want of memory, and its own stack.

use crate::incident::exception::{
    Exception, Frame, Language, Next, finish::FATAL, place, place::leading_number,
};
use crate::incident::find::Find;

const FIRST: &str = "FATAL ERROR: ";
/// What its first line has in it.
pub(super) const SIGN: &str = "heap out of memory";

/// `FATAL ERROR: … - JavaScript heap out of memory`
pub(super) fn is_first(line: &str) -> bool {
    line.starts_with(FIRST) && line.has(SIGN)
}

/// Whether a line behind the first one belongs to it.
pub(super) fn goes_on(line: &str) -> Next {
    if line.is_empty() {
        Next::Maybe
    } else if line.starts_with("----- Native stack trace") || frame(line).is_some() {
        Next::Part
    } else {
        Next::No
    }
}

/// Reads the whole.
pub(super) fn read(text: &str) -> Option<Exception> {
    let message = text.rows().next()?.strip_prefix(FIRST)?;
    Some(Exception {
        message: place::some(message),
        frames: text.rows().skip(1).filter_map(frame).collect(),
        severity: FATAL,
        ..Exception::new(Language::JavaScript, "FATAL ERROR")
    })
}

/// ` 1: 0xb78db3 node::OOMErrorHandler(char const*) [node]`; many have no name.
fn frame(line: &str) -> Option<Frame> {
    let (_, rest) = leading_number(line.trim_start())?;
    let (_, rest) = rest.strip_prefix(": 0x")?.cut(" ")?;
    let (call, file) = rest.strip_suffix(']')?.rcut("[")?;
    let function = call.cut("(").map_or(call, |(name, _)| name);
    Some(Frame {
        function: place::some(function.trim()),
        file: place::some(file),
        ..Frame::default()
    })
}
