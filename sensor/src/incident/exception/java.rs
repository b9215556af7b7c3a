//! Java, Kotlin and Scala: `Throwable.printStackTrace`, and what log4j and
//! logback make of it (packages behind frames, root cause first).

use std::ops::Range;

use super::{
    Begin, Cause, Exception, ExceptionParser, First, Frame, Language, Next, Relation, Sign, State,
    finish::Section,
    head::{self, Look},
    place,
};
use crate::incident::find::{self, Find};

pub struct Java;

/// Lines before the first frame: a message, if anything.
const HEAD: u32 = 0;
/// As `HEAD`, where only a frame may follow.
const BARE_HEAD: u32 = 1;
/// Within the frames.
const FRAMES: u32 = 2;
/// After `Caused by:` and its like.
const MESSAGE: u32 = 3;

const THREAD: &str = "Exception in thread \"";
const HANDLER: &str = "Exception: ";
const HANDLER_END: &str = " thrown from the UncaughtExceptionHandler in thread ";

impl ExceptionParser for Java {
    fn language(&self) -> Language {
        Language::Java
    }

    fn signs(&self) -> &'static [Sign] {
        &[
            Sign::Class,
            Sign::Indented,
            Sign::Label,
            Sign::Text(THREAD),
            Sign::Text(HANDLER_END),
        ]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let part = |part| State { part, number: 0 };
        if line.starts_with(THREAD.as_bytes()) {
            return Some(Begin::Sure(part(MESSAGE)));
        }
        if line.starts_with(HANDLER.as_bytes()) && contains(line, HANDLER_END.as_bytes()) {
            return Some(Begin::Sure(part(FRAMES)));
        }
        match line.look() {
            // Tomcat indents the whole trace; so are lines of other traces.
            Some(_) if line.starts_with(b"\t") => Some(Begin::Maybe(part(HEAD))),
            Some(Look::Class) => Some(Begin::Likely(part(HEAD))),
            Some(Look::Word) => {
                let worded = head::has_word(line.text()?);
                Some(Begin::Maybe(part(if worded { HEAD } else { BARE_HEAD })))
            }
            None => line.labelled().map(|_| Begin::Maybe(part(HEAD))),
        }
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        let text = line.trim_ascii_start();
        if is_frame(text) || is_more(text) || text.starts_with(b"[CIRCULAR REFERENCE") {
            state.part = FRAMES;
            return Next::Part;
        }
        if let Some((_, rest)) = link(text)
            && (head::look(rest).is_some() || rest.starts_with(b"[CIRCULAR REFERENCE"))
        {
            state.part = MESSAGE;
            return Next::Part;
        }
        match state.part {
            HEAD | MESSAGE => Next::Maybe,
            _ => Next::No,
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let mut lines = text.rows();
        let indent = usize::from(text.starts_with('\t'));
        let mut open = Part {
            link: None,
            deep: false,
            section: first(lines.next()?)?,
        };
        let mut parts = Vec::new();
        // Whether the lines still belong to the message.
        let mut message = true;
        for line in lines {
            let trimmed = line.trim_ascii_start();
            if let Some((name, place)) = frame_parts(trimmed.as_bytes()) {
                message = false;
                let parts = (&trimmed[name], &trimmed[place]);
                open.section.frames.push(frame(parts));
                continue;
            }
            if is_more(trimmed.as_bytes()) {
                message = false;
                continue;
            }
            if let Some((link, rest)) = link(trimmed.as_bytes()) {
                let rest = &trimmed[trimmed.len() - rest.len()..];
                if let Some(head) = head::split(rest) {
                    let next = Part {
                        link: Some(link),
                        deep: trimmed.len() + indent < line.len(),
                        section: Section::of(head),
                    };
                    parts.push(std::mem::replace(&mut open, next));
                    message = true;
                    continue;
                }
                if rest.starts_with("[CIRCULAR REFERENCE") {
                    continue;
                }
            }
            if message {
                open.section.add_line(line);
            }
        }
        if parts.is_empty() {
            return Some(alone(open.section.trimmed()));
        }
        parts.push(open);
        Some(put_together(parts))
    }
}

/// An exception of the text, and how it was announced.
struct Part {
    link: Option<Link>,
    /// Whether it belongs to one that was put aside.
    deep: bool,
    section: Section,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Cause,
    Suppressed,
    /// Root cause first: the next one is the result.
    Wraps,
}

fn put_together(mut parts: Vec<Part>) -> Exception {
    // The last one that wraps is the incident, those before are its causes.
    let last = parts
        .iter()
        .rposition(|part| part.link == Some(Link::Wraps))
        .unwrap_or(0);
    let mut own = parts.split_off(last).into_iter();
    let section = own.next().map(|part| part.section).unwrap_or_default();
    let section = section.trimmed();
    let (deep, mut chain): (Vec<Part>, Vec<Part>) =
        own.partition(|part| part.deep || part.link == Some(Link::Suppressed));
    chain.splice(0..0, parts.into_iter().rev());
    chain.extend(deep);
    let causes = chain.into_iter().map(|part| {
        let relation = match part.link {
            Some(Link::Suppressed) => Relation::Suppressed,
            _ => Relation::Cause,
        };
        Cause::of(part.section.trimmed(), relation)
    });
    Exception {
        causes: causes.collect(),
        ..alone(section)
    }
}

