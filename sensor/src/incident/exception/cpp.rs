//! C and C++: what `std::terminate` says, in libstdc++ and in libc++, and the
//! `assert` of glibc.

use super::{
    Begin, Exception, ExceptionParser, First, Frame, Language, Next, Sign, State, finish::Section,
    place, prose::may_be_message,
};
use crate::incident::find::Find;

pub struct Cpp;

/// After the first line.
const BEGUN: u32 = 0;
/// After `what():`, whose end nothing marks.
const MESSAGE: u32 = 1;

const INSTANCE: &str = "terminate called after throwing an instance of '";
const WHAT: &str = "  what():  ";
const INACTIVE: &str = "terminate called without an active exception";
const RECURSIVE: &str = "terminate called recursively";
const ASSERTION: &str = ": Assertion `";
const LIBCXX: &str = "exception of type ";

impl ExceptionParser for Cpp {
    fn language(&self) -> Language {
        Language::Cpp
    }

    fn signs(&self) -> &'static [Sign] {
        &[
            Sign::Text("terminate called "),
            Sign::Text("terminating"),
            Sign::Text("Assertion `"),
        ]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let state = State {
            part: BEGUN,
            number: 0,
        };
        let text = line.text()?;
        let named = text.starts_with(INSTANCE)
            || text == INACTIVE
            || text == RECURSIVE
            || assertion(text).is_some()
            || libcxx(text).is_some();
        named.then_some(Begin::Sure(state))
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        if is_abort(line) {
            return Next::Last;
        }
        if line.starts_with(WHAT.as_bytes()) {
            state.part = MESSAGE;
            return Next::Part;
        }
        if line == RECURSIVE.as_bytes() {
            return Next::Part;
        }
        match state.part {
            MESSAGE if line.trim_ascii().is_empty() => Next::Maybe,
            MESSAGE if may_be_message(line) => Next::Weak,
            _ => Next::No,
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let mut lines = text.rows();
        let first = lines.next()?;
        if let Some((message, frame)) = assertion(first) {
            return Some(Exception {
                message: place::some(message),
                frames: vec![frame],
                ..Exception::new(Language::Cpp, "assertion")
            });
        }
        let (name, message) = if let Some(rest) = first.strip_prefix(INSTANCE) {
            (rest.trim_end_matches('\''), None)
        } else if let Some((name, message)) = libcxx(first).flatten() {
            (name, message)
        } else {
            ("terminate", Some(first))
        };
        let mut section = Section {
            name: name.to_owned(),
            message: message.map(str::to_owned),
            ..Section::default()
        };
        for line in lines {
            if let Some(what) = line.strip_prefix(WHAT) {
                section.message = Some(what.to_owned());
            } else if !is_abort(line.as_bytes()) && line != RECURSIVE {
                section.add_line(line);
            }
        }
        let section = section.trimmed();
        Some(Exception {
            message: section.message,
            ..Exception::new(Language::Cpp, section.name)
        })
    }
}

/// The message and the place of
/// ``till: till.c:12: take: Assertion `open' failed.``
fn assertion(line: &str) -> Option<(&str, Frame)> {
    let message = line.place(ASSERTION)? + ": ".len();
    let (before, text) = line.split_at_checked(message)?;
    let before = before.strip_suffix(": ")?;
    // A function of C++ has its parameters, and a namespace its colons.
    let (program, rest) = before.cut(": ")?;
    let (place, function) = rest.cut(": ")?;
    let place = place::split(place);
    let whole = text.trim_end().ends_with("' failed.") && !program.has(" ");
    let frame = Frame {
        function: place::some(function.cut("(").map_or(function, |(name, _)| name)),
        file: place::some(place.file),
        line: Some(place.line?),
        in_app: !place::is_package(place.file),
        ..Frame::default()
    };
    whole.then_some((text.trim_end(), frame))
}

/// `libc++abi: terminating due to uncaught exception of type T: message`: the
/// type and the message, or neither.
#[expect(clippy::option_option, reason = "whether it is one, and what it says")]
fn libcxx(line: &str) -> Option<Option<(&str, Option<&str>)>> {
    let rest = match line.cut(": ") {
        Some((library, rest)) if library.starts_with("libc++abi") => rest,
        _ if line.has(LIBCXX) => line,
        _ => return None,
    };
    if !rest.starts_with("terminating") {
        return None;
    }
    let Some((_, named)) = rest.cut(LIBCXX) else {
        return Some(None);
    };
    // A type may have colons itself.
    Some(Some(match named.cut(": ") {
        Some((name, message)) => (name, Some(message)),
        None => (named.trim_end(), None),
    }))
}

/// `Aborted (core dumped)`, also as a shell says it.
fn is_abort(line: &[u8]) -> bool {
    if line.starts_with(b"Aborted") || line.starts_with(b"Abort trap") {
        return true;
    }
    // `bash: line 1: 4711 Aborted                 ./till`
    std::str::from_utf8(line).is_ok_and(|text| {
        text.cut(" Aborted ")
            .and_then(|(before, _)| before.rsplit([' ', ':']).next())
            .is_some_and(|pid| !pid.is_empty() && place::number(pid).is_some())
    })
}
