//! Ruby: what the interpreter prints, with the quotes of before and after 3.4,
//! the reversed order of 2.5 to 2.7 on terminals, and what Logger and Rails
//! make of an exception.

use super::{
    Begin, Cause, Exception, ExceptionParser, First, Frame, Language, Next, Relation, Sign, State,
    before,
    finish::Section,
    place::{self, Place, number},
    prose::may_be_message,
};
use crate::incident::find::Find;

pub struct Ruby;

/// The message, which nothing ends for sure.
const MESSAGE: u32 = 0;
/// Blank lines in it.
const BLANK: u32 = 1;
/// `from` lines.
const FROM: u32 = 2;
/// The outermost frame comes first.
const REVERSED: u32 = 3;
/// Frames are expected that have no `from`.
const BARE: u32 = 4;
/// They have begun.
const BARE_FRAMES: u32 = 5;

/// What error_highlight and did_you_mean add; the message was before.
const HINTS: u32 = 6;

/// What the interpreter itself raises, always with one line.
const ONE_LINE: [&str; 9] = [
    "FiberError",
    "FloatDomainError",
    "FrozenError",
    "LocalJumpError",
    "NameError",
    "NoMethodError",
    "SystemStackError",
    "UncaughtThrowError",
    "ZeroDivisionError",
];

const TRACEBACK: &str = "Traceback (most recent call last):";

impl ExceptionParser for Ruby {
    fn language(&self) -> Language {
        Language::Ruby
    }

    fn signs(&self) -> &'static [Sign] {
        &[
            Sign::Text(":in `"),
            Sign::Text(":in '"),
            Sign::Text("(SyntaxError)"),
            Sign::Text("Error)"),
            Sign::Text("Error ("),
            Sign::Text("Exception)"),
            Sign::Text("Exception ("),
            Sign::Text("NotFound ("),
            Sign::Class,
            Sign::Text(TRACEBACK),
        ]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let text = line.text()?;
        let state = |part, number| State { part, number };
        if text.trim_end() == TRACEBACK {
            return Some(Begin::Likely(state(REVERSED, 0)));
        }
        if let Some(head) = head(text) {
            let rescued = u32::from(is_rescue(head.frame.function.as_deref()));
            let state = state(head.part(), rescued);
            // Ruby does not indent it, but who quotes it does.
            let quoted = text.starts_with([' ', '\t']);
            return Some(if quoted {
                Begin::Likely(state)
            } else {
                Begin::Sure(state)
            });
        }
        let (tags, rest) = tags(text);
        // Only Rails puts them before the frames, too.
        let number = match rails(rest) {
            Some(_) => before::number(tags.as_bytes())?,
            None => split_type(text).or_else(|| named(text)).map(|_| 0)?,
        };
        Some(Begin::Maybe(state(BARE, number)))
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        let Ok(text) = std::str::from_utf8(line) else {
            return Next::No;
        };
        match state.part {
            REVERSED => {
                let from =
                    text.trim_start_matches(|c: char| c.is_whitespace() || c.is_ascii_digit());
                if from.starts_with(": from ") || is_from(text) {
                    return Next::Part;
                }
                if let Some(head) = head(text) {
                    state.part = head.part();
                    return Next::Part;
                }
                Next::No
            }
            BARE | BARE_FRAMES if state.number != 0 => {
                let Some(rest) = before::without(state.number, line) else {
                    return Next::No;
                };
                let mut inner = State {
                    number: 0,
                    ..*state
                };
                let next = self.goes_on(&mut inner, rest);
                state.part = inner.part;
                next
            }
            // Rails shows the lines of the template.
            BARE if text.trim().is_empty() || is_excerpt(text) => Next::Maybe,
            BARE | BARE_FRAMES => {
                let bare = bare(text).is_some();
                state.part = BARE_FRAMES;
                if bare { Next::Part } else { Next::No }
            }
            _ => interpreter(state, text),
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let (tags, first) = tags(text.rows().next()?);
        if !tags.is_empty() && rails(first).is_some() {
            let lines = text.rows();
            let lines = lines.map(|line| match line == tags.trim_end() {
                true => "",
                false => line.strip_prefix(tags).unwrap_or(line),
            });
            return self.parse(&lines.collect::<Vec<_>>().join("\n"));
        }
        let mut sections: Vec<Section> = Vec::new();
        let mut reversed = Vec::new();
        // What a logger made of it has no message but in its first line.
        let by_logger = text
            .rows()
            .next()
            .is_some_and(|line| head(line).is_none() && logged(line).is_some());
        for line in text.rows() {
            if line.trim_end() == TRACEBACK {
                continue;
            }
            if let Some(head) = head(line) {
                let mut frames = vec![head.frame];
                // Printed before their head, outermost first.
                frames.extend(reversed.drain(..).rev());
                sections.push(Section {
                    name: head.name.to_owned(),
                    message: head.message.map(str::to_owned),
                    frames,
                    ..Section::default()
                });
            } else if let Some(frame) = from(line) {
                match sections.last_mut() {
                    Some(open) => open.frames.push(frame),
                    None => reversed.push(frame),
                }
            } else if let Some(open) = sections.last_mut() {
                let more = match frame(line) {
                    Some((frame, rest)) => rest.is_empty().then_some(frame),
                    None if by_logger => bare(line),
                    None => None,
                };
                match more {
                    Some(frame) => open.frames.push(frame),
                    None if is_elision(line) || by_logger && is_excerpt(line) => {}
                    None => open.add_line(line),
                }
            } else if let Some((name, message)) = logged(line) {
                // Logger's own prefix: `E, [time #pid] ERROR -- prog: `.
                let message = message
                    .cut(" -- ")
                    .and_then(|(_, rest)| rest.cut(": "))
                    .map_or(message, |(_, message)| message);
                sections.push(Section {
                    name: name.to_owned(),
                    message: place::some(message),
                    ..Section::default()
                });
            }
        }
        let mut sections = sections.into_iter().map(Section::trimmed);
        let Some(section) = sections.next() else {
            // A text that was cut before the line that names the exception.
            reversed.reverse();
            return (!reversed.is_empty()).then(|| Exception {
                frames: reversed,
                ..Exception::new(Language::Ruby, "")
            });
        };
        Some(Exception {
            message: section.message,
            frames: section.frames,
            causes: sections
                .map(|cause| Cause::of(cause, Relation::Cause))
                .collect(),
            ..Exception::new(Language::Ruby, section.name)
        })
    }
}

