//! What stands between a name and its value.

use super::value::{is_blank, is_quote, skip_blanks, skip_colours};

/// A sign between a name and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Separator {
    pub(super) colon: bool,
    pub(super) blank_before: bool,
    /// The name stands in quotes: a pair of JSON or of a map's print.
    pub(super) quoted_name: bool,
    /// The sign is `%3D`: the pair lies in a value of a URL.
    pub(super) encoded: bool,
    /// The first byte behind the sign.
    pub(super) end: usize,
}

/// Whether a flag's name says that it takes no value.
pub(super) fn negated(option: &[u8]) -> bool {
    option.starts_with(b"--no-")
}

/// Whether bytes look like an option rather than like a value.
pub(super) fn starts_option(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|byte| is_blank(*byte));
    let word = &bytes[..end.unwrap_or(bytes.len())];
    match word {
        b"--" | [b'-', _] => true,
        [b'-', b'-', letter, ..] => letter.is_ascii_alphabetic(),
        _ => false,
    }
}

/// The sign behind a name that ends at `end`: `=`, `:`, `=>`, `:=`, also
/// behind the name's closing quote or bracket.
pub(super) fn separator(line: &[u8], end: usize) -> Option<Separator> {
    let mut at = end;
    while line.get(at) == Some(&b'\\') {
        at += 1;
    }
    let quoted_name = line.get(at).is_some_and(|byte| is_quote(*byte));
    if quoted_name {
        at += 1;
    } else if at > end {
        return None;
    }
    if line.get(at) == Some(&b']') {
        at += 1;
    }
    let name_end = skip_colours(line, at);
    let at = skip_blanks(line, name_end);
    let sign = |end, colon| {
        Some(Separator {
            colon,
            blank_before: at > name_end,
            quoted_name,
            encoded: false,
            end: skip_colours(line, end),
        })
    };
    match &line[at..] {
        [b':', b':' | b'/', ..] => None,
        [b'=', b'=', b'=', ..] => sign(at + 3, false),
        [b'=', b'>' | b'=', ..] | [b':' | b'?' | b'+', b'=', ..] => sign(at + 2, false),
        [b'=', ..] => sign(at + 1, false),
        [b':', ..] => sign(at + 1, true),
        [b'%', b'3', b'D' | b'd', ..] if at == end => sign(at + 3, false).map(|sign| Separator {
            encoded: true,
            ..sign
        }),
        // `<add key="ApiKey" value="…"/>`
        rest if quoted_name && at > name_end && rest.starts_with(b"value=") => {
            sign(at + b"value=".len(), false)
        }
        [b',', ..] if quoted_name => {
            // A list of `{"name":"PASSWORD","value":"…"}`.
            let value = skip_blanks(line, at + 1);
            let name = br#""value""#;
            line[value..]
                .starts_with(name)
                .then(|| skip_blanks(line, value + name.len()))
                .filter(|colon| line.get(*colon) == Some(&b':'))
                .and_then(|colon| sign(colon + 1, true))
        }
        _ => None,
    }
}
