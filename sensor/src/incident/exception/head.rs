//! The line `Type: message`, with which traces of half the languages begin.

use crate::incident::find::{self, Find};

/// A first line, split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// Name of the class as printed.
    pub name: &'a str,
    /// What follows the colon; `None` where there is none.
    pub message: Option<&'a str>,
}

/// How far a line has the look of `Type: message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// A capitalised word and a colon: also the look of prose.
    Word,
    /// A name with dots, or of the usual ending.
    Class,
}

/// What the line looks like; blanks before it don't count.
#[must_use]
pub fn look(line: &[u8]) -> Option<Look> {
    let line = line.trim_ascii_start();
    let end = name_end(line);
    let name = &line[..end];
    let rest = &line[end..];
    let first = *name.first()?;
    if !(first.is_ascii_alphabetic() || first == b'_') {
        return None;
    }
    let ends = match rest {
        [] => false,
        [b':'] | [b':', b' ', ..] => true,
        // Node: `Error [CODE]: message`.
        [b' ', b'[', ..] => {
            if has_usual_ending(name) || rest.starts_with(b" [Error") {
                return Some(Look::Class);
            }
            return None;
        }
        _ => return None,
    };
    if has_usual_ending(name) {
        return Some(Look::Class);
    }
    let dotted = is_dotted(name);
    if dotted && (ends || name.iter().filter(|&&byte| byte == b'.').count() > 1) {
        return Some(Look::Class);
    }
    let word = first.is_ascii_uppercase() && name.iter().any(u8::is_ascii_lowercase);
    (ends && word && !dotted).then_some(Look::Word)
}

/// Where the name of the class begins in a line like
/// `Cannot serve: java.lang.IllegalStateException: closed`, or of NLog's
/// `Cannot serve|System.ArgumentException: closed`: it has dots or not, but the
/// usual ending.
#[must_use]
pub fn labelled(line: &[u8]) -> Option<usize> {
    // Such a name ends with a colon, before a bracket, or with the line.
    let mut from = 0;
    loop {
        let mark = find::first_of(&line[from..], b':', b'[').map(|at| from + at);
        let end = match mark {
            Some(mark) if line[mark] == b':' => {
                matches!(line[mark + 1..], [] | [b' ', ..]).then_some(mark)
            }
            Some(mark) => mark.checked_sub(1).filter(|&blank| line[blank] == b' '),
            None => Some(line.len()),
        };
        if let Some(end) = end
            && has_usual_ending(&line[..end])
            && let Some(blank) = line[..end]
                .iter()
                .rposition(|byte| matches!(byte, b' ' | b'|'))
            && let name = &line[blank + 1..end]
            && name_end(name) == name.len()
            && name.first().is_some_and(u8::is_ascii_alphabetic)
        {
            return Some(blank + 1);
        }
        from = mark? + 1;
    }
}

/// The line without a word that a program puts before an exception, as in
/// `Failed: System.ArgumentException: closed`. A class has more capitals than
/// the first, or dots.
#[must_use]
pub fn without_word(line: &str) -> &str {
    let Some((word, rest)) = line.cut(": ") else {
        return line;
    };
    let mut letters = word.bytes();
    let plain = letters
        .next()
        .is_some_and(|first| first.is_ascii_uppercase())
        && letters.all(|byte| byte.is_ascii_lowercase());
    if plain && look(rest.as_bytes()) == Some(Look::Class) {
        rest
    } else {
        line
    }
}

/// Whether there is such a word.
#[must_use]
pub fn has_word(line: &str) -> bool {
    without_word(line).len() < line.len()
}

/// Splits `Type: message` or `Type`; blanks before it don't count.
#[must_use]
pub fn split(line: &str) -> Option<Head<'_>> {
    let line = line.trim_ascii_start();
    let (name, rest) = line.split_at_checked(name_end(line.as_bytes()))?;
    if name.is_empty() {
        return None;
    }
    let message = match rest.strip_prefix(':') {
        Some(rest) => Some(rest.strip_prefix(' ').unwrap_or(rest)),
        None if rest.trim_ascii().is_empty() => None,
        None => return None,
    };
    Some(Head { name, message })
}

/// Where the name of a class ends: letters, digits, `_`, `$`, and dots, slashes
/// or `+` within.
pub(super) fn name_end(line: &[u8]) -> usize {
    line.iter()
        .position(|byte| !NAME[usize::from(*byte)])
        .unwrap_or(line.len())
}

/// Which bytes names of classes have.
static NAME: [bool; 256] = {
    let mut table =
        find::table(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$.+`/<>");
    // Letters of other scripts.
    let mut byte = 0x80;
    while byte < table.len() {
        table[byte] = true;
        byte += 1;
    }
    table
};

/// Whether the name ends as exceptions usually do.
#[must_use]
pub fn has_usual_ending(name: &[u8]) -> bool {
    let endings: &[&[u8]] = match name.last() {
        Some(b'n') => &[b"Exception"],
        Some(b'r') => &[b"Error"],
        Some(b'e') => &[b"Throwable", b"Failure"],
        Some(b't') => &[b"Fault", b"Interrupt", b"Exit"],
        Some(b'p') => &[b"ExceptionGroup"],
        _ => return false,
    };
    endings.iter().any(|ending| name.ends_with(ending))
}

fn is_dotted(name: &[u8]) -> bool {
    let mut parts = name.split(|&byte| byte == b'.');
    parts.clone().count() > 1
        && parts.all(|part| part.first().is_some_and(|first| !first.is_ascii_digit()))
}
