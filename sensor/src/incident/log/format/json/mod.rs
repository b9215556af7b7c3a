//! JSON lines: one object a line, with keys that loggers have agreed on.

mod exception;
mod fields;
mod look;
mod node;
mod structured;

use super::{Entry, LogFormat};
pub use fields::Fields;
pub use look::may_matter;
pub use node::Node;

/// Objects nested deeper are no JSON.
pub const DEPTH: usize = 128;

/// The format.
#[derive(Debug)]
pub struct Json;

impl LogFormat for Json {
    fn name(&self) -> &str {
        "json"
    }

    fn begins(&self, first: u8) -> bool {
        first == b'{'
    }

    fn read<'a>(&self, line: &'a str, sure: bool) -> Option<Entry<'a>> {
        let line = line.trim_end();
        if !line.ends_with('}') || is_deep(line.as_bytes()) {
            return None;
        }
        let fields: Fields<'a> = serde_json::from_str(line).ok()?;
        Some(fields.entry(sure))
    }
}

/// Whether objects and arrays are nested deeper than [`DEPTH`].
pub fn is_deep(line: &[u8]) -> bool {
    // Most lines have fewer brackets than that altogether.
    if line
        .iter()
        .filter(|byte| matches!(byte, b'{' | b'['))
        .count()
        <= DEPTH
    {
        return false;
    }
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    for byte in line {
        if quoted {
            quoted = escaped || *byte != b'"';
            escaped = *byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH {
            return true;
        }
    }
    false
}
