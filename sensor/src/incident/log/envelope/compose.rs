//! `docker compose logs`: `web-1  | text`; and `kubectl logs --prefix`:
//! `[pod/web-0/app] text`.

use super::{Envelope, Opened};

/// The envelope.
#[derive(Debug)]
pub struct Compose;

impl Envelope for Compose {
    fn name(&self) -> &'static str {
        ""
    }

    fn begins(&self, first: u8) -> bool {
        first.is_ascii_alphanumeric() || first == b'['
    }

    fn open<'a>(&self, line: &'a [u8]) -> Option<Opened<'a>> {
        let (name, text) = if let Some(rest) = line.strip_prefix(b"[pod/") {
            let end = memchr::memchr(b']', rest)?;
            (rest.get(..end)?, rest.get(end + 1..)?.strip_prefix(b" ")?)
        } else {
            let end = line.iter().take(128).position(|byte| {
                !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
            })?;
            let padded = line.get(end..)?;
            let bar = padded
                .iter()
                .position(|byte| *byte != b' ')
                .filter(|blanks| *blanks > 0)?;
            let text = padded.get(bar..)?.strip_prefix(b"|")?;
            (
                line.get(..end)?,
                text.strip_prefix(b" ")
                    .or_else(|| text.is_empty().then_some(text))?,
            )
        };
        Some(Opened {
            text: text.into(),
            source: [name.into(), b"".into()],
            ..Opened::default()
        })
    }
}
