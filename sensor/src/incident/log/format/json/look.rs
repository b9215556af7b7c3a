//! The first look at a JSON line: whether it may matter at all, found out by
//! one search for a few literals, without parsing it.

use std::sync::LazyLock;

use aho_corasick::packed::{Config, MatchKind, Searcher};

use crate::incident::{
    find,
    log::level::{self, ERROR, Scale},
};

/// Keys of exceptions, and what journald has in every record.
const SIGNS: [&str; 7] = [
    "\"err",
    "\"exc",
    "\"stack",
    "\"@x\"",
    "\"thrown",
    "\"traceb",
    "\"__REALTIME",
];
/// Parts of keys of levels, whose values are looked at.
const KEYS: [&str; 10] = [
    "evel",
    "EVEL",
    "everity",
    "EVERITY",
    "riority\"",
    "RIORITY\"",
    "\"lvl\"",
    "\"@l\"",
    "\"s\":",
    "\"s\" ",
];
/// What may follow such a part: `name`, `_number`, `Text`.
const SUFFIX: usize = 8;

// No more than 32 of at least four letters: so many are found fastest.
static SEARCH: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    let mut builder = Config::new().match_kind(MatchKind::LeftmostFirst).builder();
    builder.extend(SIGNS.iter().chain(&KEYS));
    builder.build()
});

/// Whether the line may be an incident. `false` is sure.
#[must_use]
pub fn may_matter(line: &[u8]) -> bool {
    let Some(search) = &*SEARCH else {
        return true;
    };
    let mut at = 0;
    while let Some(found) = search.find_in(line, aho_corasick::Span::from(at..line.len())) {
        let key = found.pattern().as_usize().checked_sub(SIGNS.len());
        let Some(key) = key.and_then(|key| KEYS.get(key)) else {
            return true;
        };
        // What follows a key only tells it from others.
        let length = key.trim_end_matches([':', ' ']).len();
        if may_be_error(line.get(found.start() + length..)) {
            return true;
        }
        at = found.end();
    }
    has_lines(line)
}

/// Whether a text in it has several lines, as a trace has, or colours.
fn has_lines(line: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', line).any(|at| matches!(line.get(at + 1), Some(b'n' | b'u')))
}

/// First letters of the words and letters of ERROR and above, also behind a
/// blank or an escape, and numbers.
static FIRST: [bool; 256] = find::table(b"eEfFcCaApPsS \\0123456789");

/// Whether the value behind a key of levels may be an error.
fn may_be_error(rest: Option<&[u8]>) -> bool {
    let Some(rest) = rest else { return false };
    let end = rest
        .iter()
        .take(SUFFIX)
        .position(|byte| matches!(byte, b'"' | b':' | b' '));
    let Some(rest) = end.and_then(|end| rest.get(end..)) else {
        return false;
    };
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut bytes = rest.strip_prefix(b"\"").unwrap_or(rest).iter();
    if bytes.by_ref().copied().find(|byte| !is_blank(byte)) != Some(b':') {
        return false;
    }
    let mut bytes = bytes.copied().skip_while(is_blank);
    match bytes.next() {
        Some(b'"') => match bytes.next() {
            Some(b'd' | b'D') => matches!(bytes.next(), Some(b'p' | b'P')),
            Some(first) => FIRST[usize::from(first)],
            None => false,
        },
        Some(first @ b'0'..=b'9') => {
            let mut value = i64::from(first - b'0');
            for byte in bytes.take(9).take_while(u8::is_ascii_digit) {
                value = value * 10 + i64::from(byte - b'0');
            }
            // On which scale is told by the whole key: any will do here.
            let at_least =
                |scale| level::number(value, scale).is_some_and(|number| number >= ERROR);
            at_least(Scale::Level) || at_least(Scale::Otlp) || (40..60).contains(&value)
        }
        Some(b'-' | b'{') => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_lines_are_passed_over() {
        for (line, expect) in [
            (r#"{"level":"info","msg":"started"}"#, false),
            (r#"{"level":"warning","msg":"it takes long"}"#, false),
            (r#"{"level":30,"time":1684593022123,"msg":"x"}"#, false),
            (r#"{"severity_number":9,"body":"x"}"#, false),
            (r#"{"level":50,"msg":"x"}"#, true),
            (r#"{"level": 60,"msg":"x"}"#, true),
            (r#"{"level":3,"short_message":"x"}"#, true),
            (r#"{"levelno":40,"msg":"x"}"#, true),
            (r#"{"severityNumber":17,"msg":"x"}"#, true),
            (r#"{"level":"ERROR","msg":"x"}"#, true),
            (r#"{"level" : "Critical","msg":"x"}"#, true),
            (r#"{"s":"E","msg":"x"}"#, true),
            (r#"{"level":"info","stack_trace":"x"}"#, true),
        ] {
            assert_eq!(may_matter(line.as_bytes()), expect, "{line}");
        }
    }
}
