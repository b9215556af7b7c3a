//! Python: tracebacks of 2.7 to 3.13, chained, of groups, of syntax errors.

mod fatal;
mod message;
mod tree;

use super::{
    Begin, Exception, ExceptionParser, First, Language, Next, Sign, State, before, head,
    prose::may_be_message,
};

use crate::incident::find::Find;
use message::{Evidence, Progress, Taken};
pub use tree::is_library;

pub struct Python;

pub(super) const TRACEBACK: &str = "Traceback (most recent call last):";
pub(super) const GROUP: &str = "  + Exception Group Traceback (most recent call last):";
pub(super) const CONTEXT: &str =
    "During handling of the above exception, another exception occurred:";
pub(super) const CAUSE: &str =
    "The above exception was the direct cause of the following exception:";

/// An exception without a traceback, which is one only as a cause.
const BARE: u32 = 0;
/// Right after the first line.
const BEGUN: u32 = 1;
/// Frames, up to the line that names the exception.
const FRAMES: u32 = 2;
/// After that line.
const MESSAGE: u32 = 3;
/// After a blank line behind it.
const BLANK: u32 = 4;
/// After a line that links two tracebacks.
const LINK: u32 = 5;
/// Within a group, which has a margin.
const MARGIN: u32 = 6;
/// After the last line of a group.
const GROUP_END: u32 = 8;
/// After an exception whose message is whole.
const END: u32 = 9;
/// A syntax error that no traceback comes before.
const SYNTAX: u32 = 7;

/// What came before a traceback that was quoted: it was another process's.
const REMOTE: u32 = 10;

/// The interpreter itself failed.
const FATAL: u32 = 11;

/// The part of the state. The bits above the lowest eight are what the last
/// line of the program says of the message, and then how far that got.
const PART: u32 = 0x3f;
/// Between the quotes of another process's traceback.
const QUOTED: u32 = 0x40;
/// Blank lines part the frames, as loguru has them.
const SPACED: u32 = 0x80;

/// Around the traceback of another process.
pub(super) const QUOTES: &str = "\"\"\"";

/// What the interpreter says before a traceback that it passes over.
const IGNORED: &[u8] = b"Exception ignored in";

impl ExceptionParser for Python {
    fn language(&self) -> Language {
        Language::Python
    }

    fn signs(&self) -> &'static [Sign] {
        &[
            Sign::Text(TRACEBACK),
            Sign::Text("  File \""),
            Sign::Text(fatal::FIRST),
            Sign::Class,
        ]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        if **line == *GROUP.as_bytes() {
            return Some(Begin::Sure(State {
                part: MARGIN,
                number: 0,
            }));
        }
        if let Some(before) = line.trim_ascii_end().strip_suffix(TRACEBACK.as_bytes()) {
            let state = State {
                part: BEGUN,
                number: before::number(before)?,
            };
            return Some(if before.trim_ascii().is_empty() {
                Begin::Sure(state)
            } else {
                Begin::Likely(state)
            });
        }
        if line.starts_with(b"  File \"") {
            let ends_with_line = line.last().is_some_and(u8::is_ascii_digit);
            return ends_with_line.then_some(Begin::Likely(State {
                part: SYNTAX,
                number: 0,
            }));
        }
        if line.starts_with(fatal::FIRST.as_bytes()) {
            return Some(Begin::Sure(State {
                part: FATAL,
                number: 0,
            }));
        }
        if is_remote(line) {
            return Some(Begin::Likely(State {
                part: REMOTE,
                number: 0,
            }));
        }
        let bare = line.first().is_some_and(u8::is_ascii_alphabetic) && line.look().is_some();
        bare.then_some(Begin::Maybe(State {
            part: BARE,
            number: 0,
        }))
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        match state.part & PART {
            BEGUN => return begun(state, line),
            FATAL => return fatal::goes_on(line),
            _ => {}
        }
        let Some(line) = before::without(state.number, line) else {
            return Next::No;
        };
        let blank = line.trim_ascii().is_empty();
        match state.part & PART {
            REMOTE if line == QUOTES.as_bytes() => {
                state.part |= QUOTED;
                to(state, LINK, Next::Part)
            }
            MESSAGE | BLANK | END if line == QUOTES.as_bytes() && state.part & QUOTED != 0 => {
                state.part &= !QUOTED;
                to(state, GROUP_END, Next::Part)
            }
            BARE | BLANK | GROUP_END if blank => Next::Maybe,
            BARE | BLANK | GROUP_END if is_link(line) => to(state, LINK, Next::Part),
            BLANK
                if line.starts_with(b" ")
                    || line.starts_with(b"\t")
                    || line.starts_with(b"(Background on this error") =>
            {
                message(state, line)
            }
            LINK if blank => Next::Maybe,
            LINK if is_header(line) || is_file(line) => to(state, FRAMES, Next::Part),
            LINK if line == GROUP.as_bytes() => to(state, MARGIN, Next::Part),
            FRAMES if is_file(line) => to(state, FRAMES, Next::Part),
            FRAMES if blank && state.part & SPACED != 0 => Next::Maybe,
            FRAMES if line.starts_with(b"  ") => {
                let evidence = Evidence(state.part >> 8).line(line);
                to(state, evidence.0 << 8 | FRAMES, Next::Part)
            }
            FRAMES if is_exception(line) => {
                let part = if Evidence(state.part >> 8).is_whole(line) {
                    END
                } else {
                    Progress::first(line).pack() << 8 | MESSAGE
                };
                to(state, part, Next::Part)
            }
            SYNTAX if line.starts_with(b"    ") => Next::Maybe,
            SYNTAX if is_syntax_error(line) => to(state, MESSAGE, Next::Part),
            MARGIN | GROUP_END if is_group_end(line) => to(state, GROUP_END, Next::Part),
            MARGIN | GROUP_END if is_margin(line) => to(state, MARGIN, Next::Part),
            // Messages of more than one line have no margin.
            MARGIN => Next::Maybe,
            MESSAGE | END if blank => to(state, BLANK, Next::Maybe),
            MESSAGE if is_header(line) || line.starts_with(IGNORED) => Next::No,
            MESSAGE if may_be_message(line) => message(state, line),
            _ => Next::No,
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let first = text.rows().next()?;
        if first.starts_with(fatal::FIRST) {
            return fatal::read(text);
        }
        let prefix = first.trim_end().strip_suffix(TRACEBACK).unwrap_or_default();
        if prefix.is_empty() || first == GROUP {
            return tree::read(text.rows());
        }
        let second = text.rows().nth(1).unwrap_or_default();
        if second.starts_with(prefix) && !second.starts_with("  File \"") {
            let strip = |line| str::strip_prefix(line, prefix).unwrap_or(line);
            return tree::read(text.rows().map(strip));
        }
        tree::read(std::iter::once(TRACEBACK).chain(text.rows().skip(1)))
    }
}

