//! The first look at a line of text: whether a level of ERROR or above may
//! stand in it. Most lines have none, and no format is asked about them.

use std::sync::LazyLock;

use aho_corasick::packed::{Config, MatchKind, Searcher};

use crate::incident::find;

/// `FATA` and `PANI` are all that logrus prints, `PNC` is zerolog's, `fail: `
/// that of .NET.
const WORDS: [&str; 22] = [
    "ERR", "err", "Err", "FATA", "fatal", "Fatal", "CRIT", "crit", "Crit", "ALERT", "alert",
    "Alert", "EMERG", "emerg", "PANI", "panic", "SEVERE", "severe", "FTL", "ftl", "PNC", "fail: ",
];

static SEARCH: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    let mut builder = Config::new().match_kind(MatchKind::LeftmostFirst).builder();
    builder.extend(WORDS);
    builder.build()
});

/// Whether a level may be in it. `false` is sure.
#[must_use]
pub fn may_have_level(line: &[u8]) -> bool {
    // klog has a letter.
    if let [b'E' | b'F', b'0'..=b'9', ..] = line {
        return true;
    }
    SEARCH
        .as_ref()
        .is_none_or(|search| search.find(line).is_some())
}

/// Whether a line may have a head, of whatever level: one that does not begin
/// as a date, a bracket, an object or a level does has none. `false` is sure.
#[must_use]
pub fn may_be_record(line: &[u8]) -> bool {
    let Some(first) = line.first() else {
        return false;
    };
    match first {
        b'0'..=b'9' | b'[' | b'{' | b'<' => true,
        // A level, or the name of a day or a month.
        b'A'..=b'Z' => {
            let word = line
                .iter()
                .take(16)
                .position(|byte| !byte.is_ascii_uppercase());
            let end = word.unwrap_or(line.len());
            let next = line.get(end).copied().unwrap_or(b' ');
            end > 2 && matches!(next, b' ' | b'\t' | b':' | b'[')
                || end == 1 && (next == b',' || next.is_ascii_digit())
                || matches!(line.get(3), Some(b' ' | b','))
                || is_pair(line)
        }
        // .NET's levels have four letters.
        b'a'..=b'z' => line.get(4) == Some(&b':') || is_pair(line),
        b'_' | b'@' => is_pair(line),
        _ => false,
    }
}

/// The bytes of keys.
static KEY: [bool; 256] =
    find::table(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-.@/");

/// `key=…`
fn is_pair(line: &[u8]) -> bool {
    let start = line.get(..65).unwrap_or(line);
    let end = start.iter().position(|byte| !KEY[usize::from(*byte)]);
    end.and_then(|end| line.get(end)) == Some(&b'=')
}
