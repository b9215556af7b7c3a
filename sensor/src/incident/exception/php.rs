//! PHP: fatal and parse errors as they are logged and as they are displayed,
//! exceptions as text, and Laravel's log. Warnings and notices are none.

use super::{
    Begin, Cause, Exception, ExceptionParser, First, Frame, Language, Next, Relation, Sign, State,
    finish::{ERROR, FATAL, Section},
    head::{self, Look},
    place,
};
use crate::incident::find::Find;

pub struct Php;

/// The message of an exception that ended the program.
const UNCAUGHT: u32 = 0;
/// The message of one that was printed.
const PRINTED: u32 = 1;
/// Frames.
const STACK: u32 = 2;
/// A message behind `Next`.
const NEXT: u32 = 3;
/// Behind an error without an exception.
const END: u32 = 4;

const TRACE: &str = "Stack trace:";
const LARAVEL: &str = "[object] (";
const LARAVEL_TRACE: &str = "[stacktrace]";
const PREVIOUS: &str = "[previous exception] [object] (";

/// What an error is called.
const KINDS: [&str; 3] = ["Fatal error", "Parse error", "Recoverable fatal error"];

impl ExceptionParser for Php {
    fn language(&self) -> Language {
        Language::Php
    }

    fn signs(&self) -> &'static [Sign] {
        &[
            Sign::Class,
            Sign::Label,
            Sign::Text("Exception in "),
            Sign::Text("Error in "),
            Sign::Text("atal error"),
            Sign::Text("Parse error"),
            Sign::Text(LARAVEL),
        ]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let text = line.text()?;
        let state = |part| State { part, number: 0 };
        if let Some((_, rest)) = error(text) {
            return if rest.starts_with("Uncaught ") {
                Some(Begin::Sure(state(UNCAUGHT)))
            } else {
                located(rest).map(|_| Begin::Sure(state(END)))
            };
        }
        if text.has(LARAVEL) {
            return Some(if is_whole(text) {
                Begin::Sure(state(END))
            } else {
                Begin::Likely(state(PRINTED))
            });
        }
        let printed = line.look() == Some(Look::Class)
            || text.cut(" in ").is_some_and(|(name, place)| {
                head::has_usual_ending(name.as_bytes())
                    && !name.has(" ")
                    && place::split(place).line.is_some()
            });
        if printed {
            return Some(Begin::Likely(state(PRINTED)));
        }
        // Classes may be called as they like, and messages have many lines:
        // nothing but `Stack trace:` tells that it is one.
        (line.look().is_some() || line.labelled().is_some()).then_some(Begin::Maybe(state(PRINTED)))
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        let stack = line == TRACE.as_bytes() || line == LARAVEL_TRACE.as_bytes();
        if stack && state.part != END {
            state.part = STACK;
            return Next::Part;
        }
        match state.part {
            UNCAUGHT | PRINTED | NEXT => {
                if line.starts_with(b"  thrown in ") {
                    return Next::Last;
                }
                Next::Maybe
            }
            STACK if is_frame(line) => Next::Part,
            STACK if line.starts_with(b"  thrown in ") || line == b"\"} " || line == b"\"}" => {
                Next::Last
            }
            STACK if line.is_empty() => Next::Maybe,
            STACK if line.starts_with(b"Next ") || line.starts_with(PREVIOUS.as_bytes()) => {
                state.part = NEXT;
                Next::Part
            }
            _ => Next::No,
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let first = text.rows().next()?;
        let (kind, rest) = error(first).unwrap_or(("", first));
        if kind.is_empty() && first.has(LARAVEL) {
            return laravel(text);
        }
        let Some(rest) = (if kind.is_empty() {
            Some(from_class(rest))
        } else {
            rest.strip_prefix("Uncaught ")
        }) else {
            let (message, file, line) = located(rest)?;
            return Some(Exception {
                message: place::some(message),
                frames: vec![Frame {
                    in_app: !place::is_package(file),
                    ..at(file, line)
                }],
                severity: if kind == "Parse error" { ERROR } else { FATAL },
                ..Exception::new(Language::Php, kind)
            });
        };
        let mut done = Vec::new();
        let mut head = vec![rest];
        let mut frames = Vec::new();
        let mut stack = false;
        for line in text.rows().skip(1) {
            if line == TRACE {
                stack = true;
            } else if !stack {
                head.push(line);
            } else if let Some(rest) = line.strip_prefix("Next ") {
                done.push(section(&head, std::mem::take(&mut frames)));
                head = vec![rest];
                stack = false;
            } else {
                frames.extend(frame(line));
            }
        }
        // Cut before the trace, only the last line may tell the place.
        if head
            .last()
            .is_some_and(|line| line.starts_with("  thrown in "))
        {
            head.pop();
        }
        done.push(section(&head, frames));
        let mut done = done.into_iter().rev();
        let last = done.next()?;
        Some(Exception {
            message: last.message,
            frames: last.frames,
            causes: done
                .map(|cause| Cause::of(cause, Relation::Cause))
                .collect(),
            ..Exception::new(Language::Php, last.name)
        })
    }
}

/// The kind of an error and what follows.
fn error(line: &str) -> Option<(&'static str, &str)> {
    if !line.has(" error") {
        return None;
    }
    KINDS.into_iter().find_map(|kind| {
        let rest = if let Some(rest) = line.strip_prefix(kind) {
            rest.strip_prefix(": ")?
        } else if let Some((before, rest)) = line.split_once(kind) {
            if before.ends_with("PHP ") {
                rest.strip_prefix(':')?
            } else if before.ends_with("<b>") {
                rest.strip_prefix("</b>:")?
            } else {
                return None;
            }
        } else {
            return None;
        };
        Some((kind, rest.trim_start()))
    })
}

