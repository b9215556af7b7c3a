//! The heads of log lines that Python's logging, log4j, logback and their kin
//! write: time, level, thread and logger in many orders.
//!
//! What makes a head is a level in capitals, or in brackets, at a place where
//! only the parts of a head come before it. Prose that begins with a time, or
//! with `ERROR:`, has none.

mod words;

use std::borrow::Cow;

use self::words::{is_logger, is_name, is_thread, logger, message, token, without_spans};
use super::Entry;
use crate::incident::{
    find::Find,
    log::{
        level::Level,
        time::{Civil, When},
    },
};

/// Most parts before a level.
const PARTS: usize = 6;

/// Whose layout it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Python's logging.
    Python,
    /// log4j, logback.
    Java,
}

/// A head and what follows it.
#[derive(Debug)]
pub struct Head<'a> {
    /// What it says.
    pub entry: Entry<'a>,
    /// Whose it is.
    pub style: Style,
}

/// Reads the head of a line.
#[must_use]
pub fn read(line: &str) -> Option<Head<'_>> {
    let mut parts = Parts {
        rest: line,
        time: None,
        thread: false,
        number: false,
        logger: None,
        names: 0,
    };
    let first = line.bytes().next()?;
    if first.is_ascii_uppercase()
        && let Some(head) = level_first(line)
    {
        return Some(head);
    }
    if let Some(rest) = line.strip_prefix('[')
        && let Some((civil, rest)) = Civil::scan(rest)
    {
        parts.time = Some(When::Civil(civil));
        if let Some(rest) = rest.strip_prefix(']') {
            parts.rest = rest;
        } else {
            return inside(civil, rest);
        }
    } else if let Some((civil, rest)) = Civil::scan(line) {
        parts.time = Some(When::Civil(civil));
        parts.rest = rest;
    }
    parts.level()
}

/// What was read of a head so far.
struct Parts<'a> {
    rest: &'a str,
    time: Option<When>,
    thread: bool,
    number: bool,
    logger: Option<&'a str>,
    names: usize,
}

impl<'a> Parts<'a> {
    /// Reads on to the level.
    fn level(mut self) -> Option<Head<'a>> {
        for _ in 0..PARTS {
            let dashed = self.separators();
            let (token, rest, bracket) = token(self.rest)?;
            if token.is_empty() {
                return None;
            }
            if let Some(level) = self.level_of(token, rest, bracket, dashed) {
                self.rest = rest;
                return Some(self.after(level, bracket));
            }
            if let Some((channel, level)) = monolog(token, bracket) {
                self.logger = Some(channel);
                self.rest = rest;
                return Some(self.after(level, bracket));
            }
            match bracket {
                Some(b'{') => {}
                Some(_) if token.bytes().all(|byte| byte.is_ascii_digit()) => self.number = true,
                Some(_) => self.thread = true,
                // Without a time, a line begins with its thread or its level.
                None if self.time.is_none() && !token.bytes().all(|byte| byte.is_ascii_digit()) => {
                    return None;
                }
                None if token.bytes().all(|byte| byte.is_ascii_digit()) => self.number = true,
                None if is_name(token) => {
                    self.names += 1;
                    self.logger = Some(token.trim_end_matches(':'));
                }
                None => return None,
            }
            if self.names > 1 {
                return None;
            }
            self.rest = rest;
        }
        None
    }

    /// Passes over what stands between parts; says whether it was more than
    /// blanks.
    fn separators(&mut self) -> bool {
        let before = self.rest.trim_start_matches([' ', '\t']);
        let after = before.trim_start_matches(['-', '|', '~']);
        // A dash of a word is no separator.
        let after = match after.bytes().next() {
            Some(b' ' | b'\t') => after,
            Some(_) if before.starts_with('|') => after,
            _ => before,
        };
        let dashed = after.len() < before.len();
        self.rest = after.trim_start_matches([' ', '\t']);
        dashed
    }

    fn level_of(
        &self,
        token: &'a str,
        rest: &str,
        bracket: Option<u8>,
        dashed: bool,
    ) -> Option<Level<'a>> {
        let bare = token.strip_suffix(':').unwrap_or(token).trim();
        let bare = bare.split_once('/').map_or(bare, |(level, _)| level);
        let level = Level::word(bare)?;
        let capitals = bare.bytes().all(|byte| byte.is_ascii_uppercase());
        if bracket.is_some() {
            return (self.time.is_some() || capitals && self.thread).then_some(level);
        }
        let tab = rest.starts_with('\t');
        if !(capitals || tab && self.time.is_some()) {
            return None;
        }
        if self.time.is_none() && !self.thread {
            return None;
        }
        // A name before it, and nothing else: it may be prose.
        let plain =
            self.names == 1 && !dashed && !token.ends_with(':') && !self.thread && !self.number;
        if plain && !self.logger.is_some_and(is_logger) {
            return None;
        }
        Some(level)
    }

    /// Reads what follows the level.
    fn after(mut self, level: Level<'a>, bracket: Option<u8>) -> Head<'a> {
        let mut java = self.thread || self.number && self.rest.has(" --- ");
        let named = self.logger.is_some();
        let dashes = named && self.names == 1;
        let mut rest = self.rest;
        for _ in 0..4 {
            let start = rest.trim_start_matches([' ', '\t']);
            // Spring Boot: `1234 --- [main]`, zap: `\tlogger\tfile.go:12\t`.
            if let Some((number, tail)) = start.cut(" --- ")
                && number.bytes().all(|byte| byte.is_ascii_digit())
            {
                rest = tail;
                java = true;
                continue;
            }
            match token(start) {
                Some((inner, tail, Some(b'['))) if is_thread(inner, tail) => {
                    java |= !inner.bytes().all(|byte| byte.is_ascii_digit());
                    rest = tail;
                }
                Some((_, tail, Some(b'('))) if tail.starts_with(' ') => rest = tail,
                _ => break,
            }
        }
        let mut python = bracket.is_some() && !java;
        let found = logger(rest).or_else(|| {
            let inner = without_spans(rest);
            (inner.len() < rest.trim_start().len()).then(|| logger(inner))?
        });
        if !named && let Some((logger, tail)) = found {
            java |= logger.contains('.') && logger.bytes().any(|byte| byte.is_ascii_uppercase());
            self.logger = Some(logger);
            rest = tail;
        }
        python |= dashes;
        let message = message(rest);
        let logger = self.logger.filter(|logger| !logger.is_empty());
        let style = if java && !dashes || !python && self.time.is_none() {
            Style::Java
        } else {
            Style::Python
        };
        Head {
            entry: Entry {
                time: self.time,
                level: Some(level),
                logger: logger.map(Cow::Borrowed),
                message: Some(Cow::Borrowed(message)),
                ..Entry::default()
            },
            style,
        }
    }
}

