//! What stands before every line of a trace: a parser's state is too small for
//! the text, but not for its length and a sum of its bytes.

/// The text as a number; `None` where it is too long.
pub(super) fn number(before: &[u8]) -> Option<u32> {
    let length = u32::from(u16::try_from(before.len()).ok()?);
    let sum = before.iter().fold(0_u16, |sum, &byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    Some(length | u32::from(sum) << 16)
}

/// The line without the text of this number; `None` where it has another one
/// before it. A blank line may have lost it, or the blank at its end, as
/// journald takes blanks away.
pub(super) fn without(number: u32, line: &[u8]) -> Option<&[u8]> {
    let length = usize::try_from(number & 0xffff).ok()?;
    if length == 0 || line.is_empty() {
        return Some(line);
    }
    if line.len() + 1 == length && self::number(&[line, b" "].concat()) == Some(number) {
        return Some(b"");
    }
    let (before, rest) = line.split_at_checked(length)?;
    (self::number(before) == Some(number)).then_some(rest)
}
