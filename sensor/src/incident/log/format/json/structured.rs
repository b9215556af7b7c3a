//! Exceptions whose frames are objects: structlog's `dict_tracebacks`, a list
//! of `{exc_type, exc_value, frames: [{filename, lineno, name}]}`, log4j's
//! `thrown`, `{name, message, extendedStackTrace: [{class, method, file,
//! line}], cause: {…}}`, and `{exceptionType, message, frames, causedBy:
//! {exception: {…}}}` of JBoss and Quarkus. Monolog's frames are places:
//! `{class, message, file: "FILE:LINE", trace: ["FILE:LINE"], previous: {…}}`.

use compact_str::CompactString;

use super::{super::bracket::named, node::Node};
use crate::incident::exception::{
    Cause, Exception, Frame, Language, Relation, is_java_library, is_package, is_python_library,
};

/// Most exceptions of one line.
const MOST: usize = 64;

const TYPES: [&str; 6] = [
    "exc_type",
    "type",
    "name",
    "class",
    "exception_type",
    "exceptionType",
];
const MESSAGES: [&str; 4] = ["exc_value", "message", "localizedMessage", "value"];
const FRAMES: [&str; 5] = [
    "frames",
    "extendedStackTrace",
    "stackTrace",
    "stacktrace",
    "stack",
];

/// Reads one exception with its causes. `None` where it has no frames.
#[must_use]
pub fn read(value: &Node<'_>) -> Option<Box<Exception>> {
    let (first, others) = match value {
        Node::List(list) => list.split_first()?,
        one => (one, &[][..]),
    };
    let places = places(first);
    let php = places.is_some();
    let mut frames = places.or_else(|| frames(first))?;
    let python = first.get("exc_type").is_some();
    let mut exception = named(
        first.first(&TYPES)?,
        first.first(&MESSAGES).unwrap_or_default(),
    );
    // Lists of frames alone are not Java's: loggers of other languages have
    // them, too.
    let has_class = |one: &Node<'_>| one.first(&["class", "className"]).is_some();
    let java = |list: &[Node<'_>]| list.iter().any(has_class);
    exception.language = match python {
        true => Language::Python,
        false if php => Language::Php,
        false if list(first).is_some_and(java) => Language::Java,
        false => Language::Unknown,
    };
    // Python's innermost frame comes last.
    if python {
        frames.reverse();
    }
    exception.frames = frames;
    let mut below = behind(first);
    let mut causes: Vec<&Node<'_>> = others.iter().collect();
    while let Some(cause) = below.filter(|_| causes.len() < MOST) {
        causes.push(cause);
        below = behind(cause);
    }
    exception.causes = causes
        .into_iter()
        .filter_map(|one| cause(one, python))
        .collect();
    Some(Box::new(exception))
}

/// The cause of an exception.
fn behind<'a, 'b>(value: &'b Node<'a>) -> Option<&'b Node<'a>> {
    let below = ["cause", "causedBy", "previous"]
        .iter()
        .find_map(|key| value.get(key))?;
    Some(below.get("exception").unwrap_or(below))
}

fn cause(value: &Node<'_>, python: bool) -> Option<Cause> {
    let frames = places(value).or_else(|| frames(value));
    let mut frames = frames.unwrap_or_default();
    if python {
        frames.reverse();
    }
    let context = python && matches!(value.get("is_cause"), Some(Node::Bool(false)));
    Some(Cause {
        name: value.first(&TYPES)?.to_owned(),
        message: value.first(&MESSAGES).map(str::to_owned),
        frames,
        relation: if context {
            Relation::Context
        } else {
            Relation::Cause
        },
    })
}

/// PHP's: where it was thrown, and the places of the calls.
fn places(value: &Node<'_>) -> Option<Vec<Frame>> {
    value.get("class")?.text()?;
    let mut frames = vec![place(value.get("file")?)?];
    if let Some(Node::List(trace)) = value.get("trace") {
        frames.extend(trace.iter().filter_map(place));
    }
    Some(frames)
}

/// `FILE:LINE`
fn place(value: &Node<'_>) -> Option<Frame> {
    let (file, line) = value.text()?.rsplit_once(':')?;
    Some(Frame {
        file: Some(file.into()),
        line: Some(line.parse().ok()?),
        in_app: !is_package(file),
        ..Frame::default()
    })
}

/// The frames of an exception, in the order in which they stand there.
fn frames(value: &Node<'_>) -> Option<Vec<Frame>> {
    list(value)?.iter().map(frame).collect()
}

fn list<'a, 'b>(value: &'b Node<'a>) -> Option<&'b [Node<'a>]> {
    FRAMES.iter().find_map(|key| match value.get(key)? {
        Node::List(list) => Some(list.as_slice()),
        _ => None,
    })
}

fn frame(value: &Node<'_>) -> Option<Frame> {
    let text = |keys: &[&str]| value.first(keys).map(CompactString::from);
    let module = text(&["class", "className", "module"]);
    let file = text(&["filename", "file", "fileName"]);
    let function = text(&["name", "method", "methodName", "function"]);
    let line = ["lineno", "line", "lineNumber"].iter();
    let line = line.filter_map(|key| value.get(key)?.number()).next();
    if file.is_none() && function.is_none() {
        return None;
    }
    let in_app = match (&module, &file) {
        (Some(module), _) => !is_java_library(module),
        (None, Some(file)) => !is_python_library(file),
        _ => true,
    };
    Some(Frame {
        function,
        module,
        file,
        line: line.and_then(|line| u64::try_from(line).ok()),
        column: None,
        in_app,
    })
}
