//! logfmt: `time=2023-05-20T14:30:22Z level=error msg="it broke" err="…"`, and
//! what its libraries print on a terminal.

use std::borrow::Cow;

use super::{
    Entry, LogFormat, console,
    json::{Fields, Node},
};
use crate::incident::find::Find;

/// Most pairs that are looked at.
const PAIRS: usize = 256;

/// The format.
#[derive(Debug)]
pub struct Logfmt;

impl LogFormat for Logfmt {
    fn name(&self) -> &str {
        "logfmt"
    }

    fn begins(&self, first: u8) -> bool {
        first.is_ascii_alphanumeric() || matches!(first, b'_' | b'@')
    }

    fn read<'a>(&self, line: &'a str, _sure: bool) -> Option<Entry<'a>> {
        console::read(line).or_else(|| pairs(line))
    }
}

fn pairs(line: &str) -> Option<Entry<'_>> {
    let (first, _) = line.cut("=")?;
    if !is_key(first) || first.bytes().next()?.is_ascii_digit() {
        return None;
    }
    let mut fields = Fields::default();
    let mut rest = line;
    let mut leveled = false;
    for _ in 0..PAIRS {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            break;
        }
        let end = rest.find(['=', ' ', '\t'])?.min(rest.len());
        let (key, tail) = rest.split_at_checked(end)?;
        let Some(tail) = tail.strip_prefix('=') else {
            // A key alone, as true.
            rest = tail;
            continue;
        };
        let (value, tail) = value(tail)?;
        leveled |= matches!(key, "level" | "lvl" | "severity" | "log.level" | "loglevel");
        if is_key(key) {
            fields.set(key, || Node::Text(value));
        }
        rest = tail;
    }
    let entry = fields.entry(false);
    // Pairs alone are no log: they need a level, or a message and a time.
    (leveled && entry.level.is_some() || entry.message.is_some() && entry.time.is_some())
        .then_some(entry)
}

/// Whether a text can be the key of a pair.
pub(super) fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 64
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.@/".contains(&byte))
}

/// A value at the beginning, quoted or not, and what follows it.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end)?;
        return Some((value.into(), rest));
    };
    let mut escaped = false;
    let mut any = false;
    let end = quoted.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        any |= escaped;
        ends
    })?;
    let (inner, rest) = quoted.split_at_checked(end)?;
    let rest = rest.get(1..)?;
    if !any {
        return Some((inner.into(), rest));
    }
    let whole = text.get(..end + 2)?;
    // Go's quoting is JSON's but for `\x` and `\a`.
    let value = serde_json::from_str::<String>(whole).unwrap_or_else(|_| inner.to_owned());
    Some((value.into(), rest))
}
