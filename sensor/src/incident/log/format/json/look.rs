//! The first look at a JSON line: whether it may matter at all, found out by
//! one search for a few literals, without parsing it.

use std::sync::LazyLock;

use aho_corasick::packed::{Config, MatchKind, Searcher};

use crate::incident::log::level::{self, ERROR, Scale};

/// What the line has where it may matter: a word of a level or a key of an
/// exception, each with its quote, or the first lines of traces.
const SIGNS: [&str; 27] = [
    "\"err",
    "\"ERR",
    "\"Err",
    "\"fatal",
    "\"FATAL",
    "\"Fatal",
    "\"crit",
    "\"CRIT",
    "\"Crit",
    "\"alert",
    "\"ALERT",
    "\"emerg",
    "\"EMERG",
    "\"panic",
    "\"PANIC",
    "\"dpanic",
    "\"SEVERE",
    "\"exc",
    "\"stack",
    "\"@x\"",
    "\"thrown",
    "\"tracebac",
    "\\n\\tat",
    "\\n    at",
    "\\u001b",
    "\"__REALTIME",
    "Traceback (",
];
/// Keys whose values are looked at: a number, a single letter, a word padded.
const KEYS: [&str; 9] = [
    "evel\"",
    "everity\"",
    "EVEL\"",
    "evelno\"",
    "everity_number\"",
    "everityNumber\"",
    "riority\"",
    "\"s\"",
    "evel_value\"",
];

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
        if found.pattern().as_usize() < SIGNS.len() || may_be_error(line.get(found.end()..)) {
            return true;
        }
        at = found.end();
    }
    false
}

/// Whether the value that follows a key of levels may be an error. Words with
/// their quote before them are found as signs.
fn may_be_error(rest: Option<&[u8]>) -> bool {
    let Some(rest) = rest else { return false };
    let mut bytes = rest
        .iter()
        .copied()
        .skip_while(|byte| matches!(byte, b' ' | b'\t'));
    if bytes.next() != Some(b':') {
        return false;
    }
    let mut bytes = bytes.skip_while(|byte| matches!(byte, b' ' | b'\t'));
    match bytes.next() {
        Some(b'"') => match (bytes.next(), bytes.next()) {
            (Some(one), Some(b'"')) => {
                level::letter(one.to_ascii_uppercase()).is_some_and(|number| number >= ERROR)
                    || one.is_ascii_digit()
            }
            (Some(b' ' | b'0'..=b'9' | b'\\'), _) => true,
            _ => false,
        },
        Some(first @ b'0'..=b'9') => {
            let mut value = i64::from(first - b'0');
            for byte in bytes.take(9).take_while(u8::is_ascii_digit) {
                value = value * 10 + i64::from(byte - b'0');
            }
            // On which scale is told by the whole key: any will do here.
            let at_least =
                |scale| level::number(value, scale).is_some_and(|number| number >= ERROR);
            at_least(Scale::Level) || at_least(Scale::Otlp) || value == 40
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
