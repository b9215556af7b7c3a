//! java.util.logging, whose records take two lines:
//!
//! ```text
//! May 20, 2023 2:30:22 PM com.shop.Cart close
//! SEVERE: order failed
//! ```

use super::Entry;
use crate::incident::find::Find;
use crate::incident::log::{
    level::Level,
    time::{Civil, When},
};

/// `ERROR` is not among them.
const LEVELS: [&str; 7] = [
    "SEVERE", "WARNING", "INFO", "CONFIG", "FINE", "FINER", "FINEST",
];

/// Whether a line may be the first of a record: asked of nearly every line.
#[must_use]
pub fn may_be_head(line: &[u8]) -> bool {
    line.len() < 512
        && line.first().is_some_and(u8::is_ascii_uppercase)
        && (line.get(5) == Some(&b',') || line.get(6) == Some(&b','))
}

/// Whether a line may be the second one.
#[must_use]
pub fn may_be_body(line: &[u8]) -> bool {
    let word = line.iter().take_while(|byte| byte.is_ascii_uppercase());
    let end = word.count();
    end > 3 && line.get(end..).is_some_and(|rest| rest.starts_with(b": "))
}

/// Reads both lines of a record.
#[must_use]
pub fn read<'a>(head: &str, body: &'a str) -> Option<Entry<'a>> {
    let (civil, rest) = Civil::scan(head)?;
    civil.day?;
    let source = rest.strip_prefix(' ')?;
    // A class and a method, or the name of a logger.
    let logger = source.split(' ').next().filter(|name| !name.is_empty())?;
    if source.split(' ').count() > 2 {
        return None;
    }
    let (word, message) = body.cut(": ")?;
    if !LEVELS.contains(&word) {
        return None;
    }
    Some(Entry {
        time: Some(When::Civil(civil)),
        level: Some(Level::word(word)?),
        logger: Some(logger.to_owned().into()),
        message: Some(message.into()),
        ..Entry::default()
    })
}
