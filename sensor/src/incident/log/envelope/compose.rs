//! `docker compose logs`: `web-1  | text`; and `kubectl logs --prefix`:
//! `[pod/web-0/app] text`.

use super::{Envelope, Opened};

/// The bytes of names of containers.
static NAME: [bool; 256] = crate::incident::find::table(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-.",
);

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
            let start = line.get(..128).unwrap_or(line);
            let end = start.iter().position(|byte| !NAME[usize::from(*byte)])?;
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