/// A line behind the first one of what the interpreter prints.
fn interpreter(state: &mut State, line: &str) -> Next {
    if is_from(line) || is_elision(line) {
        state.number |= u32::from(line.has("rescue in ") || line.has("ensure in "));
        state.part = FROM;
        return Next::Part;
    }
    // A cause is printed behind what it caused, and like it. What was raised
    // while nothing was rescued has none: then this is another trace.
    if let Some(head) = head(line) {
        if state.number == 0 {
            return Next::No;
        }
        state.number = u32::from(is_rescue(head.frame.function.as_deref()));
        state.part = head.part();
        return Next::Part;
    }
    match state.part {
        MESSAGE | BLANK if line.trim().is_empty() => {
            state.part = BLANK;
            Next::Maybe
        }
        BLANK if is_carets(line) || line.starts_with("Did you mean?") => {
            state.part = HINTS;
            Next::Part
        }
        HINTS if line.starts_with("Did you mean?") || line.starts_with("  ") => Next::Part,
        HINTS if line.is_empty() => Next::Maybe,
        BLANK => Next::Maybe,
        MESSAGE if may_be_message(line.as_bytes()) => Next::Weak,
        _ => Next::No,
    }
}

/// `FILE:LINE:in 'function': message (Type)`, split.
struct Head<'a> {
    frame: Frame,
    name: &'a str,
    message: Option<&'a str>,
}

impl Head<'_> {
    /// What comes behind it.
    fn part(&self) -> u32 {
        let whole = ONE_LINE.contains(&self.name) || self.name.starts_with("Errno::");
        match self.message {
            None => FROM,
            Some(_) if whole => BLANK,
            Some(_) => MESSAGE,
        }
    }
}

fn head(line: &str) -> Option<Head<'_>> {
    let (frame, rest) = frame(line).or_else(|| syntax_error(line))?;
    let rest = rest.strip_prefix(": ")?;
    if rest == "unhandled exception" {
        return Some(Head {
            frame,
            name: "RuntimeError",
            message: None,
        });
    }
    let (name, message) = split_type(rest).or_else(|| {
        // Without a message there is only the class.
        let anonymous = rest.starts_with("#<Class:") && rest.ends_with('>');
        (anonymous || is_constant(rest)).then_some((rest, ""))
    })?;
    Some(Head {
        frame,
        name,
        message: (!message.is_empty() && message != name).then_some(message),
    })
}

/// The type and the rest of `message (Type)`.
fn split_type(line: &str) -> Option<(&str, &str)> {
    let (message, name) = line.strip_suffix(')')?.rcut("(")?;
    let message = message.trim_end();
    let anonymous = name.starts_with("#<Class:") && name.ends_with('>');
    (is_constant(name) || anonymous).then_some((name, message))
}

/// What loggers and programs make of an exception, the frames below it.
fn logged(line: &str) -> Option<(&str, &str)> {
    rails(line)
        .or_else(|| split_type(line))
        .or_else(|| named(line))
}

