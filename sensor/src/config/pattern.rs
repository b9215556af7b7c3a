//! Regular expressions that people write, checked one at a time.

use regex_syntax::{Error, ParserBuilder};

use super::item::shown;

/// Memory that one compiled pattern may take, bytes: some hundred Unicode
/// classes such as `\w`.
const MAX_COMPILED_BYTES: usize = 8 << 20;

/// Checks a regular expression: it is not empty, parses, and stays small when
/// compiled. Time to match is linear whatever it says.
///
/// # Errors
/// What is wrong, with the line and column in the pattern.
pub fn check_pattern(pattern: &str) -> Result<(), String> {
    if pattern.is_empty() {
        return Err(
            "an empty pattern would match everything; write .* if that is meant".to_owned(),
        );
    }
    let parsed = ParserBuilder::new()
        .case_insensitive(true)
        .utf8(false)
        .build()
        .parse(pattern);
    if let Err(error) = parsed {
        return Err(explain(pattern, &error));
    }
    compile(pattern).map(drop).map_err(|_| {
        format!(
            "the pattern `{}` is too large when compiled",
            shown(pattern)
        )
    })
}

/// Compiles a pattern as the matcher does: bytes, unanchored, any case.
pub(crate) fn compile(pattern: &str) -> Result<regex::bytes::Regex, regex::Error> {
    regex::bytes::RegexBuilder::new(pattern)
        .case_insensitive(true)
        .size_limit(MAX_COMPILED_BYTES)
        .build()
}

fn explain(pattern: &str, error: &Error) -> String {
    let (start, reason) = match error {
        Error::Parse(error) => (Some(error.span().start), error.kind().to_string()),
        Error::Translate(error) => (Some(error.span().start), error.kind().to_string()),
        _ => (None, "cannot be read".to_owned()),
    };
    let place = start.map_or_else(String::new, |at| match at.line {
        0 | 1 => format!(" at position {}", at.column),
        line => format!(" at line {line}, position {}", at.column),
    });
    format!(
        "the pattern `{}` is not a valid regular expression{place}: {reason}",
        shown(pattern)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_of_a_fault_is_told() {
        for (pattern, message) in [
            ("", "empty"),
            ("foo(", "at position 4: unclosed group"),
            ("a**", ""),
            ("[z-a]", "at position 2: invalid character class range"),
            ("(?=x)", "look-around"),
            (r"(a)\1", "backreferences"),
            ("x{1000}{1000}{1000}", "too large"),
            ("a\nb(", "at line 2, position 2"),
        ] {
            match check_pattern(pattern) {
                Ok(()) => assert_eq!(message, "", "{pattern}"),
                Err(error) => assert!(
                    !message.is_empty() && error.contains(message),
                    "{pattern}: {error}"
                ),
            }
        }
    }

    #[test]
    fn no_depth_of_groups_ends_the_process() {
        let deep = format!("{}x{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(check_pattern(&deep).is_err());
    }
}
