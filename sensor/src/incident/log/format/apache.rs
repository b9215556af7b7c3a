//! Apache's error log:
//! `[Sat May 20 14:30:22.123 2023] [core:error] [pid 12:tid 34] [client …] …`,
//! and without module and pid before 2.4.

use super::{Entry, LogFormat};
use crate::incident::log::{
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
        let module = Some(module).filter(|module| !module.is_empty());
        Some(Entry {
            time: Some(When::Civil(civil)),
            level: Some(level),
            logger: module.map(Into::into),
            message: Some(rest.strip_prefix(' ').unwrap_or(rest).into()),
            pid,
            ..Entry::default()
        })
    }
}
