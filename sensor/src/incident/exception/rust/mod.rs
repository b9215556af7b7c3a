//! Rust: panics before and after 1.73, with and without a backtrace, the end of
//! the stack, and the errors that `main` returns, as anyhow and eyre show them.

mod returned;

use super::{
    Begin, Exception, ExceptionParser, First, Frame, Language, Next, Sign, State,
    finish::{FATAL, Section},
    place::{self, Place, leading_number},
    prose::may_be_message,
};
use crate::incident::find::Find;

pub struct Rust;

/// The message, which nothing ends for sure.
const MESSAGE: u32 = 0;
/// The message of before 1.73, whose last line has the place.
const QUOTED: u32 = 1;
/// After the message.
const END: u32 = 2;
/// Frames.
const STACK: u32 = 3;
/// A stack overflow.
const OVERFLOW: u32 = 4;

/// What `main` returned: lines of its message.
const RETURNED: u32 = 5;
/// What caused it.
const CAUSES: u32 = 6;
/// The place where eyre saw it first.
const LOCATION: u32 = 7;
/// Between the parts of an error.
const BETWEEN: u32 = 8;

/// A panic as color-eyre shows it.
const CRASHED: u32 = 9;

const PANICKED: &str = "The application panicked (crashed).";
const ERROR: &str = "Error: ";

/// What the runtime says behind a panic that it cannot unwind.
const ABORTING: &str = "thread caused non-unwinding panic";

impl ExceptionParser for Rust {
    fn language(&self) -> Language {
        Language::Rust
    }

    fn signs(&self) -> &'static [Sign] {
        &[
            // Go waits for it as well.
            Sign::Text("panic"),
            Sign::Text(" has overflowed its stack"),
            Sign::Class,
        ]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let text = line.text()?;
        let sure = |part| Some(Begin::Sure(State { part, number: 0 }));
        match panicked(text) {
            Some(rest) if rest.starts_with('\'') && quoted(rest).is_some() => sure(END),
            Some(rest) if rest.starts_with('\'') => sure(QUOTED),
            Some(_) => sure(MESSAGE),
            None if text == PANICKED => Some(Begin::Likely(State {
                part: CRASHED,
                number: 0,
            })),
            None if text.starts_with(ERROR) => Some(Begin::Maybe(State {
                part: RETURNED,
                number: u32::from(text.len() == ERROR.len()),
            })),
            None if text.starts_with("thread '") && text.ends_with(" has overflowed its stack") => {
                sure(OVERFLOW)
            }
            None => None,
        }
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        if matches!(state.part, RETURNED | CAUSES | LOCATION | BETWEEN) {
            return returned::goes_on(state, line);
        }
        if state.part == CRASHED {
            return returned::crash_goes_on(state, line);
        }
        if line == b"stack backtrace:" {
            state.part = STACK;
            return Next::Part;
        }
        if line.starts_with(b"note: ") {
            state.part = END;
            return Next::Part;
        }
        if line.starts_with(ABORTING.as_bytes()) {
            return Next::Last;
        }
        match state.part {
            MESSAGE if line.is_empty() => Next::Maybe,
            MESSAGE if may_be_message(line) => Next::Weak,
            QUOTED => match std::str::from_utf8(line).ok().and_then(quoted) {
                Some(_) => {
                    state.part = END;
                    Next::Part
                }
                None => Next::Maybe,
            },
            STACK if is_frame(line) => Next::Part,
            OVERFLOW if line.starts_with(b"fatal runtime error: ") => Next::Last,
            _ => Next::No,
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let mut lines = text.rows();
        let first = lines.next()?;
        if first == PANICKED {
            return Some(returned::crash(lines));
        }
        if let Some(message) = first.strip_prefix(ERROR) {
            return Some(returned::read(message, lines));
        }
        let Some(rest) = panicked(first) else {
            return Some(Exception {
                message: Some(first.to_owned()),
                severity: FATAL,
                ..Exception::new(Language::Rust, "stack overflow")
            });
        };
        // Up to the backtrace and the notes behind the message.
        let head = |line: &&str| {
            *line != "stack backtrace:"
                && !line.starts_with("note: ")
                && !line.starts_with(ABORTING)
        };
        let body: Vec<&str> = lines.by_ref().take_while(head).collect();
        let (place, section) = if rest.starts_with('\'') {
            let all = std::iter::once(rest)
                .chain(body)
                .collect::<Vec<_>>()
                .join("\n");
            let (message, place) = match quoted(&all) {
                Some((message, place)) => (message.to_owned(), Some(place)),
                None => (all, None),
            };
            let message = message.strip_prefix('\'').unwrap_or(&message);
            let section = Section {
                message: place::some(message),
                ..Section::default()
            };
            (place.map(own), section)
        } else {
            let section = Section {
                message: Some(body.join("\n")),
                ..Section::default()
            };
            (Some(own(place::split(rest.trim_end_matches(':')))), section)
        };
        let frames = with_place(frames(lines), place);
        Some(Exception {
            message: section.trimmed().message,
            frames,
            severity: FATAL,
            ..Exception::new(Language::Rust, "panic")
        })
    }
}

