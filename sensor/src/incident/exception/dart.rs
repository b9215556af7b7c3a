//! Dart and Flutter: the VM's own words, and a stack below whatever was
//! printed of an exception.

use super::{
    Begin, Exception, ExceptionParser, First, Frame, Language, Next, Sign, State,
    finish::Section,
    head,
    place::{self, leading_number},
};
use crate::incident::find::Find;

pub struct Dart;

/// A message.
const MESSAGE: u32 = 0;
/// Frames.
const FRAMES: u32 = 1;
/// After the line that announces a message.
const ANNOUNCED: u32 = 2;

const UNHANDLED: &str = "Unhandled exception:";
const FLUTTER: &str = "Unhandled Exception: ";
const SUSPENSION: &str = "<asynchronous suspension>";

impl ExceptionParser for Dart {
    fn language(&self) -> Language {
        Language::Dart
    }

    fn signs(&self) -> &'static [Sign] {
        &[Sign::Class, Sign::Text(UNHANDLED), Sign::Text(FLUTTER)]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let text = line.text()?;
        let state = State {
            part: MESSAGE,
            number: 0,
        };
        if text.trim_end() == UNHANDLED {
            return Some(Begin::Likely(State {
                part: ANNOUNCED,
                number: 0,
            }));
        }
        if text.has(FLUTTER) || line.look().is_some() || text.starts_with("Bad state:") {
            return Some(Begin::Maybe(state));
        }
        None
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        if is_frame(line) || line == SUSPENSION.as_bytes() {
            state.part = FRAMES;
            return Next::Part;
        }
        match state.part {
            ANNOUNCED if !line.is_empty() => {
                state.part = MESSAGE;
                Next::Part
            }
            MESSAGE => Next::Maybe,
            _ => Next::No,
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let mut lines = text.rows().peekable();
        let first = lines.next()?;
        let first = match first.cut(FLUTTER) {
            Some((_, rest)) => rest,
            None if first.trim_end() == UNHANDLED => lines.next()?,
            None => first,
        };
        let mut section = named(first);
        let mut frames = Vec::new();
        for line in lines {
            if let Some(frame) = frame(line) {
                frames.push(frame);
            } else if frames.is_empty() && line != SUSPENSION {
                section.add_line(line);
            }
        }
        let section = section.trimmed();
        Some(Exception {
            message: section.message,
            frames,
            ..Exception::new(Language::Dart, section.name)
        })
    }
}

/// What the text of an exception tells of its type.
fn named(line: &str) -> Section {
    let known = [
        ("Bad state: ", "StateError"),
        ("Invalid argument(s): ", "ArgumentError"),
        ("Invalid argument(s) ", "ArgumentError"),
        ("Invalid argument ", "ArgumentError"),
        ("Unsupported operation: ", "UnsupportedError"),
        (
            "Concurrent modification during iteration: ",
            "ConcurrentModificationError",
        ),
    ];
    let (name, message) =
        if let Some((start, name)) = known.iter().find(|(start, _)| line.starts_with(start)) {
            (*name, &line[start.len()..])
        } else if line.has("Failed assertion: ") {
            ("AssertionError", line)
        } else if line.starts_with("type '") && line.has("' is not a subtype of ")
            || line == "Null check operator used on a null value"
        {
            ("TypeError", line)
        } else if let Some(name) = line
            .strip_prefix("Instance of '")
            .and_then(|rest| rest.strip_suffix('\''))
        {
            (name, "")
        } else if let Some((name, message)) = line.cut(": ") {
            // `RangeError (index): Invalid value`, `PathNotFoundException: …`.
            let class = name.split(" (").next().unwrap_or(name);
            if head::split(class).is_some_and(|head| head.message.is_none()) {
                (class, message)
            } else {
                ("", line)
            }
        } else if head::has_usual_ending(line.as_bytes()) && !line.has(" ") {
            (line, "")
        } else {
            ("", line)
        };
    Section {
        name: name.to_owned(),
        message: place::some(message),
        ..Section::default()
    }
}

/// `#0      main.<anonymous closure> (file:///srv/app/till.dart:3:5)`
fn is_frame(line: &[u8]) -> bool {
    if !line.starts_with(b"#") {
        return false;
    }
    std::str::from_utf8(line).is_ok_and(|line| frame(line).is_some())
}

fn frame(line: &str) -> Option<Frame> {
    let (_, rest) = leading_number(line.strip_prefix('#')?)?;
    let (function, location) = rest
        .strip_prefix("  ")?
        .trim_start()
        .strip_suffix(')')?
        .rcut(" (")?;
    let place = place::split(location);
    let known = ["dart:", "package:", "file:", "org-dartlang"]
        .iter()
        .any(|scheme| location.starts_with(scheme));
    (known || place.line.is_some()).then(|| Frame {
        in_app: !is_library(place.file),
        function: place::some(function),
        module: None,
        file: place::some(place.file),
        line: place.line,
        column: place.column,
    })
}

fn is_library(file: &str) -> bool {
    file.starts_with("dart:")
        || file.starts_with("org-dartlang-sdk:")
        || file.starts_with("package:flutter/")
        || file.has("/.pub-cache/")
        || place::is_package(file)
}
