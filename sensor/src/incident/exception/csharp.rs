//! C# and its kin: exceptions of .NET and of Mono, nested and aggregated.

use super::{
    Begin, Cause, Exception, ExceptionParser, First, Frame, Language, Next, Relation, Sign, State,
    finish::Section,
    head::{self, Look},
    place,
};
use crate::incident::find::Find;

pub struct CSharp;

/// A message.
const MESSAGE: u32 = 0;
/// As `MESSAGE`, where only a frame may follow.
const BARE_HEAD: u32 = 1;
/// Frames.
const FRAMES: u32 = 2;
/// Nothing but `Unhandled Exception:`.
const ANNOUNCED: u32 = 3;

const INNER: &str = "---> ";
const MEMBER: &str = "---> (Inner Exception #";
const INNER_END: &str = "--- End of inner exception stack trace ---";

/// What stands before an exception that nobody caught.
const UNHANDLED: [&str; 4] = [
    "Unhandled exception. ",
    "Unhandled Exception: ",
    "Unhandled exception: ",
    "[ERROR] FATAL UNHANDLED EXCEPTION: ",
];

impl ExceptionParser for CSharp {
    fn language(&self) -> Language {
        Language::CSharp
    }

    fn signs(&self) -> &'static [Sign] {
        &[
            Sign::Class,
            Sign::Label,
            Sign::Text("Unhandled exception"),
            Sign::Text("Unhandled Exception"),
            Sign::Text("UNHANDLED EXCEPTION"),
        ]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let text = line.text()?;
        let state = |part| State { part, number: 0 };
        if text.trim_end() == "Unhandled Exception:" {
            return Some(Begin::Likely(state(ANNOUNCED)));
        }
        if let Some(rest) = unhandled(text) {
            let look = head::look(rest.as_bytes())?;
            return Some(match look {
                Look::Class => Begin::Sure(state(MESSAGE)),
                Look::Word => Begin::Likely(state(MESSAGE)),
            });
        }
        match line.look() {
            Some(Look::Class) => Some(Begin::Likely(state(MESSAGE))),
            Some(Look::Word) if head::has_word(text) => Some(Begin::Maybe(state(MESSAGE))),
            Some(Look::Word) => Some(Begin::Maybe(state(BARE_HEAD))),
            None => line.labelled().map(|_| Begin::Maybe(state(MESSAGE))),
        }
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        let text = line.trim_ascii();
        if text.starts_with(b"at ") && (is_frame(text) || state.part == FRAMES && is_lambda(text)) {
            state.part = FRAMES;
            return Next::Part;
        }
        if text.starts_with(b"--- End of ") && state.part == FRAMES {
            return Next::Part;
        }
        if let Some(rest) = text.strip_prefix(INNER.as_bytes()) {
            let member = rest.starts_with(b"(Inner Exception #");
            if member || head::look(rest).is_some() {
                state.part = MESSAGE;
                return Next::Part;
            }
        }
        match state.part {
            ANNOUNCED if head::look(line).is_some() => {
                state.part = MESSAGE;
                Next::Part
            }
            MESSAGE => Next::Maybe,
            FRAMES if text.is_empty() => Next::Maybe,
            FRAMES if text == b"<---" => Next::Part,
            _ => Next::No,
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let mut lines = text.rows();
        let first = lines.next()?;
        let first = if first.trim_end() == "Unhandled Exception:" {
            lines.next()?
        } else {
            first
        };
        let first = unhandled(first).unwrap_or(first);
        let first = match head::look(first.as_bytes()) {
            // `Error: `, too, is a word here: the types of .NET have dots.
            Some(_) => head::without_word(first),
            None => first.get(head::labelled(first.as_bytes())?..)?,
        };
        let mut reader = Reader::default();
        reader.begin(first, Relation::Cause);
        for line in lines {
            reader.line(line);
        }
        Some(reader.finish())
    }
}

fn unhandled(line: &str) -> Option<&str> {
    UNHANDLED.iter().find_map(|start| line.strip_prefix(start))
}

#[derive(Default)]
struct Reader {
    sections: Vec<(Section, Relation)>,
    /// Those whose frames are still to come, innermost last.
    open: Vec<usize>,
    message: bool,
}

impl Reader {
    /// `Type: message`, on the line of which inner ones may follow.
    fn begin(&mut self, line: &str, relation: Relation) {
        let mut relation = relation;
        let mut rest = Some(line);
        while let Some(line) = rest {
            let (this, inner) = inner(line);
            rest = inner;
            let section = head::split(this).map(Section::of).unwrap_or_default();
            let aggregate = section.name.ends_with("AggregateException");
            self.open.push(self.sections.len());
            self.sections.push((section, relation));
            relation = if aggregate {
                Relation::Member
            } else {
                Relation::Cause
            };
        }
        self.message = true;
    }

