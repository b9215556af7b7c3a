//! What the files of /proc are made of: words, decimal numbers, `key: value`.

/// The words of a line or a file, parted by blanks, tabs and line ends.
#[derive(Clone)]
pub(super) struct Words<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|&byte| !is_blank(byte))?;
        let rest = &self.0[start..];
        let end = rest
            .iter()
            .position(|&byte| is_blank(byte))
            .unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.0 = rest;
        Some(word)
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

/// A decimal number and nothing else; `None` also where it exceeds 64 bits.
#[inline]
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A decimal number that fits a pid, a uid or a set of flags.
pub(super) fn number_u32(digits: &[u8]) -> Option<u32> {
    number(digits).and_then(|value| u32::try_from(value).ok())
}

/// Appends a number in decimal digits.
pub(super) fn push_number(out: &mut Vec<u8>, number: u32) {
    let mut digits = [0u8; 10];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        // The remainder of a division by ten always fits.
        digits[start] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// The lines of a file without their ends. What follows the last end is a
/// line only where it is not empty.
pub(super) fn lines(bytes: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    bytes
        .strip_suffix(b"\n")
        .unwrap_or(bytes)
        .split(|&byte| byte == b'\n')
}

/// Key and value of a line `key: value`, the value without leading blanks.
pub(super) fn key_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let value = &line[colon + 1..];
    let start = value
        .iter()
        .position(|&byte| !is_blank(byte))
        .unwrap_or(value.len());
    Some((&line[..colon], &value[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_decimal_digits_are_a_number() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for bad in [
            &b""[..],
            b"-1",
            b"+1",
            b"1 ",
            b"0x1",
            b"18446744073709551616",
        ] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
        assert_eq!(number_u32(b"4294967296"), None);
    }

    proptest! {
        #[test]
        fn a_written_number_is_read_back(value: u32) {
            let mut out = Vec::new();
            push_number(&mut out, value);
            prop_assert_eq!(&out, &value.to_string().into_bytes());
            prop_assert_eq!(number_u32(&out), Some(value));
        }

        #[test]
        fn words_hold_no_blanks(bytes: Vec<u8>) {
            for word in Words(&bytes) {
                prop_assert!(!word.is_empty() && !word.iter().any(|&b| is_blank(b)));
            }
        }
    }
}
