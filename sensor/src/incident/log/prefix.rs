//! Loggers that put their head before every line of a trace.
//!
//! Whether a record is one more line of the open trace is told by its head,
//! which must be that of the trace's first line, and by where its text begins:
//! behind the line that names an exception, a line at the margin is another
//! record of the same logger.

use compact_str::CompactString;

use super::{format::Entry, time::When};

/// Starts of lines at the margin that only traces have.
const STARTS: [&[u8]; 6] = [
    b"at ",
    b"... ",
    b"Caused by: ",
    b"Suppressed: ",
    b"Wrapped by: ",
    b"note: ",
];

/// The head of the first line of a trace.
#[derive(Debug)]
pub struct Prefix {
    format: usize,
    /// What stands before the message, its blanks too; none where the message
    /// does not end the line, as in JSON.
    head: Option<Vec<u8>>,
    time: Option<When>,
    level: Option<u8>,
    logger: Option<String>,
    pid: Option<u32>,
    place: Option<(Option<CompactString>, Option<u64>)>,
    /// The last line was not at the margin, or promised more.
    awaits: bool,
}

impl Prefix {
    /// Of the line `text` that this format has read.
    pub fn of(format: usize, entry: &Entry<'_>, text: &[u8]) -> Self {
        let message = entry.message.as_deref().unwrap_or_default().as_bytes();
        let head = text.strip_suffix(message).filter(|head| !head.is_empty());
        Self {
            format,
            head: head.map(<[u8]>::to_vec),
            time: entry.time,
            level: entry.level.as_ref().map(|level| level.number),
            logger: entry.logger.as_deref().map(str::to_owned),
            pid: entry.pid,
            place: place(entry),
            awaits: is_open(message),
        }
    }

    /// The message of a record that goes on with the trace. Of one with the
    /// same head, it is as far indented as it was written.
    pub fn message<'a>(
        &self,
        format: usize,
        entry: &'a Entry<'_>,
        text: &'a [u8],
    ) -> Option<&'a [u8]> {
        // What follows a head may look like a logger, even like one of another
        // format: the name of an exception does.
        let message = match self.behind(entry, text) {
            Some(message) => message,
            None if format == self.format && self.is_alike(entry) => {
                entry.message.as_deref().unwrap_or_default().as_bytes()
            }
            None => return None,
        };
        (self.awaits || is_inner(message)).then_some(message)
    }

    /// Takes note of a line of the trace.
    pub fn saw(&mut self, message: &[u8]) {
        self.awaits = is_open(message);
    }

    /// What follows the same head.
    fn behind<'a>(&self, entry: &Entry<'_>, text: &'a [u8]) -> Option<&'a [u8]> {
        let head = self.head.as_deref()?;
        let (start, message) = match text.split_at_checked(head.len()) {
            Some(parts) => parts,
            // Blanks at the end of a line are easily lost.
            None => (text, &b""[..]),
        };
        let head = if message.is_empty() {
            head.trim_ascii_end()
        } else {
            head
        };
        let start = start.get(..head.len())?;
        let same = if entry.time == self.time {
            start == head
        } else {
            differs_in_time(head, start)
        };
        same.then_some(message)
    }

    /// Where the text of the head does not tell: the same logger, level and
    /// process.
    fn is_alike(&self, entry: &Entry<'_>) -> bool {
        entry.level.as_ref().map(|level| level.number) == self.level
            && entry.logger.as_deref() == self.logger.as_deref()
            && entry.pid == self.pid
            && place(entry) == self.place
    }
}

fn place(entry: &Entry<'_>) -> Option<(Option<CompactString>, Option<u64>)> {
    let place = entry.place.as_ref()?;
    Some((place.file.clone(), place.line))
}

/// Whether two heads differ in one part only, which is of a time.
fn differs_in_time(one: &[u8], other: &[u8]) -> bool {
    let pairs = || one.iter().zip(other).map(|(one, other)| one != other);
    let first = pairs().position(|differs| differs);
    let last = pairs().rposition(|differs| differs);
    let Some((first, last)) = first.zip(last) else {
        return true;
    };
    let of_time = |head: &[u8]| {
        let part = head.get(first..=last).unwrap_or_default();
        part.iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b','))
    };
    of_time(one) && of_time(other)
}

/// Whether a line at the margin may follow: behind frames, blank lines, and
/// such as `Stack trace:`.
fn is_open(message: &[u8]) -> bool {
    let text = message.trim_ascii_end();
    text.is_empty() || is_indented(message) || text.ends_with(b":")
}

/// Whether a line is within a trace by its looks.
fn is_inner(message: &[u8]) -> bool {
    message.is_empty()
        || is_indented(message)
        || STARTS.iter().any(|start| message.starts_with(start))
        || matches!(message, [b'#', b'0'..=b'9', ..])
}

fn is_indented(message: &[u8]) -> bool {
    matches!(message.first(), Some(b' ' | b'\t'))
}
