//! Places in files, and whose files they are.

use memchr::memchr2_iter;

use crate::incident::find::Find;

/// `file:line:column`, `file:line` or `file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    pub file: &'a str,
    pub line: Option<u64>,
    pub column: Option<u64>,
}

/// Splits the numbers off the end.
pub fn split(text: &str) -> Place<'_> {
    let (rest, last) = number_behind(text);
    let Some(last) = last else {
        return Place {
            file: text,
            line: None,
            column: None,
        };
    };
    let (file, line) = number_behind(rest);
    match line {
        Some(line) => Place {
            file,
            line: Some(line),
            column: Some(last),
        },
        None => Place {
            file: rest,
            line: Some(last),
            column: None,
        },
    }
}

/// `x:12` is `x` and 12.
fn number_behind(text: &str) -> (&str, Option<u64>) {
    text.rsplit_once(':')
        .filter(|(before, _)| !before.is_empty())
        .and_then(|(before, digits)| Some((before, number(digits)?)))
        .map_or((text, None), |(before, number)| (before, Some(number)))
}

/// Digits and nothing else.
pub fn number(digits: &str) -> Option<u64> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.parse().ok()
    } else {
        None
    }
}

/// The number at the beginning of a text, and what follows.
pub fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// Whether the path goes through a directory of this name.
pub fn has_dir(file: &str, name: &str) -> bool {
    let mut dirs = file.split(['/', '\\']);
    // The last part is the file.
    dirs.next_back();
    dirs.any(|dir| dir == name)
}

/// Whether the file is of a package that somebody else wrote: the directories
/// of the package managers.
pub fn is_package(file: &str) -> bool {
    let bytes = file.as_bytes();
    let mut start = 0;
    for end in memchr2_iter(b'/', b'\\', bytes) {
        let dir = bytes.get(start..end).unwrap_or_default();
        start = end + 1;
        if matches!(dir, b"node_modules" | b"gems" | b"vendor" | b"registry") {
            return true;
        }
    }
    // Also in the name of an archive, and of what lies beside it.
    bytes.len() > 12 && (file.has("site-packages") || file.has("dist-packages"))
}

/// `Some`, where there is anything.
pub fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
