//! `at function (file:line:column)` and the like.

use crate::incident::exception::{Frame, place};
use crate::incident::find::Find;

/// Whether a line is a frame of V8.
pub(super) fn is_frame(line: &str) -> bool {
    let Some(rest) = indented(line).and_then(|text| text.strip_prefix("at ")) else {
        return false;
    };
    let rest = rest.strip_suffix(" {").unwrap_or(rest);
    if let Some(inner) = rest.strip_suffix(')') {
        // The blank tells it from Java.
        let Some(open) = inner.place(" (") else {
            return false;
        };
        let location = &inner[open + 2..];
        return has_place(location)
            || location.starts_with("index ")
            || matches!(location, "native" | "unknown location")
            || location.has("<anonymous>")
            || location.has("wasm");
    }
    let place = place::split(rest);
    place.column.is_some() && !rest.has(" in ") || rest.ends_with("<anonymous>")
}

/// What follows the blanks that a line begins with.
fn indented(line: &str) -> Option<&str> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let text = line.get(line.bytes().take_while(blank).count()..)?;
    let text = match text.as_bytes().first() {
        Some(first) if first.is_ascii_graphic() => text,
        // Blanks of other kinds.
        _ => text.trim_start(),
    };
    (text.len() < line.len()).then_some(text)
}

/// A frame of Firefox: `function@file:line:column`.
pub(super) fn is_firefox(line: &str) -> bool {
    let Some((_, location)) = line.cut("@") else {
        return false;
    };
    !line.has(" ") && place::split(location).column.is_some()
}

fn has_place(location: &str) -> bool {
    place::number_behind(location).1.is_some()
}

/// Reads either.
pub(super) fn read(line: &str) -> Frame {
    let text = indented(line).unwrap_or(line);
    let text = text.strip_suffix(" {").unwrap_or(text);
    let Some(rest) = text.strip_prefix("at ") else {
        let (function, location) = text.cut("@").unwrap_or(("", text));
        return at(function, location);
    };
    match rest.strip_suffix(')').and_then(|inner| inner.cut(" (")) {
        Some((function, location)) => at(function, location),
        None => match rest.strip_prefix("async ") {
            Some(location) => at("async", location),
            None => at("", rest),
        },
    }
}

fn at(function: &str, location: &str) -> Frame {
    let nowhere = matches!(location, "native" | "unknown location" | "<anonymous>")
        || location.starts_with("index ");
    let place = place::split(if nowhere { "" } else { location });
    Frame {
        // `async` alone is no name.
        function: place::some(if function == "async" { "" } else { function }),
        module: None,
        file: place::some(place.file),
        line: place.line,
        column: place.column,
        in_app: !nowhere && !is_library(place.file),
    }
}

fn is_library(file: &str) -> bool {
    place::is_package(file)
        || file.starts_with("node:")
        || file.starts_with("internal/")
        || file.starts_with("ext:")
        || is_old_core(file)
}

/// Modules of Node itself had no prefix before version 16: `events.js`.
fn is_old_core(file: &str) -> bool {
    file.ends_with(".js") && !file.contains(['/', '\\', ':', '<'])
}