/// The message and the place of `message in FILE on line N`.
fn located(text: &str) -> Option<(&str, &str, u64)> {
    let plain = text.trim_end_matches("<br />");
    let tag = |text: &'_ str| -> usize { text.len() - text.trim_start_matches("<b>").len() };
    let (rest, number) = plain.rcut(" on line ")?;
    let number = number[tag(number)..].trim_end_matches("</b>");
    let (message, file) = rest.rcut(" in ")?;
    let file = file[tag(file)..].trim_end_matches("</b>");
    Some((message, file, place::number(number)?))
}

/// `Type: message in FILE:LINE`, over several lines, with its frames.
fn section(head: &[&str], mut frames: Vec<Frame>) -> Section {
    let text = head.join("\n");
    let (text, place) = match text.rcut(" in ") {
        Some((before, place)) if place::split(place.trim_end()).line.is_some() => {
            (before, Some(place::split(place.trim_end())))
        }
        _ => (text.as_str(), None),
    };
    let (name, message) = text.cut(": ").unwrap_or((text, ""));
    // PHP puts these words behind the message of a TypeError.
    let message = match message.strip_suffix(" and defined") {
        Some(own) if own.has(", called in ") => own,
        _ => message,
    };
    if let Some(place) = place
        && !frames.first().is_some_and(|frame| {
            frame.file.as_deref() == Some(place.file) && frame.line == place.line
        })
    {
        let frame = Frame {
            in_app: !place::is_package(place.file),
            ..at(place.file, place.line.unwrap_or_default())
        };
        frames.insert(0, frame);
    }
    Section {
        name: name.to_owned(),
        message: place::some(message),
        frames,
        ..Section::default()
    }
}

/// The text from the name of the class on.
fn from_class(line: &str) -> &str {
    if head::look(line.as_bytes()).is_some() {
        return line;
    }
    head::labelled(line.as_bytes())
        .and_then(|at| line.get(at..))
        .unwrap_or(line)
}

/// `#0 FILE(LINE): function()`, `#1 {main}`
fn is_frame(line: &[u8]) -> bool {
    line.strip_prefix(b"#").is_some_and(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        digits > 0 && rest[digits..].starts_with(b" ")
    })
}

fn frame(line: &str) -> Option<Frame> {
    let (_, rest) = place::leading_number(line.strip_prefix('#')?)?;
    let rest = rest.strip_prefix(' ')?;
    if rest == "{main}" {
        return Some(Frame {
            function: place::some(rest),
            ..Frame::default()
        });
    }
    if let Some(call) = rest.strip_prefix("[internal function]: ") {
        return Some(Frame {
            function: place::some(function(call)),
            ..Frame::default()
        });
    }
    let (place, call) = rest.cut("): ")?;
    let (file, number) = place.rcut("(")?;
    Some(Frame {
        function: place::some(function(call)),
        in_app: !place::is_package(file),
        ..at(file, place::number(number)?)
    })
}

/// The name of what was called, without the arguments.
fn function(call: &str) -> &str {
    // The name of a closure may itself have brackets: `{closure:f():3}`.
    let after = call
        .place("{closure")
        .and_then(|at| Some(at + call[at..].place("}")?));
    let from = after.unwrap_or(0);
    call[from..]
        .place("(")
        .map_or(call, |open| &call[..from + open])
}

fn at(file: &str, line: u64) -> Frame {
    Frame {
        file: place::some(file),
        line: Some(line),
        ..Frame::default()
    }
}

/// A record of Monolog that has the exception, without frames, in its own
/// line.
pub(super) fn is_whole(line: &str) -> bool {
    line.cut(LARAVEL)
        .is_some_and(|(_, rest)| rest.has(")\"}") && !rest.has("\n"))
}

/// `… "[object] (Type(code: 0): message at FILE:LINE)`, with frames, and with
/// previous exceptions behind them.
fn laravel(text: &str) -> Option<Exception> {
    // It is a string within JSON.
    let text = text.replace("\\\\", "\\");
    let mut sections: Vec<Section> = Vec::new();
    if is_whole(&text) {
        let (objects, _) = text.rcut("\"}")?;
        let (_, objects) = objects.cut(LARAVEL)?;
        // Without line breaks, one behind the other.
        let objects = objects.split(PREVIOUS).map(str::trim_end);
        sections.extend(objects.filter_map(object_section));
    }
    let mut head: Option<String> = None;
    for line in text.rows() {
        let object = line.cut(LARAVEL).map(|(_, rest)| rest.to_owned());
        if object.is_some() {
            head = object;
        } else if line == LARAVEL_TRACE {
            sections.push(object_section(&head.take()?)?);
        } else if let Some(head) = &mut head {
            head.push('\n');
            head.push_str(line);
        } else if let Some(open) = sections.last_mut() {
            open.frames.extend(frame(line));
        }
    }
    let mut sections = sections.into_iter();
    let first = sections.next()?;
    Some(Exception {
        message: first.message,
        frames: first.frames,
        causes: sections
            .map(|cause| Cause::of(cause, Relation::Cause))
            .collect(),
        ..Exception::new(Language::Php, first.name)
    })
}

fn object_section(head: &str) -> Option<Section> {
    let (name, rest) = head.cut("(code: ")?;
    let (_, rest) = rest.cut("): ")?;
    let (message, place) = rest.trim_end().trim_end_matches(')').rcut(" at ")?;
    let place = place::split(place);
    Some(Section {
        name: name.to_owned(),
        message: place::some(message),
        frames: vec![Frame {
            in_app: !place::is_package(place.file),
            ..at(place.file, place.line?)
        }],
        ..Section::default()
    })
}