/// One without causes.
fn alone(section: Section) -> Exception {
    Exception {
        message: section.message,
        frames: section.frames,
        ..Exception::new(Language::Java, section.name)
    }
}

/// The exception of the first line.
fn first(line: &str) -> Option<Section> {
    if let Some(rest) = line.strip_prefix(THREAD) {
        // The name of the thread may have quotes as well.
        let mut rest = rest;
        while let Some((_, behind)) = rest.cut("\" ") {
            if let Some(head) = head::split(behind) {
                return Some(Section::of(head));
            }
            rest = behind;
        }
        // A class may print itself as it likes: `Unpaid[till 7]`.
        let (_, shown) = line.strip_prefix(THREAD)?.cut("\" ")?;
        let (name, _) = shown.split_at_checked(head::name_end(shown.as_bytes()))?;
        return (!name.is_empty()).then(|| Section {
            name: name.to_owned(),
            message: place::some(shown),
            ..Section::default()
        });
    }
    if let Some((name, _)) = line
        .strip_prefix(HANDLER)
        .and_then(|rest| rest.cut(HANDLER_END))
    {
        return head::split(name).map(Section::of);
    }
    if head::look(line.as_bytes()).is_none() {
        let start = head::labelled(line.as_bytes())?;
        return head::split(line.get(start..)?).map(Section::of);
    }
    head::split(head::without_word(line)).map(Section::of)
}

/// `Caused by: ` and its like, and the rest.
fn link(line: &[u8]) -> Option<(Link, &[u8])> {
    [
        (b"Caused by: ".as_slice(), Link::Cause),
        (b"Suppressed: ", Link::Suppressed),
        (b"Wrapped by: ", Link::Wraps),
    ]
    .into_iter()
    .find_map(|(start, link)| Some((link, line.strip_prefix(start)?)))
}

/// `... 12 more`, `... 12 common frames omitted`.
fn is_more(line: &[u8]) -> bool {
    line.strip_prefix(b"... ").is_some_and(|rest| {
        rest.first().is_some_and(u8::is_ascii_digit)
            && (contains(rest, b" more") || contains(rest, b" omitted"))
    })
}

fn is_frame(line: &[u8]) -> bool {
    frame_parts(line).is_some()
}

/// Where the parts of `at package.Class.method(place)` are: no blank before the
/// bracket, and a place in it, not parameters.
fn frame_parts(line: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
    const START: &[u8] = b"at ";
    let rest = line.strip_prefix(START)?;
    // Packages behind the frame may have brackets of their own.
    let open = if rest.ends_with(b")") {
        find::last(rest, b'(')?
    } else {
        find::first(rest, b'(')?
    };
    let close = open + find::first(&rest[open..], b')')?;
    let (name, place, behind) = (&rest[..open], &rest[open + 1..close], &rest[close + 1..]);
    if name.last().is_none_or(|&byte| byte == b' ')
        || find::first(name, b'.').is_none()
        || !(behind.is_empty() || behind.starts_with(b" [") || behind.starts_with(b" ~["))
    {
        return None;
    }
    let is_place = match place {
        b"Native Method" | b"Unknown Source" | b"SourceFile" => true,
        _ => {
            !place.iter().any(|byte| matches!(byte, b' ' | b',' | b'/'))
                && (find::any(place, b'.', b':') || place.starts_with(b"<"))
        }
    };
    let at = START.len();
    is_place.then_some((at..at + open, at + open + 1..at + close))
}

fn frame((name, place): (&str, &str)) -> Frame {
    let (module, function) = name.rcut(".").unwrap_or(("", name));
    let place = match place {
        "Native Method" | "Unknown Source" => place::split(""),
        place => place::split(place),
    };
    Frame {
        function: place::some(function),
        module: place::some(module),
        file: place::some(place.file),
        line: place.line,
        column: None,
        in_app: !is_library(module),
    }
}

/// Whether the class comes with the platform.
pub fn is_library(module: &str) -> bool {
    // `java.base/java.lang.Thread`, `app//com.example.Main`.
    let (platform, class) = module.rcut("/").unwrap_or(("", module));
    [
        "java.", "javax.", "jakarta.", "jdk.", "sun.", "com.sun.", "kotlin.", "kotlinx.", "scala.",
    ]
    .iter()
    .any(|start| class.starts_with(start) || platform.starts_with(start))
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    line.windows(text.len()).any(|window| window == text)
}
