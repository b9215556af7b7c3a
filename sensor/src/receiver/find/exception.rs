//! Attributes `exception.*` become an exception as if it had been printed.

use super::{keys::Keys, request::cut};
use crate::incident::exception::{Exception, Language, parse_text};

/// Longest stack trace that is read, bytes.
const MAX_STACK: usize = 1 << 20;

const NAME: &str = "exception.type";
const MESSAGE: &str = "exception.message";
const STACK: &str = "exception.stacktrace";

/// An exception that was handed over in attributes.
pub(super) struct Told {
    pub exception: Exception,
    /// The message as its stack trace has it. SDKs mean different things by
    /// `exception.message`: that of Python writes the first argument into log
    /// records, and all of the text into spans.
    pub printed: Option<String>,
}

/// Whether there is one at all: [`read`], without reading.
pub(super) fn is_told(keys: Keys<'_>) -> bool {
    given(keys, NAME).or(given(keys, MESSAGE)).is_some() || given(keys, STACK).is_some()
}

fn given<'a>(keys: Keys<'a>, key: &str) -> Option<&'a str> {
    keys.text(&[key]).filter(|text| !text.is_empty())
}

/// The exception of an event or a record; `None` where there is none.
/// `sdk`: `telemetry.sdk.language` of the resource.
pub(super) fn read(keys: Keys<'_>, sdk: Option<&str>) -> Option<Told> {
    if !is_told(keys) {
        return None;
    }
    let name = given(keys, NAME);
    let message = given(keys, MESSAGE);
    let stack = given(keys, STACK).map(|stack| cut(stack, MAX_STACK));
    let parsed = stack.and_then(|stack| parsed(stack, name, message));
    let mut exception = parsed.unwrap_or_else(|| Exception::new(language(sdk), ""));
    if let Some(name) = name {
        exception.name = name.to_owned();
    }
    let printed = exception.message.take();
    exception.message = match message {
        Some(message) => Some(message.to_owned()),
        None => printed.clone(),
    };
    exception.text = stack.unwrap_or_default().to_owned();
    Some(Told { exception, printed })
}

/// The exception that the text is about: the one with this type, else the last.
fn parsed(stack: &str, name: Option<&str>, message: Option<&str>) -> Option<Exception> {
    let mut found = parse_text(stack);
    if found.is_empty() {
        // Some SDKs leave out the line that names the exception; Go's hands on
        // what `debug.Stack` gives.
        let head = match (name, message) {
            _ if stack.starts_with("goroutine ") => {
                format!("panic: {}\n\n", message.unwrap_or_default())
            }
            (Some(name), Some(message)) => format!("{name}: {message}\n"),
            (Some(name), None) => format!("{name}\n"),
            (None, _) => return None,
        };
        found = parse_text(&format!("{head}{stack}"));
    }
    let is_it = |one: &Exception| name.is_some_and(|name| same(&one.name, name));
    let position = found.iter().position(is_it);
    let position = position.unwrap_or(found.len().checked_sub(1)?);
    Some(found.swap_remove(position))
}

/// `telemetry.sdk.language` (semantic conventions) as ours.
fn language(sdk: Option<&str>) -> Language {
    match sdk.unwrap_or_default() {
        "python" => Language::Python,
        "java" => Language::Java,
        "go" => Language::Go,
        "nodejs" | "webjs" => Language::JavaScript,
        "rust" => Language::Rust,
        "ruby" => Language::Ruby,
        "dotnet" => Language::CSharp,
        "php" => Language::Php,
        "cpp" => Language::Cpp,
        "erlang" => Language::Elixir,
        _ => Language::Unknown,
    }
}

/// What separates the components of a type's name: `a.B`, `a::B`, `a\B`, `a$B`,
/// `*a/b.C`.
const SEPARATORS: [char; 6] = ['.', ':', '\\', '/', '$', '*'];

/// The last component of a type's name.
pub(super) fn last_component(name: &str) -> &str {
    name.rsplit(SEPARATORS).next().unwrap_or(name)
}

/// Whether two names are of one type, either with or without its module.
fn same(one: &str, other: &str) -> bool {
    is_type(one, other) || is_type(other, one)
}

/// Whether `name` is `wanted`, or ends with it after a separator.
pub(super) fn is_type(name: &str, wanted: &str) -> bool {
    name == wanted
        || name
            .strip_suffix(wanted)
            .is_some_and(|before| !wanted.is_empty() && before.ends_with(SEPARATORS))
}
