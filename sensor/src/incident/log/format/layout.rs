//! Python's logging and log4j, logback: layouts that people choose, read by
//! one reader of heads.

use super::{
    Entry, LogFormat, dotnet,
    head::{self, Style},
    nest, zap,
};
use crate::incident::find::Find;

/// Lines that Python's logging writes.
pub const PYTHON: Layout = Layout {
    name: "python",
    style: Style::Python,
};
/// Lines that log4j, logback and their kin write.
pub const LOG4J: Layout = Layout {
    name: "log4j",
    style: Style::Java,
};

/// A family of layouts.
#[derive(Debug)]
pub struct Layout {
    name: &'static str,
    style: Style,
}

impl LogFormat for Layout {
    fn name(&self) -> &str {
        self.name
    }

    fn begins(&self, first: u8) -> bool {
        let head =
            first.is_ascii_digit() || first.is_ascii_uppercase() || matches!(first, b'[' | b' ');
        // Levels of .NET.
        head || self.style == Style::Java && b"fcwitd".contains(&first)
    }

    fn read<'a>(&self, line: &'a str, sure: bool) -> Option<Entry<'a>> {
        let kin = || {
            spring(line)
                .or_else(|| ruby(line))
                .or_else(|| zap::read(line))
                .or_else(|| nest::read(line))
                .or_else(|| dotnet::read(line))
        };
        if (sure || self.style == Style::Java)
            && let Some(entry) = kin()
        {
            return Some(entry);
        }
        // tracing's pretty format is indented.
        let line = match line.strip_prefix("  ") {
            Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => rest,
            _ => line,
        };
        let head = head::read(line)?;
        (sure || head.style == self.style).then_some(head.entry)
    }
}

/// ` ERROR 1234 --- [main] c.e.App : message`: Spring Boot, its time taken for
/// that of a container.
fn spring(line: &str) -> Option<Entry<'_>> {
    let rest = line.strip_prefix(' ')?;
    let (before, _) = rest.cut(" --- [")?;
    let number = before.rsplit(' ').next()?;
    number.parse::<u32>().ok()?;
    // A time makes it a head.
    let start = rest.trim_start();
    let end = start.place(" ")?;
    let level = crate::incident::log::level::Level::word(start.get(..end)?)?;
    let (_, tail) = rest.cut("] ")?;
    let (logger, message) = tail.cut(" : ")?;
    Some(Entry {
        level: Some(level),
        logger: Some(logger.trim().into()),
        message: Some(message.trim_start().into()),
        ..Entry::default()
    })
}

/// `E, [2023-05-20T14:30:22.123456 #1234] ERROR -- prog: message`.
fn ruby(line: &str) -> Option<Entry<'_>> {
    let rest = line.get(1..)?.strip_prefix(", [")?;
    let (civil, rest) = crate::incident::log::time::Civil::scan(rest)?;
    let (_, rest) = rest.cut("] ")?;
    let (word, rest) = rest.trim_start().cut(" -- ")?;
    let level = crate::incident::log::level::Level::word(word)?;
    let (logger, message) = rest.cut(": ")?;
    let logger = Some(logger.trim()).filter(|logger| !logger.is_empty());
    Some(Entry {
        time: Some(crate::incident::log::time::When::Civil(civil)),
        level: Some(level),
        logger: logger.map(Into::into),
        message: Some(message.into()),
        ..Entry::default()
    })
}
