//! Places in files, and whose files they are.

use crate::incident::find::{self, Find};

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
pub fn number_behind(text: &str) -> (&str, Option<u64>) {
    let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(text.len() - digits)
        .and_then(|(before, digits)| Some((before.strip_suffix(':')?, digits.parse().ok()?)))
        .filter(|(before, _)| !before.is_empty())
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
    let mut rest = file.as_bytes();
    while let Some(end) = find::first_of(rest, b'/', b'\\') {
        let (dir, behind) = rest.split_at(end);
        rest = behind.get(1..).unwrap_or_default();
        if matches!(dir, b"node_modules" | b"gems" | b"vendor" | b"registry") {
            return true;
        }
    }
    // Also in the name of an archive, and of what lies beside it.
    let mut rest = file;
    while let Some((before, behind)) = rest.cut("-packages") {
        if before.ends_with("site") || before.ends_with("dist") {
            return true;
        }
        rest = behind;
    }
    false
}

/// `Some`, where there is anything.
pub fn some<'a, T: From<&'a str>>(text: &'a str) -> Option<T> {
    (!text.is_empty()).then(|| text.into())
}
