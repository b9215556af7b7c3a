//! Sanitizers of C and C++: addresses, threads, memory, leaks, and undefined
//! behaviour.

use super::{
    Begin, Exception, ExceptionParser, First, Frame, Language, Next, Sign, State,
    place::{self, leading_number, number},
};
use crate::incident::find::Find;

pub struct Sanitizer;

/// A report.
const REPORT: u32 = 0;
/// After its summary: a picture of the memory.
const SUMMARY: u32 = 1;
/// Undefined behaviour, which is one line and perhaps a stack.
const UNDEFINED: u32 = 2;

const RUNTIME_ERROR: &str = ": runtime error: ";

/// How lines of a report begin, which are neither indented nor empty.
const STARTS: [&str; 24] = [
    "#",
    "0x",
    "==",
    "=>",
    "READ of",
    "WRITE of",
    "freed by",
    "previously ",
    "allocated by",
    "Thread T",
    "Direct leak",
    "Indirect leak",
    "Address ",
    "HINT:",
    "NOTE:",
    "SUMMARY:",
    "AddressSanitizer",
    "MemorySanitizer",
    "ThreadSanitizer",
    "LeakSanitizer",
    "Shadow ",
    "This frame",
    "Objects leaked",
    "Register values",
];

impl ExceptionParser for Sanitizer {
    fn language(&self) -> Language {
        Language::Cpp
    }

    fn signs(&self) -> &'static [Sign] {
        &[Sign::Text("Sanitizer: "), Sign::Text(RUNTIME_ERROR)]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let text = line.text()?;
        let sure = |part| Some(Begin::Sure(State { part, number: 0 }));
        if report(text).is_some() {
            return sure(REPORT);
        }
        // Who quotes it indents it.
        let quoted = text.starts_with([' ', '\t']);
        undefined(text)
            .filter(|_| !quoted)
            .and_then(|_| sure(UNDEFINED))
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        if line.trim_ascii().is_empty() {
            return Next::Maybe;
        }
        if line.starts_with(b"SUMMARY: ") {
            if state.part == UNDEFINED {
                return Next::Last;
            }
            state.part = SUMMARY;
            return Next::Part;
        }
        if state.part == UNDEFINED {
            let frame = line.trim_ascii_start().starts_with(b"#") && line.starts_with(b" ");
            return if frame { Next::Part } else { Next::No };
        }
        if line.ends_with(b"==ABORTING") || state.part == SUMMARY && is_rule(line) {
            return Next::Last;
        }
        // Another report begins.
        if is_rule(line) || std::str::from_utf8(line).is_ok_and(|text| report(text).is_some()) {
            return Next::No;
        }
        let part = line.starts_with(b" ")
            || STARTS
                .iter()
                .any(|start| line.starts_with(start.as_bytes()));
        if part { Next::Part } else { Next::No }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let mut lines = text.rows();
        let first = lines.next()?;
        let (name, message, pid, place) = if let Some((pid, message)) = report(first) {
            (name(message).to_owned(), message, pid, None)
        } else {
            let (place, message) = undefined(first)?;
            let name = match message.cut(": ") {
                Some((name, _)) => name,
                None if message
                    .bytes()
                    .any(|byte| byte.is_ascii_digit() || byte == b'\'') =>
                {
                    "undefined-behavior"
                }
                None => message,
            };
            (name.to_owned(), message, None, Some(place))
        };
        // The first stack is where it happened, others are how it came to it.
        let mut frames: Vec<Frame> = lines
            .map(str::trim_start)
            .skip_while(|line| frame(line).is_none())
            .map_while(frame)
            .collect();
        if let Some(place) = place
            && !frames
                .iter()
                .any(|frame| frame.line == place.line && names(frame, place.file))
        {
            let frame = Frame {
                file: place::some(place.file),
                line: place.line,
                column: place.column,
                in_app: true,
                ..Frame::default()
            };
            frames.insert(0, frame);
        }
        Some(Exception {
            message: place::some(message),
            frames,
            pid,
            ..Exception::new(Language::Cpp, name)
        })
    }
}

fn names(frame: &Frame, file: &str) -> bool {
    frame
        .file
        .as_deref()
        .is_some_and(|known| known.ends_with(file))
}