/// The line after the first one tells what stands before every line.
fn begun(state: &mut State, line: &[u8]) -> Next {
    // loguru has a blank line there, and others between the frames.
    if line.trim_ascii().is_empty() {
        state.part |= SPACED;
        return Next::Maybe;
    }
    if is_file(line) {
        state.number = 0;
        return to(state, FRAMES, Next::Part);
    }
    let Some(rest) = before::without(state.number, line) else {
        return Next::No;
    };
    if is_file(rest) {
        return to(state, FRAMES, Next::Part);
    }
    if is_exception(rest) && head::look(rest).is_some() {
        return to(state, MESSAGE, Next::Part);
    }
    Next::No
}

/// What the text is between stays.
fn to(state: &mut State, part: u32, next: Next) -> Next {
    state.part = part | state.part & (QUOTED | SPACED);
    next
}

/// A line of a message, as far as one can tell.
fn message(state: &mut State, line: &[u8]) -> Next {
    let progress = if state.part & PART == MESSAGE {
        Progress::unpack(state.part >> 8)
    } else {
        Progress::default()
    };
    match progress.line(line) {
        Taken::Part(progress) => to(state, progress.pack() << 8 | MESSAGE, Next::Weak),
        Taken::No(before) => Next::Back(before),
    }
}

fn is_header(line: &[u8]) -> bool {
    line.trim_ascii_end() == TRACEBACK.as_bytes()
}

/// `  File "x.py", line 3`; loguru marks the frame that caught it.
fn is_file(line: &[u8]) -> bool {
    line.starts_with(b"  File \"") || line.starts_with(b"> File \"")
}

/// `multiprocessing.pool.RemoteTraceback: `: an exception of another process,
/// whose message is the traceback there.
fn is_remote(line: &[u8]) -> bool {
    line.trim_ascii_end().ends_with(b"RemoteTraceback:")
}

fn is_link(line: &[u8]) -> bool {
    line == CONTEXT.as_bytes() || line == CAUSE.as_bytes()
}

/// `  | text`, `  +-+---- 1 ----`.
fn is_margin(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    text.len() < line.len() && (text.starts_with(b"|") || text.starts_with(b"+-"))
}

/// The line below the last member of a group: the last of all, if no margin
/// follows.
fn is_group_end(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    line.len() >= text.len() + 4
        && text
            .strip_prefix(b"+-")
            .is_some_and(|dashes| dashes.iter().all(|&byte| byte == b'-'))
}

fn is_syntax_error(line: &[u8]) -> bool {
    [b"SyntaxError".as_slice(), b"IndentationError", b"TabError"]
        .iter()
        .any(|name| line.starts_with(name))
}

/// `package.Type: message` or `Type`: what ends the frames.
fn is_exception(line: &[u8]) -> bool {
    let end = line
        .iter()
        .position(|&byte| byte == b':' || byte == b' ')
        .unwrap_or(line.len());
    let first = line.first().copied().unwrap_or_default();
    (first.is_ascii_alphabetic() || first == b'_' || first >= 0x80)
        && (end == line.len() || line[end] == b':')
}
