//! Where a value ends: quotes, brackets, lists, blanks.

use std::ops::Range;

use super::words::Words;

/// How far a closing bracket or quote inside a bare value is looked for, in
/// bytes: the line is foreign, and the search must not become quadratic.
const LOOKAHEAD: usize = 4096;

/// A blank. NUL is one: `/proc/PID/cmdline` ends its arguments with it.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | 0)
}

pub(super) fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// The first byte from `at` on that is no blank.
pub(super) fn skip_blanks(line: &[u8], mut at: usize) -> usize {
    while line.get(at).is_some_and(|byte| is_blank(*byte)) {
        at += 1;
    }
    at
}

/// Whether a token can start here: not within a word, but for the letter of
/// an escape (`\n`) or a terminal's colour in front.
pub(super) fn is_boundary(line: &[u8], at: usize) -> bool {
    let before = &line[..at];
    match before {
        [] => true,
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., last] => !last.is_ascii_alphanumeric() || ends_in_colour(before),
    }
}

/// Whether the bytes end in `ESC [ … m`.
pub(super) fn ends_in_colour(before: &[u8]) -> bool {
    let Some((b'm', numbers)) = before.split_last() else {
        return false;
    };
    let length = numbers
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
        .count();
    numbers[..numbers.len() - length].ends_with(b"\x1b[")
}

/// Steps over the colours of a terminal, which tracing's output puts between
/// a field's name and its value.
pub(super) fn skip_colours(line: &[u8], mut at: usize) -> usize {
    while line[at.min(line.len())..].starts_with(b"\x1b[") {
        let numbers = line[at + 2..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
            .count();
        if line.get(at + 2 + numbers) != Some(&b'm') {
            break;
        }
        at += numbers + 3;
    }
    at
}

/// A value in quotes: what to mask, and the first byte behind it.
///
/// The quotes may be escaped, to any depth, and have a letter in front
/// (`b'…'`, `$'…'`). Without a closing quote the value reaches to the end.
pub(super) fn quoted(words: &Words, line: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let prefix = line[at..]
        .iter()
        .take(2)
        .take_while(|byte| b"bBuUrRfFL$@".contains(byte))
        .count();
    let slashes = line[at + prefix..]
        .iter()
        .take_while(|byte| **byte == b'\\')
        .count();
    let open = at + prefix + slashes;
    let quote = *line.get(open).filter(|byte| is_quote(**byte))?;
    if prefix > 0 && closes_outside(line, open) {
        return None;
    }
    let Some(close) = closing(line, open + 1, quote, slashes, line.len()) else {
        return Some((open + 1..line.len(), line.len()));
    };
    // Fewer backslashes close the string around, and this one with it.
    let after = (close + 1 + escapes(line, close, slashes)).min(line.len());
    if line.get(after).is_some_and(u8::is_ascii_alphanumeric) {
        // A shell joins `"ab"cd` into one word.
        let end = bare_end(words, line, after);
        return Some((at..end, end));
    }
    Some((open + 1..close, after))
}

fn escapes(line: &[u8], at: usize, most: usize) -> usize {
    line[at..]
        .iter()
        .take(most)
        .take_while(|byte| **byte == b'\\')
        .count()
}

/// Where the string ends that was opened by `quote` with `slashes` in front:
/// at the closing quote's first backslash.
fn closing(line: &[u8], from: usize, quote: u8, slashes: usize, until: usize) -> Option<usize> {
    let mut run = 0_usize;
    let mut at = from;
    while at < until {
        let byte = line[at];
        if byte == b'\\' {
            run += 1;
        } else {
            if byte == quote {
                // A level deeper, n backslashes become 2n+1; an escaped
                // backslash in front of the end takes up pairs of levels.
                let extra = run.checked_sub(slashes);
                let ends = extra.is_none_or(|extra| (extra / (slashes + 1)).is_multiple_of(2));
                let doubled = slashes == 0 && run == 0 && line.get(at + 1) == Some(&quote);
                if ends && !doubled {
                    return Some(at - run.min(slashes));
                }
                if doubled {
                    at += 1;
                }
            }
            run = 0;
        }
        at += 1;
    }
    None
}

/// The end of a bracket that opens at `at`, if it is near.
pub(super) fn bracket_end(line: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = at;
    let until = line.len().min(at + LOOKAHEAD);
    while at < until {
        match line[at] {
            b'[' | b'{' | b'(' => depth += 1,
            b']' | b'}' | b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'"' => at = closing(line, at + 1, b'"', 0, until)?,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The end of a value without quotes that starts at `at`.
pub(super) fn bare_end(words: &Words, line: &[u8], at: usize) -> usize {
    let mut end = at;
    while let Some(&byte) = line.get(end) {
        match byte {
            _ if is_blank(byte) || byte == 0x1b => break,
            b',' | b';' | b'&' if ends_item(words, line, end) => break,
            b'<' if line.get(end + 1) == Some(&b'/') => break,
            _ if is_quote(byte) => {
                let apostrophe = byte == b'\'' && end > at && line[end - 1].is_ascii_alphanumeric();
                let until = line.len().min(end + LOOKAHEAD);
                if closes_outside(line, end) {
                    // The backslashes belong to the quote around.
                    while end > at && line[end - 1] == b'\\' {
                        end -= 1;
                    }
                    break;
                } else if !apostrophe && let Some(close) = closing(line, end + 1, byte, 0, until) {
                    end = close;
                }
            }
            _ => {}
        }
        end += 1;
    }
    while end > at && b",;)]}>.".contains(&line[end - 1]) {
        end -= 1;
    }
    end
}

/// Whether a quote within a bare value ends a string around it.
fn closes_outside(line: &[u8], at: usize) -> bool {
    line.get(at + 1)
        .is_none_or(|byte| is_blank(*byte) || is_quote(*byte) || b",;:.)]}>\\+|&".contains(byte))
}

/// The end of a value that fills its argument up to the next pair of a list.
pub(super) fn item_end(words: &Words, line: &[u8], at: usize) -> usize {
    (at..line.len())
        .find(|end| match line[*end] {
            b',' | b';' | b'&' => next_pair(words, line, end + 1),
            byte => is_blank(byte) && next_pair(words, line, end + 1),
        })
        .unwrap_or(line.len())
}

fn ends_item(words: &Words, line: &[u8], at: usize) -> bool {
    match line.get(at + 1) {
        None => true,
        Some(b'&') => line[at] == b'&',
        Some(b'\\') => line.get(at + 2).is_some_and(|byte| is_quote(*byte)),
        Some(byte) => is_blank(*byte) || is_quote(*byte) || next_pair(words, line, at + 1),
    }
}

/// Whether `name=` or `name:` follows; the name may have two words, as in
/// `User Id=` of a connection string.
fn next_pair(words: &Words, line: &[u8], at: usize) -> bool {
    let line = &line[..line.len().min(at + super::words::NAME_MAX)];
    let mut at = skip_blanks(line, at);
    for _ in 0..2 {
        // A key that was masked counts as the name that it was.
        let mut end = words.name_end(line, at);
        while line.get(end) == Some(&b'*') {
            end = words.name_end(line, end + 1);
        }
        if end == at {
            return false;
        }
        if matches!(line.get(end), Some(b'=' | b':')) {
            return true;
        }
        if !line[at].is_ascii_uppercase() {
            return false;
        }
        at = skip_blanks(line, end);
    }
    false
}
