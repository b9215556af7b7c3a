//! What terminals and disks leave in lines: colours, NULs.

use std::borrow::Cow;

use crate::incident::find;

/// What escape sequences begin with.
pub const ESCAPE: u8 = 0x1b;

/// The byte order mark, which some put at the beginning of a text.
pub const MARK: &[u8] = "\u{feff}".as_bytes();

/// A line without colours and other escape sequences (ECMA-48), NULs, and the
/// carriage return at its end.
#[must_use]
pub fn clean(line: &[u8]) -> Cow<'_, [u8]> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if !find::any(line, ESCAPE, 0) {
        return Cow::Borrowed(line);
    }
    let first = line.iter().position(|byte| matches!(*byte, ESCAPE | 0));
    let first = first.unwrap_or(line.len());
    let mut out = Vec::with_capacity(line.len());
    let mut at = first;
    out.extend_from_slice(line.get(..first).unwrap_or_default());
    while let Some(byte) = line.get(at) {
        match byte {
            0 => at += 1,
            &ESCAPE => at += sequence(line.get(at..).unwrap_or_default()),
            byte => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    while out.last() == Some(&b'\r') {
        out.pop();
    }
    Cow::Owned(out)
}

/// Text out of bytes: nearly all of them are UTF-8, which is found out faster
/// than `from_utf8_lossy` does.
#[must_use]
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Bytes of the escape sequence at the beginning.
fn sequence(text: &[u8]) -> usize {
    let body = text.get(2..).unwrap_or_default();
    match text.get(1) {
        // CSI: parameters, then a final byte.
        Some(b'[') => {
            let length = body
                .iter()
                .take_while(|byte| (0x20..0x40).contains(*byte))
                .count();
            let end = body
                .get(length)
                .is_some_and(|byte| (0x40..0x7f).contains(byte));
            2 + length + usize::from(end)
        }
        // OSC: until BEL or ST.
        Some(b']') => {
            let end = body.iter().position(|byte| *byte == 7 || *byte == ESCAPE);
            match end {
                Some(at) if body.get(at) == Some(&7) => 3 + at,
                Some(at) => 2 + at,
                None => 2,
            }
        }
        // A character set has one more byte.
        Some(b'(' | b')') => 3.min(text.len()),
        Some(0x30..=0x7e) => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go() {
        for (line, expect) in [
            ("plain", "plain"),
            ("dos\r", "dos"),
            ("\x1b[31mERROR\x1b[0m: x", "ERROR: x"),
            ("\x1b[1;38;5;196mred\x1b[m\r", "red"),
            ("\x1b]8;;http://a\x07link\x1b]8;;\x1b\\", "link"),
            ("a\0b\0", "ab"),
            ("cut \x1b[3", "cut "),
            ("\x1b", ""),
            ("\x1b(Btext", "text"),
        ] {
            assert_eq!(clean(line.as_bytes()), expect.as_bytes(), "{line:?}");
        }
    }
}
