//! JavaScript: the stacks of V8 (Node, Deno, Bun, Chrome) and of Firefox; what
//! Node prints of an exception that nobody caught; objects as `console.error`
//! shows them, with causes and members.

mod frame;
mod memory;
mod tree;

use super::{
    Begin, Exception, ExceptionParser, First, Language, Next, Sign, State,
    head::{self, Look},
    place,
};
use crate::incident::find::Find;

pub struct JavaScript;

/// The place and the lines that Node shows of a file.
const EXCERPT: u32 = 0;
/// After the carets below it.
const CARETS: u32 = 1;
/// A message.
const MESSAGE: u32 = 2;
/// As `MESSAGE`, where only a frame may follow.
const BARE_HEAD: u32 = 3;
/// Frames.
const FRAMES: u32 = 4;
/// The properties of the object, up to a closing bracket.
const PROPERTIES: u32 = 5;
/// Nothing but the version of Node may follow.
const END: u32 = 6;

/// V8 itself failed.
const MEMORY: u32 = 7;

/// Most lines of an excerpt.
const MAX_EXCERPT: u32 = 8;

const UNCAUGHT_HINT: &str = "(Use `node --trace-uncaught ...` to show where";

impl ExceptionParser for JavaScript {
    fn language(&self) -> Language {
        Language::JavaScript
    }

    fn signs(&self) -> &'static [Sign] {
        &[
            Sign::Class,
            Sign::Label,
            Sign::Text("node:"),
            Sign::Text(".js:"),
            Sign::Text("cjs:"),
            Sign::Text("mjs:"),
            Sign::Text(".ts:"),
            Sign::Text("file:///"),
            Sign::Text("[eval]:"),
            Sign::Text("[stdin]:"),
            Sign::Text("<anonymous"),
            Sign::Text("undefined:1"),
            Sign::Text(memory::SIGN),
        ]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let state = |part| State { part, number: 0 };
        let text = line.text()?;
        if memory::is_first(text) {
            return Some(Begin::Sure(state(MEMORY)));
        }
        if is_shown_stack(text) {
            return None;
        }
        if excerpt(text).is_some() {
            return Some(Begin::Maybe(state(EXCERPT)));
        }
        let head = text.strip_prefix("Uncaught ").unwrap_or(text);
        let bracketed = head.strip_prefix('[').unwrap_or(head);
        let look = if bracketed.len() == text.len() {
            line.look()
        } else {
            head::look(bracketed.as_bytes())
        };
        match look {
            Some(Look::Class) => Some(Begin::Likely(state(MESSAGE))),
            Some(Look::Word) => Some(Begin::Maybe(state(BARE_HEAD))),
            None => line.labelled().map(|_| Begin::Maybe(state(MESSAGE))),
        }
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        let Ok(text) = std::str::from_utf8(line) else {
            return if state.part == MESSAGE {
                Next::Maybe
            } else {
                Next::No
            };
        };
        if state.part == MEMORY {
            return memory::goes_on(text);
        }
        if frame::is_frame(text) || frame::is_firefox(text) && state.part != PROPERTIES {
            state.part = match (state.part, text.ends_with('{')) {
                (PROPERTIES, _) | (_, true) => PROPERTIES,
                _ => FRAMES,
            };
            return Next::Part;
        }
        if text.starts_with("Node.js v") {
            return Next::Last;
        }
        match state.part {
            EXCERPT | CARETS => excerpt_goes_on(state, text),
            MESSAGE if text.starts_with(UNCAUGHT_HINT) => to(state, END, Next::Part),
            MESSAGE if is_shown_stack(text) => Next::No,
            MESSAGE => Next::Maybe,
            FRAMES if is_between(text) => Next::Part,
            FRAMES if is_caused(text) => to(state, MESSAGE, Next::Part),
            PROPERTIES if text.starts_with([' ', '\t']) => Next::Part,
            PROPERTIES if text.starts_with(['}', ']']) => to(state, END, Next::Part),
            FRAMES | PROPERTIES | END if text.is_empty() => to(state, END, Next::Maybe),
            END if text.starts_with("Thrown at:") => to(state, FRAMES, Next::Part),
            _ => Next::No,
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        if memory::is_first(text.rows().next()?) {
            return memory::read(text);
        }
        tree::read(text)
    }
}

/// `console.trace` shows where the program is: nothing was thrown.
fn is_shown_stack(line: &str) -> bool {
    line == "Trace" || line.starts_with("Trace: ")
}

fn to(state: &mut State, part: u32, next: Next) -> Next {
    state.part = part;
    next
}

/// A line of what Node shows before the exception.
fn excerpt_goes_on(state: &mut State, line: &str) -> Next {
    if state.part == CARETS || line.is_empty() || state.number == 0 {
        let head = line.strip_prefix('[').unwrap_or(line);
        if head::look(head.as_bytes()) >= Some(Look::Class) {
            let part = if line.ends_with('{') {
                PROPERTIES
            } else {
                MESSAGE
            };
            return to(state, part, Next::Part);
        }
    }
    if state.part == EXCERPT && is_carets(line) {
        return to(state, CARETS, Next::Maybe);
    }
    state.number += 1;
    if state.number > MAX_EXCERPT {
        return Next::No;
    }
    // An error at the end of a file has no code, and no carets either.
    if state.part == EXCERPT && state.number > 1 && line.is_empty() {
        return to(state, CARETS, Next::Maybe);
    }
    match state.part {
        CARETS if line.starts_with(UNCAUGHT_HINT) => to(state, END, Next::Part),
        _ => Next::Maybe,
    }
}

/// `/srv/app/till.js:3`: the line above an excerpt.
fn excerpt(line: &str) -> Option<place::Place<'_>> {
    let spaced = ["/", "file:///", "[worker eval]"];
    if line.has(" ") && !spaced.iter().any(|start| line.starts_with(start)) {
        return None;
    }
    let place = place::split(line);
    let starts = [
        "/",
        "file:///",
        "node:",
        "internal/",
        "[eval]",
        "[worker eval]",
        "[stdin]",
        "<anonymous",
        "evalmachine.",
        "undefined",
    ];
    let known = starts.iter().any(|start| line.starts_with(start))
        || place.file.ends_with("js")
        || place.file.ends_with(".ts");
    (known && place.line.is_some() && place.column.is_none()).then_some(place)
}

/// Nothing but carets below the code.
fn is_carets(line: &str) -> bool {
    line.has("^")
        && line
            .bytes()
            .all(|byte| matches!(byte, b' ' | b'^' | b'\t' | b'~'))
}

/// Lines between frames that are none.
fn is_between(line: &str) -> bool {
    let text = line.trim_start();
    text.starts_with("... ") && text.has(" lines matching ")
        || line.starts_with("Emitted 'error' event ")
        || line.starts_with("From previous event:")
}

/// Deno and VError: `Caused by: Type: message`.
fn is_caused(line: &str) -> bool {
    caused(line.trim_start()).is_some_and(|rest| head::look(rest.as_bytes()).is_some())
}

fn caused(line: &str) -> Option<&str> {
    line.strip_prefix("Caused by: ")
        .or_else(|| line.strip_prefix("caused by: "))
}