/// `ERROR:root:message`, `ERROR 2023-05-20 14:30:22 …`, `ERROR [main] a.B - …`.
fn level_first(line: &str) -> Option<Head<'_>> {
    let end = line.bytes().take_while(u8::is_ascii_uppercase).count();
    let (word, rest) = line.split_at_checked(end)?;
    let level = Level::word(word)?;
    let head = |time, logger: Option<&'_ str>, message, style| {
        let level = Some(level.clone());
        let logger = logger.map(|logger| Cow::Owned(logger.to_owned()));
        let message = Some(Cow::Borrowed(message));
        Some(Head {
            entry: Entry {
                time,
                level,
                logger,
                message,
                ..Entry::default()
            },
            style,
        })
    };
    if let Some(rest) = rest.strip_prefix(':') {
        // basicConfig, or uvicorn, which pads to a column.
        if let Some(message) = rest.strip_prefix(' ') {
            let padding = 8_usize.saturating_sub(word.len());
            let message = message.strip_prefix(" ".repeat(padding).as_str())?;
            return (padding > 0 && !message.starts_with(' '))
                .then(|| head(None, None, message, Style::Python))?;
        }
        let (logger, message) = rest.split_once(':')?;
        return is_name(logger).then(|| head(None, Some(logger), message, Style::Python))?;
    }
    let start = rest.trim_start_matches([' ', '\t']);
    if start.len() == rest.len() {
        return None;
    }
    let open = start.strip_prefix('[').unwrap_or(start);
    if let Some((civil, tail)) = Civil::scan(open) {
        let tail = tail.strip_prefix(']').unwrap_or(tail);
        let parts = Parts {
            rest: tail,
            time: Some(When::Civil(civil)),
            thread: false,
            number: false,
            logger: None,
            names: 0,
        };
        return Some(parts.after(level, None));
    }
    // Without a time: a thread and a logger, or a dash.
    let bracketed = start.starts_with('[');
    let dash = start
        .strip_prefix("- ")
        .is_some_and(|message| !message.trim().is_empty());
    let named = logger(start).is_some_and(|(name, _)| is_logger(name)) && !start.starts_with('-');
    if !(bracketed && start.has("] ") && after_thread(start) || dash || named) {
        return None;
    }
    let parts = Parts {
        rest: start,
        time: None,
        thread: bracketed,
        number: false,
        logger: None,
        names: 0,
    };
    let mut head = parts.after(level, None);
    if dash {
        head.style = Style::Python;
    }
    Some(head)
}

fn after_thread(start: &str) -> bool {
    let tail = start.cut("] ").map_or("", |(_, tail)| tail);
    logger(tail).is_some() || tail.starts_with("- ")
}

/// `: ERROR/Main] message` (Celery), ` ERROR target] message` (env_logger).
fn inside(civil: Civil, rest: &str) -> Option<Head<'_>> {
    let (inner, tail) = rest.split_once(']')?;
    let inner = inner.trim_start_matches([':', ' ']);
    let end = inner.find([' ', '/']).unwrap_or(inner.len());
    let (word, who) = inner.split_at_checked(end)?;
    let level = Level::word(word)?;
    let logger = who
        .strip_prefix(' ')
        .map(str::trim)
        .filter(|who| !who.is_empty());
    Some(Head {
        entry: Entry {
            time: Some(When::Civil(civil)),
            level: Some(level),
            logger: logger.map(Cow::Borrowed),
            message: Some(Cow::Borrowed(message(tail))),
            ..Entry::default()
        },
        style: Style::Python,
    })
}

/// `app.ERROR:`, a channel with its level.
fn monolog(token: &str, bracket: Option<u8>) -> Option<(&str, Level<'_>)> {
    let (channel, word) = token.strip_suffix(':')?.rsplit_once('.')?;
    let capitals = word.bytes().all(|byte| byte.is_ascii_uppercase());
    (bracket.is_none() && capitals && is_name(channel)).then_some(())?;
    Some((channel, Level::word(word)?))
}
