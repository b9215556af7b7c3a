//! The line `Type: message`, with which traces of half the languages begin.

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

/// The cheap test that goes before all others: whether the line begins with a
/// name that a colon follows, or a name with dots all by itself.
#[must_use]
pub fn is_like_class(line: &[u8]) -> bool {
    // Node shows some errors in brackets.
    let line = line.strip_prefix(b"[").unwrap_or(line);
    let Some(first) = line.first() else {
        return false;
    };
    if !(first.is_ascii_alphabetic() || *first == b'_') {
        return false;
    }
    look(line).is_some()
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
/// `Cannot serve: java.lang.IllegalStateException: closed`: it has dots or not,
/// but the usual ending.
#[must_use]
pub fn labelled(line: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(blank) = line[at..].iter().position(|&byte| byte == b' ') {
        at += blank + 1;
        let word = &line[at..];
        let end = name_end(word);
        let closed = matches!(
            &word[end..],
            [] | [b':'] | [b':', b' ', ..] | [b' ', b'[', ..]
        );
        let starts = word.first().is_some_and(u8::is_ascii_alphabetic);
        // A mere `error:` is prose.
        let class = word[..end].iter().any(u8::is_ascii_uppercase);
        if closed && starts && class && has_usual_ending(&word[..end]) {
            return Some(at);
        }
    }
    None
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
fn name_end(line: &[u8]) -> usize {
    line.iter()
        .position(|byte| !NAME[usize::from(*byte)])
        .unwrap_or(line.len())
}

/// Which bytes names of classes have.
static NAME: [bool; 256] = {
    let ascii = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$.+`/<>";
    let mut table = [false; 256];
    let mut at = 0;
    while at < ascii.len() {
        table[ascii[at] as usize] = true;
        at += 1;
    }
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
    [
        b"Exception".as_slice(),
        b"Error",
        b"Throwable",
        b"Failure",
        b"Fault",
        b"Interrupt",
        b"Exit",
        b"ExceptionGroup",
    ]
    .iter()
    .any(|ending| name.ends_with(ending))
}

fn is_dotted(name: &[u8]) -> bool {
    let mut parts = name.split(|&byte| byte == b'.');
    parts.clone().count() > 1
        && parts.all(|part| part.first().is_some_and(|first| !first.is_ascii_digit()))
}
