//! The first look at a line of text: whether a level of ERROR or above may
//! stand in it. Most lines have none, and no format is asked about them.

use std::sync::LazyLock;

use aho_corasick::packed::{Config, MatchKind, Searcher};

const WORDS: [&str; 20] = [
    "ERR", "err", "Err", "FATAL", "fatal", "Fatal", "CRIT", "crit", "Crit", "ALERT", "alert",
    "Alert", "EMERG", "emerg", "PANIC", "panic", "SEVERE", "severe", "FTL", "ftl",
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
