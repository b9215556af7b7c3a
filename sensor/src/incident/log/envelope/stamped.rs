//! `docker logs -t`, `kubectl logs --timestamps`: an RFC 3339 time and a blank
//! before every line. Tried last: many formats begin with such a time.

use super::{Envelope, Opened, start};
use crate::incident::log::{
    format::head,
    time::{Civil, When},
};

/// The envelope.
#[derive(Debug)]
pub struct Stamped;

impl Envelope for Stamped {
    fn name(&self) -> &'static str {
        ""
    }

    fn begins(&self, first: u8) -> bool {
        first.is_ascii_digit()
    }

    fn open<'a>(&self, line: &'a [u8]) -> Option<Opened<'a>> {
        if line.get(10) != Some(&b'T') {
            return None;
        }
        let text = start(line);
        let (civil, rest) = Civil::scan(text)?;
        let length = text.len() - rest.len();
        civil.offset?;
        let inner = line.get(length..)?;
        let inner = inner
            .strip_prefix(b" ")
            .or_else(|| inner.is_empty().then_some(inner))?;
        // Not a level, but how each report begins.
        let report = inner.starts_with(b"WARNING: ThreadSanitizer: ");
        if !report && head::read(text).is_some() {
            return None;
        }
        Some(Opened {
            text: inner.into(),
            time: Some(When::Civil(civil)),
            ..Opened::default()
        })
    }
}