/// The place that the message names goes first, unless a frame names it.
fn with_place(mut frames: Vec<Frame>, place: Option<Frame>) -> Vec<Frame> {
    if let Some(place) = place
        && !frames.iter().any(|frame| names(frame, &place))
    {
        frames.insert(0, place);
    }
    frames
}

/// What follows `thread 'name' (id) panicked at `.
fn panicked(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("thread ")?;
    let at = rest.place(" panicked at ")?;
    // `'name'` or `'name' (12345)`; `<unnamed>` once had no quotes.
    Some(&rest[at + " panicked at ".len()..])
}

/// The message and the place of `'message', src/main.rs:3:5`.
fn quoted(line: &str) -> Option<(&str, Place<'_>)> {
    let (message, place) = line.rcut("', ")?;
    let place = place::split(place);
    (place.line.is_some() && !place.file.has(" ")).then_some((message, place))
}

/// `   0: function`, or the place below it.
fn is_frame(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.len() < line.len() && text.starts_with(b"at ")
        || digits > 0 && text[digits..].starts_with(b": ")
}

fn frames<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in lines {
        let text = line.trim_start();
        if let Some(place) = text.strip_prefix("at ") {
            let place = place::split(place);
            if let Some(frame) = frames.last_mut().filter(|frame| frame.file.is_none()) {
                frame.file = place::some(place.file);
                frame.line = place.line;
                frame.column = place.column;
                frame.in_app = frame.in_app && !is_library_file(place.file);
            }
        } else if let Some((_, rest)) = leading_number(text)
            && let Some(function) = rest.strip_prefix(": ")
        {
            let function = function.trim_start();
            // `0x55d0c3a1 - function` of the full backtrace.
            let function = match function.cut(" - ") {
                Some((address, function)) if address.starts_with("0x") => function,
                _ => function,
            };
            frames.push(Frame {
                function: place::some(function),
                in_app: !is_library(function),
                ..Frame::default()
            });
        }
    }
    frames
}

fn own(place: Place<'_>) -> Frame {
    Frame {
        file: place::some(place.file),
        line: place.line,
        column: place.column,
        in_app: !is_library_file(place.file),
        ..Frame::default()
    }
}

/// Whether the frame is at that place; its path may be a longer one.
fn names(frame: &Frame, place: &Frame) -> bool {
    let (Some(one), Some(other)) = (&frame.file, &place.file) else {
        return false;
    };
    let one = one.strip_prefix("./").unwrap_or(one);
    frame.line == place.line && (one.ends_with(other.as_str()) || other.ends_with(one))
}

fn is_library_file(file: &str) -> bool {
    place::is_package(file)
        || file.starts_with("/rustc/")
        || file.has("/rustlib/src/rust/library/")
        || file.has("/sysdeps/")
        || file.has("/csu/libc-start")
}

fn is_library(function: &str) -> bool {
    let name = function.trim_start_matches(['<', '&', '*']);
    let name = name.strip_prefix("dyn ").unwrap_or(name);
    [
        "std",
        "core",
        "alloc",
        "__rustc",
        "backtrace",
        "proc_macro",
        "anyhow",
        "eyre",
        "color_eyre",
    ]
    .iter()
    .any(|start| {
        name.strip_prefix(start)
            .is_some_and(|rest| rest.starts_with("::") || rest.starts_with('['))
    }) || [
        "rust_begin_unwind",
        "rust_panic",
        "__rust",
        "__libc_start",
        "_start",
        "start_thread",
        "clone",
        "__clone",
        "<unknown>",
    ]
    .iter()
    .any(|start| function.starts_with(start))
}