/// `Type: message`, as programs put it together.
fn named(line: &str) -> Option<(&str, &str)> {
    let (name, message) = line.cut(": ")?;
    is_constant(name).then_some((name, message))
}

/// Rails: `Type (message):`.
fn rails(line: &str) -> Option<(&str, &str)> {
    let (name, message) = line.trim_end().strip_suffix("):")?.cut(" (")?;
    is_constant(name).then_some((name, message))
}

/// The tags that Rails puts before every line, `[6b2ad8c1] [shop] `, and the
/// rest.
fn tags(line: &str) -> (&str, &str) {
    let mut rest = line;
    while let Some((tag, behind)) = rest.strip_prefix('[').and_then(|rest| rest.cut("] "))
        && !tag.is_empty()
        && !tag.contains(['[', ']'])
    {
        rest = behind;
    }
    line.split_at(line.len() - rest.len())
}

/// `Till::Unpaid`
fn is_constant(name: &str) -> bool {
    name.split("::").all(|part| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// `FILE:LINE:in 'function'`, and what follows.
fn frame(line: &str) -> Option<(Frame, &str)> {
    let at = line.place(":in `").or_else(|| line.place(":in '"))?;
    let (file, digits) = line[..at].trim_start().rcut(":")?;
    let number = number(digits)?;
    let rest = &line[at + ":in `".len()..];
    // A name may have quotes itself only in theory.
    let end = rest.place("'").or_else(|| rest.place("`"))?;
    let place = Place {
        file,
        line: Some(number),
        column: None,
    };
    Some((of(place, &rest[..end]), &rest[end + 1..]))
}

/// A frame alone on its line, in files of Ruby also without a function.
fn bare(line: &str) -> Option<Frame> {
    if let Some((frame, rest)) = frame(line) {
        return rest.is_empty().then_some(frame);
    }
    let place = place::split(line.trim_start());
    let known = [".rb", ".erb", ".haml", ".slim", ".jbuilder", ".rake", ".ru"]
        .iter()
        .any(|ending| place.file.ends_with(ending));
    (known && place.line.is_some() && place.column.is_none() && !place.file.has(" "))
        .then(|| of(place, ""))
}

/// The frames of a text that has nothing else.
pub(super) fn frames(text: &str) -> Option<Vec<Frame>> {
    let mut frames = Vec::new();
    for line in text.rows().filter(|line| !line.trim().is_empty()) {
        if !is_elision(line) {
            frames.push(from(line).or_else(|| bare(line))?);
        }
    }
    (!frames.is_empty()).then_some(frames)
}

/// `    1: <p>`
fn is_excerpt(line: &str) -> bool {
    let text = line.trim_start();
    text.len() < line.len()
        && place::leading_number(text).is_some_and(|(_, rest)| rest.starts_with(':'))
}

/// `FILE:LINE: message (SyntaxError)` has no function.
fn syntax_error(line: &str) -> Option<(Frame, &str)> {
    if !line.ends_with("(SyntaxError)") {
        return None;
    }
    let at = line.place(": ")?;
    let place = place::split(&line[..at]);
    place.line?;
    Some((of(place, ""), &line[at..]))
}

fn of(place: Place<'_>, function: &str) -> Frame {
    Frame {
        function: place::some(function),
        module: None,
        in_app: !is_library(place.file),
        file: place::some(place.file),
        line: place.line,
        column: None,
    }
}

/// `\tfrom FILE:LINE:in 'function'`, also with a number before it.
fn from(line: &str) -> Option<Frame> {
    let start = line.place("from ")?;
    let before = line[..start].trim().trim_end_matches(':');
    if start == 0 || !before.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let rest = &line[start + "from ".len()..];
    match frame(rest) {
        Some((frame, _)) => Some(frame),
        // Frames at the top of old rubies have no function.
        None => {
            let place = place::split(rest);
            place.line.map(|_| of(place, ""))
        }
    }
}

fn is_from(line: &str) -> bool {
    line.starts_with([' ', '\t']) && line.trim_start().starts_with("from ") && from(line).is_some()
}

/// ` ... 10068 levels...`
fn is_elision(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("... ") && line.ends_with(" levels...")
}

fn is_carets(line: &str) -> bool {
    line.has("^") && line.bytes().all(|byte| b" ^~\t".contains(&byte))
}

fn is_rescue(function: Option<&str>) -> bool {
    function.is_some_and(|name| name.starts_with("rescue in ") || name.starts_with("ensure in "))
}

fn is_library(file: &str) -> bool {
    place::is_package(file)
        || file.starts_with("<internal:")
        || file.starts_with("/usr/lib/ruby/")
        || file.has("/lib/ruby/")
        || file.has("/vendor_ruby/")
}
