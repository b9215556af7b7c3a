//! .NET's console logger: `fail: Shop.Cart[13]`, the message indented below.

use super::Entry;
use crate::incident::log::{
    level::Level,
    time::{Civil, When},
};

/// Reads the first line of a record; it has no message.
#[must_use]
pub fn read(line: &str) -> Option<Entry<'_>> {
    let line = line.strip_suffix(']')?;
    let (time, rest) = match Civil::scan(line) {
        Some((civil, rest)) => (Some(When::Civil(civil)), rest.trim_start()),
        None => (None, line),
    };
    let (word, rest) = rest.split_at_checked(4)?;
    let number = match word {
        "trce" => 1,
        "dbug" => 5,
        "info" => 9,
        "warn" => 13,
        "fail" => 17,
        "crit" => 21,
        _ => return None,
    };
    let (category, id) = rest.strip_prefix(": ")?.rsplit_once('[')?;
    let is_name = |text: &str| {
        text.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && !text.contains([' ', '/', ':'])
    };
    id.parse::<i32>().ok()?;
    is_name(category).then(|| Entry {
        time,
        level: Some(Level {
            number,
            text: word.into(),
        }),
        logger: Some(category.into()),
        ..Entry::default()
    })
}
