//! Go: panics, fatal errors of the runtime, what net/http says of the panic of a
//! handler, and stacks alone, as loggers and pkg/errors print them.

use super::{
    Begin, Cause, Exception, ExceptionParser, First, Frame, Language, Next, Relation, Sign, State,
    finish::{FATAL, Section},
    place,
};
use crate::incident::find::Find;

pub struct Go;

/// A message, which the header of a goroutine ends.
const MESSAGE: u32 = 0;
/// Goroutines.
const STACK: u32 = 1;
/// A function alone on a line, below which its place must be.
const FUNCTION: u32 = 2;
/// After such a place.
const PLACE: u32 = 3;

const PANIC: &str = "panic: ";
const FATAL_ERROR: &str = "fatal error: ";
const SERVING: &str = "http: panic serving ";
/// `[recovered]`, `[recovered, repanicked]`.
const RECOVERED: &str = " [recovered";

impl ExceptionParser for Go {
    fn language(&self) -> Language {
        Language::Go
    }

    fn signs(&self) -> &'static [Sign] {
        &[
            Sign::Text("panic"),
            Sign::Text(FATAL_ERROR),
            Sign::Text("SIGABRT: "),
            Sign::Text("SIGBUS: "),
            Sign::Text("SIGFPE: "),
            Sign::Text("SIGQUIT: "),
            Sign::Text("SIGSEGV: "),
            Sign::Text("unexpected fault address"),
            Sign::Text("goroutine "),
            Sign::Function,
        ]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let state = State {
            part: MESSAGE,
            number: 0,
        };
        let text = line.text().unwrap_or_default();
        if text.starts_with("panic: runtime error: ") {
            return Some(Begin::Sure(state));
        }
        let begins = text.starts_with(PANIC)
            || text.starts_with(FATAL_ERROR)
            || text.starts_with("unexpected fault address")
            || text.starts_with("SIG")
            || text.has(SERVING);
        if begins {
            return Some(Begin::Likely(state));
        }
        let part = if is_header(line) {
            STACK
        } else if line.is_function() {
            FUNCTION
        } else {
            return None;
        };
        Some(Begin::Maybe(State { part, number: 0 }))
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        if matches!(state.part, FUNCTION | PLACE) {
            return pair(state, line);
        }
        let header = is_header(line);
        if state.part == MESSAGE {
            if header {
                state.part = STACK;
                return Next::Part;
            }
            let marked = line.starts_with(b"[signal ")
                || line.starts_with(b"\tpanic: ")
                || line.starts_with(b"[recovered")
                || line.starts_with(b"goroutine running on other thread");
            return if marked { Next::Part } else { Next::Maybe };
        }
        if line.trim_ascii().is_empty() {
            return Next::Maybe;
        }
        if line.starts_with(b"exit status ") {
            return Next::Last;
        }
        let part = header
            || line.starts_with(b"\t")
            || is_function(line)
            || line.starts_with(b"created by ")
            || line.starts_with(b"...")
            || is_register(line);
        if part { Next::Part } else { Next::No }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let stack = match pairs(text) {
            None if is_header(text.rows().next()?.as_bytes()) => Some(frames(text.rows())),
            pairs => pairs,
        };
        if let Some(frames) = stack {
            return Some(Exception {
                frames,
                ..Exception::new(Language::Go, "")
            });
        }
        let mut lines = text.rows().peekable();
        let mut panics: Vec<Section> = Vec::new();
        let mut name = "panic";
        while let Some(line) = lines.next_if(|line| !is_header(line.as_bytes())) {
            let rest = line.trim_start_matches('\t');
            let message = if let Some(rest) = rest.strip_prefix(PANIC) {
                Some(rest)
            } else if let Some(rest) = line.strip_prefix(FATAL_ERROR) {
                name = "fatal error";
                // What came before was the runtime's own preface.
                panics.clear();
                Some(rest)
            } else if let Some((_, rest)) = line.cut(SERVING) {
                // After the address of the client.
                Some(rest.cut(": ").map_or(rest, |(_, message)| message))
            } else if panics.is_empty() {
                name = if line.starts_with("SIG") {
                    "signal"
                } else {
                    "fatal error"
                };
                Some(line)
            } else {
                None
            };
            match (message, panics.last_mut()) {
                (Some(message), _) => panics.push(Section {
                    message: Some(message.to_owned()),
                    ..Section::default()
                }),
                (None, Some(open)) if !line.starts_with("[signal ") => open.add_line(line),
                _ => {}
            }
        }
        let frames = frames(lines);
        let mut panics = panics.into_iter().map(|panic| finished(panic, name)).rev();
        let last = panics.next()?;
        Some(Exception {
            message: last.message,
            frames,
            causes: panics
                .map(|panic| Cause::of(panic, Relation::Context))
                .collect(),
            severity: FATAL,
            ..Exception::new(Language::Go, name)
        })
    }
}

