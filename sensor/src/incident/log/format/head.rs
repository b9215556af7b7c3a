//! The heads of log lines that Python's logging, log4j, logback and their kin
//! write: time, level, thread and logger in many orders.
//!
//! What makes a head is a level in capitals, or in brackets, at a place where
//! only the parts of a head come before it. Prose that begins with a time, or
//! with `ERROR:`, has none.

mod words;

use std::borrow::Cow;

use self::words::{
    is_logger, is_name, is_pair, is_thread, logger, message, place_less, token, without_spans,
    without_thread,
};
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
        comma: false,
        pairs: false,
    };
    let first = line.bytes().next()?;
    if first.is_ascii_uppercase()
        && let Some(head) = level_first(line)
    {
        return Some(head);
    }
    if let Some((level, civil, rest)) = level_and_time(line) {
        parts.time = Some(When::Civil(civil));
        parts.rest = rest;
        return Some(parts.after(level, Some(b'[')));
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
        let end = line.len() - rest.len();
        parts.comma = line.as_bytes().get(end.wrapping_sub(4)) == Some(&b',');
        // `%(asctime)s,%(msecs)d` has it twice.
        let again = rest.strip_prefix(',').filter(|_| parts.comma);
        parts.rest = again.map_or(rest, |rest| {
            rest.trim_start_matches(|c: char| c.is_ascii_digit())
        });
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
    /// The time has a fraction behind a comma, as only loggers print it.
    comma: bool,
    /// Elixir's metadata, before a level in brackets.
    pairs: bool,
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
                // The thread, as log4j's own messages have it.
                None if token == "main" && self.time.is_some() => self.thread = true,
                None if self.time.is_some() && is_pair(token) => self.pairs = true,
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
        let bare_start = self.time.is_none() && !self.thread;
        if bracket.is_none() && (bare_start || self.pairs) {
            return None;
        }
        let bare = token.strip_suffix(':').unwrap_or(token).trim();
        let bare = bare.cut("/").map_or(bare, |(level, _)| level);
        let level = Level::word(bare)?;
        let capitals = bare.bytes().all(|byte| byte.is_ascii_uppercase());
        if bracket.is_some() {
            return (self.time.is_some() || capitals && self.thread).then_some(level);
        }
        let tab = rest.starts_with('\t');
        // winston's, with a label or with a time that no container writes:
        // behind one of those it may be the output of a build.
        let civil = match self.time {
            Some(When::Civil(civil)) if civil.year.is_some() => Some(civil),
            _ => None,
        };
        let winston = self.names == 0
            && !dashed
            && token.ends_with(':')
            && civil.is_some_and(|civil| self.thread || civil.offset.is_none());
        if winston {
            return Some(level);
        }
        if !(capitals || tab && self.time.is_some()) {
            return None;
        }
        // A name before it, and nothing else: it may be prose.
        let plain =
            self.names == 1 && !dashed && !token.ends_with(':') && !self.thread && !self.number;
        let table = self.comma || rest.starts_with("  ");
        if plain && !table && !self.logger.is_some_and(is_logger) {
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
        // NLog: `|logger|message`.
        if !named
            && let Some((name, tail)) = rest.strip_prefix('|').and_then(|rest| rest.cut("|"))
            && is_name(name)
        {
            self.logger = Some(name);
            rest = tail;
        }
        let mut spring = false;
        let mut inner_logger = None;
        for _ in 0..4 {
            let start = rest.trim_start_matches([' ', '\t']);
            // Spring Boot: `1234 --- [main]`, zap: `\tlogger\tfile.go:12\t`.
            if let Some((number, tail)) = start.cut(" --- ")
                && number.bytes().all(|byte| byte.is_ascii_digit())
            {
                rest = tail;
                java = true;
                spring = true;
                continue;
            }
            // `| 12 | name`: a pid.
            if let Some((number, tail)) = start.strip_prefix("| ").and_then(|rest| rest.cut(" | "))
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
            {
                rest = tail;
                continue;
            }
            match token(start) {
                Some((inner, tail, Some(b'['))) if is_thread(inner, tail) => {
                    let name = place_less(inner.trim_end());
                    // JBoss has the thread behind it, Elasticsearch the node.
                    if is_logger(name) && name.has(".") || is_name(name) && tail.starts_with(" (") {
                        inner_logger = inner_logger.or(Some(name));
                    }
                    java |= !inner.bytes().all(|byte| byte.is_ascii_digit());
                    rest = tail;
                }
                Some((_, tail, Some(b'('))) if tail.starts_with(' ') => rest = tail,
                // pino-pretty: `(name/12): `.
                Some((who, tail, Some(b'('))) if tail.starts_with(": ") => {
                    let Some((name, _)) = who.rcut("/").filter(|(name, pid)| {
                        is_name(name) && pid.starts_with(|c: char| c.is_ascii_digit())
                    }) else {
                        break;
                    };
                    inner_logger = inner_logger.or(Some(name));
                    rest = tail;
                }
                _ => break,
            }
        }
        let mut python = bracket.is_some() && !java;
        let padded = || {
            let (name, _) = rest.cut(" : ").filter(|_| spring)?;
            let tail = rest.get(name.len() + 1..)?;
            let name = name.trim();
            (!name.is_empty() && !name.has(" ")).then_some((name, tail))
        };
        let found = padded().or_else(|| logger(rest)).filter(|(name, tail)| {
            // structlog: an event and its pairs.
            let event = bracket.is_some() && !name.has(".") && !name.has(":");
            let next = tail.trim_start().split(' ').next().unwrap_or_default();
            !(event && is_pair(next))
        });
        let found = found.or_else(|| {
            let inner = without_spans(rest);
            (inner.len() < rest.trim_start().len()).then(|| logger(inner))?
        });
        let named = named || self.logger.is_some();
        if !named
            && found.is_none()
            && let Some(name) = inner_logger
        {
            java |= name.bytes().any(|byte| byte.is_ascii_uppercase());
            self.logger = Some(name);
        } else if !named && let Some((logger, tail)) = found {
            java |= logger.has(".") && logger.bytes().any(|byte| byte.is_ascii_uppercase());
            self.logger = Some(logger);
            rest = without_thread(tail);
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

/// `[ERROR] 2023-05-20 14:30:22 …`
fn level_and_time(line: &str) -> Option<(Level<'_>, Civil, &str)> {
    let (word, rest) = line.strip_prefix('[')?.cut("] ")?;
    let level = Level::word(word.trim_end())?;
    let open = rest.strip_prefix('[').unwrap_or(rest);
    let (civil, tail) = Civil::scan(open)?;
    civil.day?;
    Some((level, civil, tail.strip_prefix(']').unwrap_or(tail)))
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
        let (logger, message) = rest.cut(":")?;
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
            comma: false,
            pairs: false,
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
        comma: false,
        pairs: false,
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
    let (inner, tail) = rest.cut("]")?;
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
    let (channel, word) = token.strip_suffix(':')?.rcut(".")?;
    let capitals = word.bytes().all(|byte| byte.is_ascii_uppercase());
    (bracket.is_none() && capitals && is_name(channel)).then_some(())?;
    Some((channel, Level::word(word)?))
}