    fn line(&mut self, line: &str) {
        let text = line.trim();
        let bytes = text.as_bytes();
        if text.starts_with("at ") && (is_frame(bytes) || !self.message && is_lambda(bytes)) {
            self.message = false;
            if let Some(section) = self.top() {
                section.frames.push(frame(text.trim_end_matches(" <---")));
            }
        } else if let Some(rest) = text.strip_prefix(MEMBER) {
            // Behind the frames of the whole.
            self.open.truncate(1);
            self.begin(
                rest.cut(") ").map_or(rest, |(_, rest)| rest),
                Relation::Member,
            );
        } else if let Some(rest) = text
            .strip_prefix(INNER)
            .filter(|rest| head::split(rest).is_some())
        {
            let aggregate = self
                .top()
                .is_some_and(|outer| outer.name.ends_with("AggregateException"));
            let relation = if aggregate {
                Relation::Member
            } else {
                Relation::Cause
            };
            self.begin(rest, relation);
        } else if text == INNER_END {
            if self.open.len() > 1 {
                self.open.pop();
            }
            self.message = false;
        } else if text.starts_with("--- End of ") {
            self.message = false;
        } else if self.message {
            let (this, inner) = inner(line);
            if let Some(section) = self.top() {
                section.add_line(this);
            }
            if let Some(inner) = inner {
                self.begin(inner, Relation::Cause);
            }
        }
    }

    fn top(&mut self) -> Option<&mut Section> {
        let index = *self.open.last()?;
        self.sections.get_mut(index).map(|(section, _)| section)
    }

    fn finish(self) -> Exception {
        let mut sections = self.sections.into_iter();
        let (first, _) = sections
            .next()
            .unwrap_or((Section::default(), Relation::Cause));
        let first = first.trimmed();
        let mut causes: Vec<Cause> = Vec::new();
        for (section, relation) in sections {
            let cause = Cause::of(section.trimmed(), relation);
            // Mono prints the first member a second time.
            let again = |known: &Cause| known.name == cause.name && known.frames == cause.frames;
            if relation != Relation::Member || !causes.iter().any(again) {
                causes.push(cause);
            }
        }
        Exception {
            message: first.message,
            frames: first.frames,
            causes,
            ..Exception::new(Language::CSharp, first.name)
        }
    }
}

/// The line up to ` ---> Type: message`, and from the type on.
fn inner(line: &str) -> (&str, Option<&str>) {
    match line.cut(" ---> ") {
        Some((this, inner)) if head::look(inner.as_bytes()) == Some(Look::Class) => {
            (this, Some(inner))
        }
        _ => (line, None),
    }
}

/// `at Space.Class.Method(Type name) in FILE:line N`; Mono has a blank before
/// the bracket, and an offset behind it.
fn is_frame(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"at ") else {
        return false;
    };
    if rest.starts_with(b"(wrapper ") {
        return true;
    }
    let Some(open) = rest.iter().position(|&byte| byte == b'(') else {
        return false;
    };
    let Some(close) = rest.iter().rposition(|&byte| byte == b')') else {
        return false;
    };
    let (name, behind) = (&rest[..open], &rest[close + 1..]);
    let arguments = rest.get(open + 1..close).unwrap_or_default();
    if name.ends_with(b" ") {
        return behind.starts_with(b" [0x");
    }
    let java = matches!(arguments, b"Native Method" | b"Unknown Source")
        || arguments.contains(&b':')
        || !arguments.contains(&b' ') && arguments.contains(&b'.');
    name.contains(&b'.')
        && !java
        && (behind.is_empty()
            || behind.starts_with(b" in ")
            || behind == b" <---"
            || behind == b"<---")
}

/// `at lambda_method7(Closure, Object)`: a frame only among others.
fn is_lambda(line: &[u8]) -> bool {
    line.ends_with(b")") && !line[3..].starts_with(b"(") && !line.contains(&b':')
}

fn frame(line: &str) -> Frame {
    let rest = line.strip_prefix("at ").unwrap_or(line);
    let rest = rest.trim_end_matches("<---").trim_end();
    let (call, place) = match rest.rcut(" in ") {
        Some((call, place)) if call.ends_with([')', ']']) => (call, place),
        _ => (rest, ""),
    };
    let wrapper = if call.starts_with("(wrapper ") {
        call.place(") ").map_or(0, |at| at + 2)
    } else {
        0
    };
    let function = call[wrapper..]
        .place("(")
        .map_or(call, |open| &call[..wrapper + open])
        .trim_end();
    let (file, line) = match place.rcut(":line ") {
        Some((file, line)) => (file, place::number(line.trim())),
        None => match place.trim_end().rcut(":") {
            // Mono: a hash and a 0 where it does not know.
            Some((file, _)) if file.starts_with('<') => ("", None),
            Some((file, line)) => (file, place::number(line)),
            None => ("", None),
        },
    };
    Frame {
        module: None,
        in_app: !is_library(function) && !place::is_package(file),
        function: place::some(function),
        file: place::some(file),
        line,
        column: None,
    }
}

fn is_library(function: &str) -> bool {
    [
        "System.",
        "Microsoft.",
        "Mono.",
        "MS.",
        "Windows.",
        "Internal.",
        "(wrapper ",
    ]
    .iter()
    .any(|start| function.starts_with(start))
}
