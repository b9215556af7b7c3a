//! The parts of heads: words, brackets, names of loggers.

use crate::incident::{find::Find, log::level};

/// The next part: its text, what follows, and its bracket.
pub fn token(text: &str) -> Option<(&str, &str, Option<u8>)> {
    let open = text.bytes().next()?;
    let close = match open {
        b'[' => ']',
        b'(' => ')',
        b'{' => '}',
        b'<' => '>',
        _ => {
            let end = text
                .bytes()
                .position(|byte| matches!(byte, b' ' | b'\t' | b'|'));
            let end = end.unwrap_or(text.len());
            let (token, rest) = text.split_at_checked(end)?;
            return Some((token, rest, None));
        }
    };
    let (inner, rest) = text.get(1..)?.split_once(close)?;
    (inner.len() <= 128).then_some((inner, rest, Some(open)))
}

/// `name - `, `name: `, `name | `, `a.b.name `, at the beginning.
pub fn logger(rest: &str) -> Option<(&str, &str)> {
    let tab = rest.starts_with('\t');
    let start = rest.trim_start_matches([' ', '\t']);
    if start.starts_with("- ") || start.starts_with(": ") {
        return None;
    }
    let start = start.strip_prefix("| ").unwrap_or(start);
    let (token, tail, bracket) = token(start)?;
    if let Some(bracket) = bracket {
        let good = bracket == b'[' && is_logger(token) && tail.starts_with(' ');
        return good.then_some((token, tail));
    }
    let name = token.trim_end_matches(':');
    if !is_name(name) {
        return None;
    }
    let place = name.split(':').next().unwrap_or(name);
    let next = tail.trim_start_matches(' ');
    let separated =
        next.starts_with("- ") || next.starts_with(": ") || next.starts_with("| ") || next == "-";
    if token.ends_with(':') {
        // `KeyError: x` is a message.
        let lower = name.bytes().all(|byte| !byte.is_ascii_uppercase());
        let good = !is_type(name) && (lower || name.has("::") || name.has("."));
        return good.then_some((trimmed(name), tail));
    }
    let dotted = is_logger(place) && !is_type(name) && !name.ends_with('.');
    (separated || dotted || tab && tail.starts_with('\t'))
        .then_some((trimmed(place_less(name)), tail))
}

/// Without the line that some layouts put behind a logger.
pub fn place_less(name: &str) -> &str {
    match name.rcut(":") {
        Some((logger, line))
            if !line.is_empty()
                && line.bytes().all(|byte| byte.is_ascii_digit())
                && !logger.ends_with(':') =>
        {
            logger
        }
        _ => name,
    }
}

pub fn trimmed(name: &str) -> &str {
    name.trim_end_matches(':')
}

/// Without the separator between a head and its message.
pub fn message(rest: &str) -> &str {
    let start = rest.trim_start_matches([' ', '\t']);
    for separator in ["- ", ": ", "| ", "-- ", "-- : "] {
        if let Some(message) = start.strip_prefix(separator) {
            let message = message.strip_prefix(": ").unwrap_or(message);
            return message.trim_start_matches(' ');
        }
    }
    match start {
        "-" | ":" => "",
        _ => start,
    }
}

pub fn is_thread(inner: &str, tail: &str) -> bool {
    // Python begins messages of the system so.
    !inner.is_empty()
        && !inner.starts_with("Errno ")
        && tail.starts_with([' ', '\t', '['])
        && level::word(inner).is_none()
        && (!inner.has(" ")
            || tail
                .trim_start()
                .starts_with(|c: char| c.is_alphabetic() || c == '-' || c == ':' || c == '['))
}

pub fn is_name(text: &str) -> bool {
    let text = text.trim_end_matches(':');
    !text.is_empty()
        && text.len() <= 256
        && text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-$/:@#<>".contains(&byte))
}

/// `key=value`
pub fn is_pair(token: &str) -> bool {
    token
        .cut("=")
        .is_some_and(|(key, value)| is_name(key) && !value.is_empty())
}

/// Looks like the name of a logger, not like a word.
pub fn is_logger(text: &str) -> bool {
    is_name(text)
        && (text == "root"
            || text.has("_")
            || text.has("::")
            || text.trim_end_matches('.').has("."))
}

/// Looks like the type of an exception.
pub fn is_type(name: &str) -> bool {
    let last = name.rsplit(['.', ':']).next().unwrap_or(name);
    last.ends_with("Error") || last.ends_with("Exception") || last.ends_with("Throwable")
}

/// Without the spans that tracing puts before the name of a logger:
/// `request{id=7}:query{n=1}: app::db: …`, `ThreadId(01) app::db: …`.
pub fn without_spans(rest: &str) -> &str {
    let mut rest = rest.trim_start_matches(' ');
    if let Some((_, tail)) = rest
        .strip_prefix("ThreadId(")
        .and_then(|rest| rest.split_once(") "))
    {
        rest = tail;
    }
    while let Some((name, fields)) = rest.cut("{") {
        let Some((_, tail)) = fields.cut("}") else {
            break;
        };
        let mut ended = tail.starts_with(": ");
        let tail = tail.strip_prefix(": ").or_else(|| tail.strip_prefix(':'));
        let Some(mut tail) = tail.filter(|_| is_name(name) && !name.has("::")) else {
            break;
        };
        // Spans without fields: a colon joins them, a blank ends them.
        while !ended
            && let Some((name, behind)) = tail.cut(":")
            && is_name(name)
            && !behind.starts_with(':')
        {
            ended = behind.starts_with(' ');
            tail = behind.trim_start_matches(' ');
        }
        rest = tail;
    }
    rest
}

/// log4j2's own example has the thread behind the logger: `ERROR a.B [main] `.
pub fn without_thread(tail: &str) -> &str {
    let found = tail.strip_prefix(" [").and_then(|rest| rest.cut("] "));
    match found {
        Some((name, rest))
            if name == "main" || name.has("-") && name.ends_with(|c: char| c.is_ascii_digit()) =>
        {
            rest
        }
        _ => tail,
    }
}
