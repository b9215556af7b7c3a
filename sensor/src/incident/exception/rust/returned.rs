//! Errors that `main` returns, as anyhow and eyre show them, and color-eyre's
//! panics.

use super::{BETWEEN, CAUSES, LOCATION, RETURNED, STACK, frames, is_frame, own, with_place};
use crate::incident::exception::{
    Cause, Exception, Language, Next, Relation, State,
    finish::{FATAL, Section},
    place::{self, leading_number},
};

/// Lines that a message may have: the next that names causes belongs to
/// somebody else.
const MESSAGE_LINES: u32 = 8;
const CAUSED_BY: &str = "Caused by:";
const BACKTRACE: &str = "Stack backtrace:";
const LOCATED: &str = "Location:";
const MESSAGE_IS: &str = "Message:  ";
const LOCATION_IS: &str = "Location: ";

/// A line behind `Error: `. Who else prints that first line is not sure of
/// those that follow, so most of them are nobody's for sure.
pub(super) fn goes_on(state: &mut State, line: &[u8]) -> Next {
    let (part, next) = match line {
        b"Caused by:" => (CAUSES, Next::Maybe),
        b"Stack backtrace:" => (STACK, Next::Maybe),
        b"Location:" => (LOCATION, Next::Maybe),
        // eyre's message is in its list.
        _ if state.part == RETURNED && state.number == 1 && is_item(line) => (CAUSES, Next::Weak),
        _ if state.part == RETURNED && state.number == 1 => (RETURNED, Next::Maybe),
        _ if state.part == RETURNED => {
            state.number = state.number.max(1) + 1;
            if state.number > 1 + MESSAGE_LINES {
                return Next::No;
            }
            (RETURNED, Next::Maybe)
        }
        _ if line.trim_ascii().is_empty() => (state.part, Next::Maybe),
        _ if state.part == CAUSES && is_indented(line) => (CAUSES, Next::Weak),
        _ if state.part == LOCATION && is_place(line) => (BETWEEN, Next::Part),
        _ => return Next::No,
    };
    state.part = part;
    next
}

/// A line of what color-eyre shows: the message, the place, and a backtrace.
pub(super) fn crash_goes_on(state: &mut State, line: &[u8]) -> Next {
    let located = line.starts_with(LOCATION_IS.as_bytes());
    state.number |= u32::from(located);
    let known = located
        || line.starts_with(MESSAGE_IS.as_bytes())
        || is_frame(line)
        || ["━", "⋮"]
            .iter()
            .any(|mark| line.trim_ascii_start().starts_with(mark.as_bytes()));
    if known {
        Next::Part
    } else if state.number == 0 || line.trim_ascii().is_empty() {
        Next::Maybe
    } else {
        Next::No
    }
}

/// The same, read.
pub(super) fn crash<'a>(mut lines: impl Iterator<Item = &'a str>) -> Exception {
    let mut section = Section::default();
    let mut location = None;
    for line in lines.by_ref() {
        if let Some(place) = line.strip_prefix(LOCATION_IS) {
            location = Some(own(place::split(place)));
            break;
        }
        section.add_line(line.strip_prefix(MESSAGE_IS).unwrap_or(line));
    }
    let frames = with_place(frames(lines), location);
    let message = section.trimmed().message;
    Exception {
        message: message.map(|text| text.trim_start().to_owned()),
        frames,
        severity: FATAL,
        ..Exception::new(Language::Rust, "panic")
    }
}

/// `    src/main.rs:3`
fn is_place(line: &[u8]) -> bool {
    let place = |text: &str| place::split(text.trim()).line.is_some();
    is_indented(line) && std::str::from_utf8(line).is_ok_and(place)
}

/// `   0: text`
fn is_item(line: &[u8]) -> bool {
    is_indented(line) && item(&String::from_utf8_lossy(line)).is_some()
}

fn is_indented(line: &[u8]) -> bool {
    line.starts_with(b"   ")
}

/// The text behind the number of a list's item.
fn item(line: &str) -> Option<&str> {
    let (_, rest) = leading_number(line.trim_start())?;
    rest.strip_prefix(": ")
}

/// What `main` returned, from its message on.
pub(super) fn read<'a>(message: &'a str, mut lines: impl Iterator<Item = &'a str>) -> Exception {
    // The message, and then what caused it.
    let mut parts = vec![Section {
        message: place::some(message),
        ..Section::default()
    }];
    let mut location = None;
    let mut part = RETURNED;
    for line in lines.by_ref() {
        match line {
            CAUSED_BY => part = CAUSES,
            LOCATED => part = LOCATION,
            BACKTRACE => break,
            _ if part == LOCATION => {
                let place = place::split(line.trim());
                location = location.or_else(|| place.line.map(|_| own(place)));
            }
            _ => {
                let listed = item(line).filter(|_| is_indented(line.as_bytes()));
                let first = part == CAUSES && parts.len() == 1;
                let last = parts.last_mut();
                match (listed, last) {
                    // eyre's list begins with the message.
                    (Some(text), Some(open)) if part == RETURNED && open.message.is_none() => {
                        open.message = place::some(text);
                        part = CAUSES;
                    }
                    (Some(text), _) if part == CAUSES => parts.push(Section {
                        message: place::some(text),
                        ..Section::default()
                    }),
                    (None, _) if first && !line.is_empty() => parts.push(Section {
                        message: place::some(line.trim_start()),
                        ..Section::default()
                    }),
                    (_, Some(open)) if part == CAUSES => open.add_line(line.trim_start()),
                    (_, Some(open)) => open.add_line(line),
                    _ => {}
                }
            }
        }
    }
    let frames = with_place(frames(lines), location);
    let mut parts = parts.into_iter().map(Section::trimmed);
    Exception {
        message: parts.next().and_then(|own| own.message),
        frames,
        causes: parts
            .map(|cause| Cause::of(cause, Relation::Cause))
            .collect(),
        ..Exception::new(Language::Rust, "Error")
    }
}