/// A line of a stack in pairs: a function, and its place.
fn pair(state: &mut State, line: &[u8]) -> Next {
    let (part, next) = match state.part {
        FUNCTION if is_place(line) => (PLACE, Next::Part),
        PLACE if First::new(line).is_function() => (FUNCTION, Next::Maybe),
        _ => return Next::No,
    };
    state.part = part;
    next
}

/// `\t/srv/till.go:12`
fn is_place(line: &[u8]) -> bool {
    line.last().is_some_and(u8::is_ascii_digit)
        && line.strip_prefix(b"\t").is_some_and(|file| {
            let digits = file.iter().rev().take_while(|byte| byte.is_ascii_digit());
            let before = &file[..file.len() - digits.count()];
            before.ends_with(b".go:") || before.ends_with(b".s:")
        })
}

/// The frames of a text that has nothing but pairs of a function and its place,
/// the last one of which may be cut.
pub(super) fn pairs(text: &str) -> Option<Vec<Frame>> {
    let mut frames = Vec::new();
    let mut lines = text.rows().filter(|line| !line.is_empty());
    while let Some(function) = lines.next() {
        let place = lines.next();
        if !First::new(function.as_bytes()).is_function()
            || !place.map_or(!frames.is_empty(), |place| is_place(place.as_bytes()))
        {
            return None;
        }
        let place = place::split(place.unwrap_or_default().trim_start());
        let function = function.strip_suffix("(...)").unwrap_or(function);
        frames.push(Frame {
            function: place::some(function),
            file: place::some(place.file),
            line: place.line,
            in_app: !is_standard(function) && !is_library(place.file),
            ..Frame::default()
        });
    }
    (!frames.is_empty()).then_some(frames)
}

fn finished(section: Section, name: &str) -> Section {
    let mut section = section.trimmed();
    section.name = name.to_owned();
    if let Some(message) = &mut section.message
        && message.ends_with(']')
        && let Some(at) = message.rfind(RECOVERED)
    {
        message.truncate(at);
    }
    section
}

/// The frames of the goroutine that failed: the first one that is running. The
/// runtime's own stack comes before it, others behind it.
fn frames<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut created = false;
    let mut own_stack = false;
    // Whether the last function is of the standard library.
    let mut standard = false;
    for line in lines {
        if is_header(line.as_bytes()) {
            if own_stack {
                frames.clear();
            } else if !frames.is_empty() {
                break;
            }
            own_stack = line.starts_with("runtime stack:");
            created = false;
        } else if let Some(place) = line.strip_prefix('\t') {
            let place = place.cut(" +0x").map_or(place, |(place, _)| place);
            let place = place::split(place);
            if let Some(frame) = frames.last_mut().filter(|_| !created) {
                let frame: &mut Frame = frame;
                frame.file = place::some(place.file);
                frame.line = place.line;
                frame.in_app = !standard && !is_library(place.file);
            }
        } else if line.starts_with("created by ") {
            created = true;
        } else if is_function(line.as_bytes()) {
            let function = line.rcut("(").map_or(line, |(name, _)| name);
            standard = is_standard(function);
            frames.push(Frame {
                in_app: !standard,
                function: place::some(function),
                ..Frame::default()
            });
        }
    }
    frames
}

/// `goroutine 1 [running]:`
fn is_header(line: &[u8]) -> bool {
    line == b"runtime stack:"
        || line.strip_prefix(b"goroutine ").is_some_and(|rest| {
            rest.first().is_some_and(u8::is_ascii_digit) && rest.ends_with(b"]:")
        })
}

/// `main.(*Till).Close(0x12, ...)`
fn is_function(line: &[u8]) -> bool {
    let first = line.first().copied().unwrap_or_default();
    line.ends_with(b")")
        && (first.is_ascii_alphabetic() || first == b'_')
        && line
            .iter()
            .position(|&byte| byte == b'(')
            .is_some_and(|open| !line[..open].contains(&b' '))
}

/// `rax    0x0`: what a runtime that was hit by a signal prints last.
fn is_register(line: &[u8]) -> bool {
    line.iter()
        .position(|&byte| byte == b' ')
        .is_some_and(|blank| blank <= 6 && line[blank..].trim_ascii_start().starts_with(b"0x"))
}

/// Directories of the standard library, as its packages begin.
const STANDARD: [&str; 48] = [
    "archive",
    "arena",
    "bufio",
    "builtin",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
];

fn is_standard(function: &str) -> bool {
    let package = function
        .bytes()
        .position(|byte| matches!(byte, b'/' | b'.'))
        .and_then(|end| function.get(..end))
        .unwrap_or(function);
    function == "panic" || package != "main" && STANDARD.binary_search(&package).is_ok()
}

fn is_library(file: &str) -> bool {
    place::is_package(file)
        || file.has("/pkg/mod/")
        || file.has("/usr/lib/go")
        || file.has("/usr/local/go/")
}
