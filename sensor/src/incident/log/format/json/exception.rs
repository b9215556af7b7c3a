//! Exceptions inside JSON: a stack as text, a list of lines, or an object with
//! type, message and stack.

use std::borrow::Cow;

use super::{super::bracket::named, fields::Part, node::Node, structured};
use crate::incident::{
    exception::{Exception, Language, frames_alone},
    find::Find,
    log::{embedded, level::Level},
};

const TYPES: [&str; 8] = [
    "type",
    "exception_type",
    "exc_type",
    "name",
    "class",
    "kind",
    "exception.type",
    "exceptionType",
];
const MESSAGES: [&str; 6] = [
    "message",
    "exc_value",
    "msg",
    "exception.message",
    "localizedMessage",
    "value",
];
const STACKS: [&str; 9] = [
    "stack",
    "stack_trace",
    "stacktrace",
    "stackTrace",
    "traceback",
    "trace",
    "extendedStackTrace",
    "exception.stacktrace",
    "backtrace",
];

/// What a line says of an exception.
#[derive(Debug, Default)]
pub struct Reported<'a> {
    name: Option<Cow<'a, str>>,
    message: Option<Cow<'a, str>>,
    stack: Option<Cow<'a, str>>,
    /// A text that may be a message or a trace: `"error": "…"`.
    loose: Option<Cow<'a, str>>,
    /// One whose frames are objects.
    structured: Option<Box<Exception>>,
}

impl<'a> Reported<'a> {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.name.is_none() && self.stack.is_none() && self.structured.is_none()
    }

    /// Takes in a part.
    pub fn put(&mut self, part: Part, value: Node<'a>) {
        match (part, value) {
            (Part::Whole, value @ Node::Map(_)) => {
                self.frames(&value);
                self.object(&value);
            }
            (Part::Whole, Node::List(list)) if matches!(list.first(), Some(Node::Map(_))) => {
                if let Some(first) = list.first() {
                    self.object(first);
                }
                self.frames(&Node::List(list));
            }
            (Part::Whole, Node::Text(text)) => {
                if self.loose.is_none() || text.contains('\n') {
                    self.loose = Some(text);
                }
            }
            (Part::Stack, value) | (Part::Whole, value @ Node::List(_)) => {
                if let Some(text) = lines(value) {
                    self.stack = Some(text);
                }
            }
            (Part::Type, value) => self.name = value.into_text(),
            (Part::Message, value) => self.message = value.into_text(),
            (Part::Whole, _) => {}
        }
    }

    /// Keeps what has frames: another key may hold an object without.
    fn frames(&mut self, value: &Node<'a>) {
        if let Some(read) = structured::read(value) {
            self.structured = Some(read);
        }
    }

    fn object(&mut self, value: &Node<'a>) {
        let owned = |text: &str| Cow::Owned(text.to_owned());
        if let Some(name) = value.first(&TYPES) {
            self.name = Some(owned(name));
        }
        if let Some(message) = value.first(&MESSAGES) {
            self.message = Some(owned(message));
        }
        let stack = STACKS.iter().find_map(|key| lines(value.get(key)?.clone()));
        if stack.is_some() {
            self.stack = stack;
        }
    }

    /// The exception, where one is recognised. A type without a trace is one
    /// unless the line's level says that it is harmless.
    pub fn exception(
        self,
        level: Option<&Level<'_>>,
        message: Option<&str>,
    ) -> Option<Box<Exception>> {
        let Self {
            name,
            message: own,
            stack,
            loose,
            structured,
        } = self;
        let harmless = level.is_some_and(|level| !level.is_error());
        if let Some(found) = structured {
            // PHP's handlers make an object of what is merely deprecated, too.
            return (!harmless || found.language != Language::Php).then_some(found);
        }
        let text = stack
            .as_deref()
            .or_else(|| loose.as_deref().filter(|text| text.contains('\n')));
        let name = name.as_deref();
        let own = own.as_deref();
        let traced = text.and_then(|text| trace(text, name, own));
        if let Some(mut exception) = traced {
            if let Some(name) = name
                && exception.name.is_empty()
            {
                exception.name = name.to_owned();
            }
            return Some(exception);
        }
        // Nothing but a stack: what it is of stands beside.
        if let Some(text) = stack.as_deref()
            && (name.is_some() || level.is_some_and(Level::is_error))
            && let Some((language, frames)) = frames_alone(text)
        {
            let own = own.or(loose.as_deref()).unwrap_or_default();
            return Some(Box::new(Exception {
                language,
                frames,
                text: text.trim_end().to_owned(),
                ..named(name.unwrap_or_default(), own)
            }));
        }
        if let Some(name) = name {
            if harmless || !is_type(name) {
                return None;
            }
            let mut exception = named(name, own.unwrap_or_default());
            exception.language = Language::Unknown;
            exception.text = text.unwrap_or_default().to_owned();
            return Some(Box::new(exception));
        }
        // The message itself may be a trace.
        embedded::trace(message.filter(|text| text.has("\n"))?)
    }
}

fn trace(text: &str, name: Option<&str>, message: Option<&str>) -> Option<Box<Exception>> {
    if let Some(found) = embedded::trace(text) {
        return Some(found);
    }
    // Frames alone: the type and message come from the fields beside.
    let name = name?;
    let head = match message {
        Some(message) => format!("{name}: {message}"),
        None => name.to_owned(),
    };
    if text.starts_with(&head) {
        return None;
    }
    if text.starts_with("Traceback (") || text.starts_with("  File \"") {
        let start = if text.starts_with("  File \"") {
            "Traceback (most recent call last):\n"
        } else {
            ""
        };
        return embedded::trace(&format!("{start}{}\n{head}", text.trim_end()));
    }
    embedded::trace(&format!("{head}\n{text}"))
}

/// A name of a type: no blanks, no sentence.
fn is_type(name: &str) -> bool {
    name.len() <= 256 && !name.contains(char::is_whitespace)
}

/// A text, or a list of lines as one.
fn lines(value: Node<'_>) -> Option<Cow<'_, str>> {
    match value {
        Node::Text(text) if !text.trim().is_empty() => Some(text),
        Node::List(list) => {
            let mut all = String::new();
            for line in &list {
                let line = line.text()?;
                all.push_str(line);
                if !line.ends_with('\n') {
                    all.push('\n');
                }
            }
            (!all.is_empty()).then_some(all.into())
        }
        _ => None,
    }
}
