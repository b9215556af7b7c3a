//! What the libraries behind logfmt print on a terminal: logrus
//! `ERRO[0012] message  key=value`, zerolog `2:30PM ERR message key=value`.

use super::{Entry, logfmt::is_key};
use crate::incident::log::{level::Level, time::When};

/// Reads a line.
#[must_use]
pub fn read(line: &str) -> Option<Entry<'_>> {
    match line.bytes().next()? {
        b'A'..=b'Z' => logrus(line),
        b'0'..=b'9' => zerolog(line),
        _ => None,
    }
}

/// The first four letters of a level, and seconds since the start or a time.
fn logrus(line: &str) -> Option<Entry<'_>> {
    let (word, rest) = line.split_at_checked(4)?;
    let number = match word {
        "TRAC" => 1,
        "DEBU" => 5,
        "INFO" => 9,
        "WARN" => 13,
        "ERRO" => 17,
        "FATA" | "PANI" => 21,
        _ => return None,
    };
    let (stamp, rest) = rest.strip_prefix('[')?.split_once(']')?;
    let seconds = stamp.len() == 4 && stamp.bytes().all(|byte| byte.is_ascii_digit());
    let time = When::read(stamp).filter(|_| !seconds);
    if !seconds && stamp.parse::<u64>().is_err() && time.is_none() {
        return None;
    }
    let level = Level {
        number,
        text: word.into(),
    };
    Some(entry(time, level, rest))
}

/// The time of day to the minute, and three letters.
fn zerolog(line: &str) -> Option<Entry<'_>> {
    let (clock, rest) = line.split_once(' ')?;
    let (hour, minute) = clock
        .strip_suffix("AM")
        .or_else(|| clock.strip_suffix("PM"))?
        .split_once(':')?;
    let number = |text: &str, most: u8| text.parse::<u8>().is_ok_and(|number| number <= most);
    if !number(hour, 12) || minute.len() != 2 || !number(minute, 59) {
        return None;
    }
    let (word, rest) = rest.split_at_checked(3)?;
    let capitals = word.bytes().all(|byte| byte.is_ascii_uppercase());
    let level = Level::word(word).filter(|_| capitals && rest.starts_with(' '))?;
    // Without a day, it is no time.
    Some(entry(None, level, rest))
}

fn entry<'a>(time: Option<When>, level: Level<'a>, rest: &'a str) -> Entry<'a> {
    Entry {
        time,
        level: Some(level),
        message: Some(message(rest).into()),
        ..Entry::default()
    }
}

/// The message without the pairs that follow it.
fn message(rest: &str) -> &str {
    let text = rest.trim();
    let Some(equals) = text.find('=') else {
        return text;
    };
    let start = text.get(..equals).and_then(|before| before.rfind(' '));
    let pair = start.and_then(|start| text.split_at_checked(start));
    match pair {
        Some((message, pair)) if pair.trim_start().split('=').next().is_some_and(is_key) => {
            message.trim_end()
        }
        _ => text,
    }
}