/// A line of nothing but `=`.
fn is_rule(line: &[u8]) -> bool {
    line.len() > 8 && line.iter().all(|&byte| byte == b'=')
}

/// The pid and what follows `XSanitizer: ` on a first line.
fn report(line: &str) -> Option<(Option<u32>, &str)> {
    let (before, message) = line.cut("Sanitizer: ")?;
    let level = before.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let level = level.trim_end_matches(' ');
    let prefix = ["ERROR:", "WARNING:", "FATAL:"]
        .iter()
        .find_map(|word| level.strip_suffix(word))?;
    if prefix.is_empty() {
        let pid = message
            .rcut("(pid=")
            .and_then(|(_, pid)| number(pid.strip_suffix(')')?));
        return Some((pid.and_then(|pid| u32::try_from(pid).ok()), message));
    }
    let pid = prefix.strip_prefix("==")?.strip_suffix("==")?;
    Some((u32::try_from(number(pid)?).ok(), message))
}

/// The place and the text of `FILE:LINE:COLUMN: runtime error: text`.
fn undefined(line: &str) -> Option<(place::Place<'_>, &str)> {
    let (place, message) = line.cut(RUNTIME_ERROR)?;
    let place = place::split(place);
    (place.column.is_some() && !place.file.has(": ")).then_some((place, message))
}

/// What the error is called.
fn name(message: &str) -> &str {
    if message.starts_with("detected memory leaks") {
        return "memory-leak";
    }
    if message.starts_with("requested allocation size") {
        return "allocation-size-too-big";
    }
    let message = message.strip_prefix("attempting ").unwrap_or(message);
    let end = [" on ", " (", ": ", " in "]
        .iter()
        .filter_map(|end| message.find(end))
        .min();
    end.map_or(message, |end| &message[..end])
}

/// `#0 0x55c7 in function FILE:LINE`, `#0 function FILE:LINE (module+0x1)`.
fn frame(line: &str) -> Option<Frame> {
    let (_, rest) = leading_number(line.strip_prefix('#')?)?;
    let rest = rest.trim_start();
    let rest = match rest.cut(" in ") {
        Some((address, rest)) if address.starts_with("0x") => rest,
        _ if rest.starts_with("0x") => rest.cut(" ").map_or("", |(_, rest)| rest.trim_start()),
        _ => rest,
    };
    // The module, and perhaps its build, in brackets at the end.
    let mut rest = rest;
    let mut shared = false;
    while let Some((before, module)) = rest.rcut(" (")
        && module.ends_with(')')
        && (module.has("+0x") || module.starts_with("BuildId"))
    {
        shared |= module.starts_with("/usr/lib") || module.starts_with("/lib");
        rest = before;
    }
    if rest.starts_with('(') {
        rest = "";
    }
    let (function, file) = match rest.rcut(" ") {
        Some((function, file)) if !file.ends_with(')') || file.starts_with('/') => (function, file),
        _ => (rest, ""),
    };
    let place = place::split(if file == "<null>" { "" } else { file });
    let function = if function == "<null>" {
        ""
    } else {
        without_arguments(function)
    };
    Some(Frame {
        in_app: !shared && !is_library(function, place.file),
        function: place::some(function),
        module: None,
        file: place::some(place.file),
        line: place.line,
        column: place.column,
    })
}

/// `Till::take(int)` is `Till::take`.
fn without_arguments(function: &str) -> &str {
    let plain = function.trim_end_matches(" const");
    if !plain.ends_with(')') || plain.ends_with("operator()") {
        return function;
    }
    let mut depth = 0_u32;
    for (at, byte) in plain.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' if depth == 1 && at > 0 => return &plain[..at],
            b'(' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    function
}

fn is_library(function: &str, file: &str) -> bool {
    place::is_package(file)
        || [
            "libsanitizer",
            "compiler-rt",
            "/sysdeps/",
            "/csu/",
            "/nptl/",
        ]
        .iter()
        .any(|dir| file.contains(dir))
        || file.starts_with("/usr/include/")
        || [
            "__libc_",
            "_start",
            "__interceptor_",
            "__asan",
            "__ubsan",
            "__tsan",
            "start_thread",
            "std::",
        ]
        .iter()
        .any(|start| function.starts_with(start))
        || function.is_empty() && file.is_empty()
}
