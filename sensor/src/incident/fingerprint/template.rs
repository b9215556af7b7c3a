//! A message without what changes from one time to the next.

/// What a variable part becomes.
const MARK: char = '?';
/// Longest part of a message that counts, bytes.
const MOST: usize = 2_048;

/// The message with numbers, uuids, addresses, hex, paths, dates and quoted
/// values replaced by `?`.
#[must_use]
pub fn template(message: &str) -> String {
    let mut out = String::with_capacity(message.len().min(MOST));
    let mut rest = message;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        if out.len() >= MOST {
            break;
        }
        let (length, variable) = match first {
            '"' | '\'' | '`' | '“' | '‘' if !before.is_alphanumeric() => {
                match quoted(rest, first) {
                    Some(length) => (length, true),
                    None => (first.len_utf8(), false),
                }
            }
            _ if is_part(first) => part(rest),
            _ => (first.len_utf8(), false),
        };
        let Some((token, tail)) = rest.split_at_checked(length) else {
            break;
        };
        if variable {
            if !out.ends_with(MARK) {
                out.push(MARK);
            }
        } else {
            out.push_str(token);
        }
        before = token.chars().next_back().unwrap_or(' ');
        rest = tail;
    }
    out
}

/// Bytes of a quoted value with its quotes.
fn quoted(text: &str, open: char) -> Option<usize> {
    let close = match open {
        '“' => '”',
        '‘' => '’',
        same => same,
    };
    let inner = text.get(open.len_utf8()..)?;
    let mut escaped = false;
    let end = inner.char_indices().find(|(_, char)| {
        let ends = *char == close && !escaped;
        escaped = *char == '\\' && !escaped;
        ends
    });
    let (at, _) = end?;
    Some(open.len_utf8() + at + close.len_utf8())
}

/// May be inside a number, a date, a path, an address.
fn is_part(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '/' | '\\' | '_' | '~' | '$' | '@')
}

/// The next word, and whether it is variable.
fn part(text: &str) -> (usize, bool) {
    let inner = |char: char| is_part(char) || matches!(char, '-' | '.' | ':' | '%' | '+');
    let end = text.find(|char| !inner(char)).unwrap_or(text.len());
    let word = text.get(..end).unwrap_or(text);
    let trimmed = word.trim_end_matches(['.', ':', '-', '+', '%']);
    let length = trimmed
        .len()
        .max(text.chars().next().map_or(1, char::len_utf8));
    let digits = word.bytes().any(|byte| byte.is_ascii_digit());
    // `/srv/a`, `C:\a`, `a/b`, `user@host`, anything with a digit.
    let path = trimmed.contains(['/', '\\', '@']) && trimmed.len() > 1;
    let hex = trimmed.len() >= 8 && digits && trimmed.bytes().all(|byte| byte.is_ascii_hexdigit());
    (length, digits || path || hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_goes() {
        for (message, expect) in [
            ("user 17 not found", "user ? not found"),
            ("'user_id' in process_user", "? in process_user"),
            ("can't open \"/etc/x y\": denied", "can't open ?: denied"),
            ("at 0x7ffde3a0 of 10.0.0.1:8080", "at ? of ?"),
            ("id 123e4567-e89b-12d3-a456-426614174000 gone", "id ? gone"),
            ("open /var/lib/x/y.db: no such file", "open ?: no such file"),
            ("since 2023-05-20T14:30:22.123Z", "since ?"),
            ("took 12.5ms, 3 of 5", "took ?, ? of ?"),
            ("connection refused", "connection refused"),
            ("Größe 5", "Größe ?"),
            ("", ""),
        ] {
            assert_eq!(template(message), expect, "{message}");
        }
    }
}
