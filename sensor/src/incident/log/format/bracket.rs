//! The format of Homeostasis' guide:
//! `[ERROR][2023-05-20 14:30:22] MyModule - KeyError: 'user_id' in process_user`.

use super::{Entry, LogFormat};
use crate::incident::find::Find;
use crate::incident::{
    exception::{Exception, Language},
    log::{level::Level, time::When},
};

/// The format.
#[derive(Debug)]
pub struct Bracket;

impl LogFormat for Bracket {
    fn name(&self) -> &str {
        "bracket"
    }

    fn begins(&self, first: u8) -> bool {
        first == b'['
    }

    fn read<'a>(&self, line: &'a str, _sure: bool) -> Option<Entry<'a>> {
        let (word, rest) = line.strip_prefix('[')?.cut("][")?;
        let level = Level::word(word)?;
        let (time, rest) = rest.cut("] ")?;
        let (module, message) = rest.cut(" - ")?;
        if module.is_empty() || module.contains(' ') {
            return None;
        }
        let exception = split(message).filter(|_| level.is_error());
        Some(Entry {
            time: When::read(time),
            level: Some(level),
            logger: Some(module.into()),
            message: Some(message.into()),
            exception: exception.map(|(name, text)| Box::new(named(name, text))),
            ..Entry::default()
        })
    }
}

/// A type and its message: `KeyError: 'user_id'`.
fn split(message: &str) -> Option<(&str, &str)> {
    let (name, text) = message.split_once(':').unwrap_or((message, ""));
    let name = name.trim();
    let last = name.rsplit(['.', ':', '\\']).next()?;
    let is_type = last
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_uppercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.$\\".contains(&byte));
    let alone = text.is_empty() && !last.ends_with("Error") && !last.ends_with("Exception");
    (is_type && !alone).then(|| (name, text.trim()))
}

/// An exception of which nothing but the name is known.
pub(super) fn named(name: &str, message: &str) -> Exception {
    Exception {
        language: Language::Unknown,
        name: name.to_owned(),
        message: Some(message)
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        frames: Vec::new(),
        causes: Vec::new(),
        severity: crate::incident::log::level::ERROR,
        text: String::new(),
        pid: None,
        frames_omitted: 0,
        causes_omitted: 0,
    }
}
