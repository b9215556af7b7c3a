//! zap's console: `time\tLEVEL\tlogger\tfile.go:12\tmessage\t{"key":"value"}`,
//! of which logger, place and pairs may be missing.

use super::Entry;
use crate::incident::{
    exception::Frame,
    find::Find,
    log::{level::Level, time::When},
};

/// Reads a line.
#[must_use]
pub fn read(line: &str) -> Option<Entry<'_>> {
    let (time, rest) = line.cut("\t")?;
    let (word, mut rest) = rest.split_once('\t')?;
    let level = Level::word(word)?;
    let time = When::read(time)?;
    let mut logger = None;
    let mut place = None;
    while let Some((part, tail)) = rest.split_once('\t') {
        if let Some(caller) = caller(part) {
            place = Some(Box::new(caller));
            rest = tail;
            break;
        }
        // A name comes before the place, or before the message if that has
        // more than pairs behind it.
        let alone = tail.starts_with('{') && tail.ends_with('}');
        if logger.is_some() || part.contains(' ') || alone {
            break;
        }
        logger = Some(part.into());
        rest = tail;
    }
    let message = match rest.rsplit_once('\t') {
        Some((message, pairs)) if pairs.starts_with('{') && pairs.ends_with('}') => message,
        _ => rest,
    };
    Some(Entry {
        time: Some(time),
        level: Some(level),
        logger,
        message: Some(message.into()),
        place,
        ..Entry::default()
    })
}

/// `shop/main.go:12`
fn caller(part: &str) -> Option<Frame> {
    let (file, line) = part.rsplit_once(':')?;
    let line = line.parse().ok()?;
    (file.ends_with(".go") && !file.contains(' ')).then(|| Frame {
        file: Some(file.into()),
        line: Some(line),
        ..Frame::default()
    })
}
