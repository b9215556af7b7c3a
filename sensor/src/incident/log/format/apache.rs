//! Apache's error log:
//! `[Sat May 20 14:30:22.123 2023] [core:error] [pid 12:tid 34] [client …] …`,
//! and without module and pid before 2.4.

use std::borrow::Cow;

use super::{Entry, LogFormat};
use crate::incident::find::Find;
use crate::incident::log::{
    embedded,
    level::Level,
    time::{Civil, When},
};

/// The format.
#[derive(Debug)]
pub struct Apache;

impl LogFormat for Apache {
    fn name(&self) -> &str {
        "apache"
    }

    fn begins(&self, first: u8) -> bool {
        first == b'['
    }

    fn read<'a>(&self, line: &'a str, _sure: bool) -> Option<Entry<'a>> {
        let rest = line.strip_prefix('[')?;
        // The day of the week first, as nobody else writes it.
        if !rest.bytes().next()?.is_ascii_uppercase() || rest.as_bytes().get(3) != Some(&b' ') {
            return None;
        }
        let (civil, rest) = Civil::scan(rest)?;
        civil.year?;
        let (what, mut rest) = rest.strip_prefix("] [")?.split_once(']')?;
        let (module, word) = what.split_once(':').unwrap_or(("", what));
        // `trace1` to `trace8`
        let word = if word.starts_with("trace") {
            "trace"
        } else {
            word
        };
        let level = Level::word(word)?;
        let mut pid = None;
        while let Some((inner, tail)) = rest
            .strip_prefix(" [")
            .and_then(|rest| rest.split_once(']'))
        {
            if let Some(ids) = inner.strip_prefix("pid ") {
                pid = ids.split(':').next().and_then(|pid| pid.parse().ok());
            } else if !inner.starts_with("client ") && !inner.starts_with("remote ") {
                break;
            }
            rest = tail;
        }
        let text = rest.strip_prefix(' ').unwrap_or(rest);
        let php = php(text);
        let exception = php.as_deref().and_then(embedded::trace);
        let message = match php {
            Some(php) if exception.is_some() => {
                Cow::Owned(php.lines().next().unwrap_or_default().to_owned())
            }
            _ => Cow::Borrowed(text),
        };
        let module = Some(module).filter(|module| !module.is_empty());
        Some(Entry {
            time: Some(When::Civil(civil)),
            level: Some(level),
            logger: module.map(Into::into),
            message: Some(message),
            exception,
            pid,
            ..Entry::default()
        })
    }
}

/// What PHP said, with its line breaks, which Apache escapes: of the module, or
/// of FPM behind `AH01071: Got error '…'`.
fn php(text: &str) -> Option<String> {
    let text = text.rcut(", referer: ").map_or(text, |(text, _)| text);
    let said = match text.strip_prefix("AH01071: Got error '") {
        Some(said) => said.strip_suffix('\'').unwrap_or(said),
        None => text,
    };
    let said = said.strip_prefix("PHP message: ").unwrap_or(said);
    let kind = said.strip_prefix("PHP ")?;
    let kind = kind.get(..kind.place(":")?)?;
    kind.ends_with(" error").then(|| unescaped(said))
}

/// Apache writes a backslash as two, and line breaks as letters.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.cut("\\") {
        out.push_str(before);
        let (char, length) = match behind.as_bytes().first() {
            Some(b'n') => ('\n', 1),
            Some(b't') => ('\t', 1),
            Some(b'\\') => ('\\', 1),
            Some(b'"') => ('"', 1),
            _ => ('\\', 0),
        };
        out.push(char);
        rest = behind.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}
