//! NestJS: `[Nest] 5397  - 11/23/2026, 3:19:14 AM   ERROR [Orders] message`.

use super::Entry;
use crate::incident::{
    find::Find,
    log::{
        level::Level,
        time::{Civil, When},
    },
};

/// Reads a line.
#[must_use]
pub fn read(line: &str) -> Option<Entry<'_>> {
    let rest = line.strip_prefix("[Nest] ")?;
    let (number, rest) = rest.cut(" - ")?;
    number.trim().parse::<u32>().ok()?;
    let rest = rest.trim_start();
    let (time, rest) = match american(rest) {
        Some((civil, rest)) => (Some(When::Civil(civil)), rest),
        // Other languages have other dates, but all have a comma.
        None => (None, after_time(rest)?),
    };
    let rest = rest.trim_start();
    let (word, rest) = rest.cut(" ")?;
    let level = Level::word(word)?;
    let named = rest.strip_prefix('[').and_then(|rest| rest.cut("] "));
    let (logger, message) = match named {
        Some((name, message)) => (Some(name.into()), message),
        None => (None, rest),
    };
    Some(Entry {
        time,
        level: Some(level),
        logger,
        message: Some(message.into()),
        ..Entry::default()
    })
}

/// `11/23/2026, 3:19:14 AM`
fn american(text: &str) -> Option<(Civil, &str)> {
    let (date, rest) = text.cut(", ")?;
    let mut parts = date.split('/');
    let month = parts.next()?.parse::<i8>().ok()?;
    let day = parts.next()?.parse::<i8>().ok()?;
    let year = parts.next()?.parse::<i16>().ok()?;
    let clock = rest.cut("M ").map(|(clock, _)| clock.len() + 1)?;
    let (clock, rest) = rest.split_at_checked(clock)?;
    // The hour may have one digit.
    let padded = format!("{clock:0>11}");
    let (civil, _) = Civil::scan(&padded)?;
    let civil = Civil {
        year: Some(year),
        day: Some((month, day)),
        ..civil
    };
    Some((civil, rest))
}

/// What follows `23.11.2026, 03:19:14`.
fn after_time(text: &str) -> Option<&str> {
    let (_, rest) = text.cut(", ")?;
    let end = rest.place(" ")?;
    rest.get(end..)
}
