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
    // What is kept is copied where something else follows.
    let (mut kept, mut at) = (0, 0);
    while let Some(first) = message[at..].chars().next()
        && out.len() + at - kept < MOST
    {
        let rest = &message[at..];
        let (length, variable) = match first {
            ' ' => (1, false),
            '"' | '\'' | '`' | '“' | '‘' if !message[..at].ends_with(char::is_alphanumeric) => {
                match quoted(rest, first) {
                    Some(length) => (length, true),
                    None => (first.len_utf8(), false),
                }
            }
            _ if is_part(first) => part(rest),
            _ => (first.len_utf8(), false),
        };
        if variable {
            out.push_str(&message[kept..at]);
            if !out.ends_with(MARK) {
                out.push(MARK);
            }
            kept = at + length;
        }
        at += length;
    }
    out.push_str(&message[kept..at]);
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

/// Bytes of the next word without the joints at its end, and whether it is
/// variable: `/srv/a`, `C:\a`, `a/b`, `user@host`, anything with a digit.
fn part(text: &str) -> (usize, bool) {
    let (mut length, mut digits, mut marks) = (0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'-' | b'.' | b':' | b'%' | b'+' => continue,
            b'0'..=b'9' => digits = true,
            b'/' | b'\\' | b'@' => marks = true,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'~' | b'$' => {}
            // Nearly all text is ASCII, of which bytes need no decoding.
            0x80.. => return wide_part(text),
            _ => break,
        }
        length = at + 1;
    }
    (length, digits || marks && length > 1)
}

/// The same of text in any script.
fn wide_part(text: &str) -> (usize, bool) {
    let joints = ['-', '.', ':', '%', '+'];
    let inner = |char: char| is_part(char) || joints.contains(&char);
    let end = text.find(|char| !inner(char)).unwrap_or(text.len());
    let word = text.get(..end).unwrap_or(text);
    let length = word.trim_end_matches(joints).len();
    let digits = word.bytes().any(|byte| byte.is_ascii_digit());
    let marks = word.contains(['/', '\\', '@']);
    (length, digits || marks && length > 1)
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
            ("größe-5: x.y. z/ü", "?: x.y. ?"),
            ("a@b, C:\\x 100% - /", "?, ? ?% - /"),
            ("", ""),
        ] {
            assert_eq!(template(message), expect, "{message}");
        }
    }
}
