//! The kernel's own stamp: `[12345.678901] text`, seconds since the boot.

use super::{Envelope, Opened};

/// The envelope.
#[derive(Debug)]
pub struct Dmesg;

impl Envelope for Dmesg {
    fn name(&self) -> &'static str {
        ""
    }

    fn begins(&self, first: u8) -> bool {
        first == b'['
    }

    fn open<'a>(&self, line: &'a [u8]) -> Option<Opened<'a>> {
        let (stamp, text) = split(line)?;
        let (seconds, fraction) = stamp
            .trim_ascii_start()
            .split_at_checked(stamp.trim_ascii_start().len().checked_sub(7)?)?;
        let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        (digits(seconds) && fraction.first() == Some(&b'.') && digits(fraction.get(1..)?)).then(
            || Opened {
                text: text.into(),
                source: [b"kernel".into(), b"".into()],
                kernel: true,
                ..Opened::default()
            },
        )
    }
}

fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b']', line.get(..line.len().min(24))?)?;
    Some((line.get(1..end)?, line.get(end + 1..)?.strip_prefix(b" ")?))
}
