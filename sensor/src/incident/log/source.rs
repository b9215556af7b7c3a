//! One source of lines: a stream, a container, a unit, a pid.
//!
//! An error line waits for the trace that may follow it; the lines of an open
//! trace are held as they were. Both are bounded.

use super::{
    clean,
    draft::{Around, Draft, Facts, Maker},
    embedded,
    format::{Entry, Formats, LogFormat},
    gate,
    level::Level,
};
use crate::incident::{
    exception::{Assembler, Exception, Piece},
    record::Incident,
};

/// Lines without a level that may stand between an error line and its trace.
const GAP: u32 = 4;
/// The same for blank and indented lines.
const BLANK_GAP: u32 = 16;

/// Takes a complete incident, with the number of the line it began with.
pub type Sink<'a> = &'a mut dyn FnMut(u64, Incident);

/// What a source needs of its parser.
pub struct Tools<'a> {
    /// Makes records.
    pub maker: &'a mut Maker,
    /// The formats.
    pub formats: &'a Formats,
    /// The only one that counts.
    pub forced: Option<usize>,
    /// Some formats are a person's own: they are asked of every line.
    pub own: bool,
}

/// A line and where it stood.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// What is around it.
    pub around: Around<'a>,
    /// The line with all its envelopes.
    pub raw: &'a [u8],
    /// Its number in the stream.
    pub number: u64,
}

/// The state of a source.
#[derive(Debug, Default)]
pub struct Source {
    assembler: Assembler<u64>,
    desk: Desk,
    /// Place of the format that was found last.
    format: Option<usize>,
    lines: u64,
}

impl Source {
    /// Whether something waits for the next line.
    pub fn is_open(&self) -> bool {
        self.desk.pending.is_some() || self.assembler.is_open()
    }

    /// Whether its last format was this one.
    pub fn is(&self, format: Option<usize>) -> bool {
        format.is_some() && self.format == format
    }

    /// The number of the first line that waits.
    pub fn first(&self) -> Option<u64> {
        let pending = self.desk.pending.as_ref().map(|pending| pending.number);
        let held = self.desk.held.drafts.first().map(|(_, number, _)| *number);
        pending.into_iter().chain(held).min()
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        let pending = self
            .desk
            .pending
            .as_ref()
            .map_or(0, |pending| pending.original.len() * 2);
        // The assembler has them too.
        self.desk.held.raw.len() * 2 + pending
    }

    /// Takes in a line, or a record of several.
    pub fn line(&mut self, text: &[u8], at: &At<'_>, tools: &mut Tools<'_>, sink: Sink<'_>) {
        let several = memchr::memchr(b'\n', text).is_some();
        let whole_text;
        let entry = if self.may_be_entry(text, at, tools) || several {
            whole_text = clean::lossy(text);
            self.read(&whole_text, tools)
        } else {
            None
        };
        let Some((index, mut entry)) = entry else {
            let facts = Facts {
                around: at.around,
                entry: None,
                text,
            };
            if several {
                let entry = Entry {
                    exception: embedded::trace(&clean::lossy(text)),
                    ..Entry::default()
                };
                self.whole(entry.exception, &facts, at, tools, sink);
            } else {
                // Another level of the envelope is another record.
                let level = at.around.level.map(|level| level.number);
                if self.assembler.is_open() && self.desk.outer != level {
                    self.close(tools, sink);
                }
                self.desk.outer = level;
                self.feed(text, &facts, at, tools, sink);
            }
            return;
        };
        self.format = Some(index);
        let name = tools.formats.get(index).map_or("", LogFormat::name);
        if several && entry.exception.is_none() {
            entry.exception = entry.message.as_deref().and_then(embedded::trace);
        }
        let exception = entry.exception.take();
        if !self.goes_on(index, &entry) {
            self.close(tools, sink);
        }
        let message = entry.message.as_deref().unwrap_or_default().as_bytes();
        let facts = Facts {
            around: at.around,
            entry: Some((&entry, name)),
            text,
        };
        if exception.is_some() || several || message.contains(&b'\n') {
            self.whole(exception, &facts, at, tools, sink);
        } else {
            if !self.assembler.is_open() {
                self.desk.flush(sink);
            }
            self.desk.prefix = Some(index);
            self.feed(message, &facts, at, tools, sink);
        }
    }

    /// Ends the open trace; an error line before it still waits.
    fn close(&mut self, tools: &mut Tools<'_>, sink: Sink<'_>) {
        if !self.assembler.is_open() {
            return;
        }
        let Self {
            assembler, desk, ..
        } = self;
        assembler.close(&mut |piece| desk.piece(piece, None, tools, sink));
        desk.held.clear();
    }

    /// Ends all that is open.
    pub fn end(&mut self, tools: &mut Tools<'_>, sink: Sink<'_>) {
        self.close(tools, sink);
        self.desk.flush(sink);
    }

    /// Whether formats are asked about a line at all.
    fn may_be_entry(&self, text: &[u8], at: &At<'_>, tools: &Tools<'_>) -> bool {
        let Some(first) = text.first() else {
            return false;
        };
        if tools.own {
            return true;
        }
        match first {
            b'\t' => false,
            // Spring Boot's, behind the time of a container.
            b' ' => at.around.time.is_some() && gate::may_have_level(text),
            b'{' => true,
            // What is open may end with any record.
            // An inner level below ERROR wins over the envelope's.
            _ => {
                self.is_open()
                    || at.around.level.is_some_and(Level::is_error)
                    || gate::may_have_level(text)
            }
        }
    }

    /// Asks the formats, the last one that was right first.
    fn read<'a>(&self, text: &'a str, tools: &Tools<'_>) -> Option<(usize, Entry<'a>)> {
        let first = text.bytes().next()?;
        let ask = |index: usize, sure: bool| {
            let format = tools
                .formats
                .get(index)
                .filter(|format| format.begins(first))?;
            format.read(text, sure).map(|entry| (index, entry))
        };
        if let Some(forced) = tools.forced {
            return ask(forced, true);
        }
        let known = self.format.and_then(|index| ask(index, false));
        known.or_else(|| {
            let count = tools.formats.iter().count();
            (0..count)
                .filter(|index| Some(*index) != self.format)
                .find_map(|index| ask(index, false))
        })
    }

    /// Whether a record is a line of the open trace: some loggers put their
    /// head before every line of a trace.
    fn goes_on(&self, format: usize, entry: &Entry<'_>) -> bool {
        if !self.assembler.is_open() || self.desk.prefix != Some(format) {
            return false;
        }
        let message = entry.message.as_deref().unwrap_or_default();
        let more = message.is_empty()
            || message.starts_with([' ', '\t'])
            || message.starts_with("at ")
            || message.starts_with("File \"")
            || message.starts_with("Caused by: ");
        self.desk.held.lines() > 1 || more
    }

    /// A record that is complete by itself.
    fn whole(
        &mut self,
        exception: Option<Box<Exception>>,
        facts: &Facts<'_>,
        at: &At<'_>,
        tools: &mut Tools<'_>,
        sink: Sink<'_>,
    ) {
        self.close(tools, sink);
        self.desk.flush(sink);
        if let Some(exception) = exception {
            let mut draft = tools.maker.draft(facts);
            draft.add(*exception);
            sink(at.number, draft.finish(at.raw));
        } else if facts.is_error() {
            let draft = tools.maker.draft(facts);
            self.desk.wait(draft, at.number, at.raw.to_vec());
        }
    }

    fn feed(
        &mut self,
        line: &[u8],
        facts: &Facts<'_>,
        at: &At<'_>,
        tools: &mut Tools<'_>,
        sink: Sink<'_>,
    ) {
        self.lines += 1;
        let n = self.lines;
        let Self {
            assembler, desk, ..
        } = self;
        desk.done = None;
        let now = Now { n, facts, at };
        assembler.line(line, n, &mut |piece| {
            desk.piece(piece, Some(&now), tools, sink)
        });
        if !assembler.is_open() {
            desk.held.clear();
            desk.prefix = None;
            return;
        }
        let done = desk.done.unwrap_or(0);
        desk.held.drop_until(done);
        if done < n {
            let first = desk.held.lines() == 0;
            if facts.entry.is_none() {
                desk.prefix = None;
            }
            let draft = (first || facts.is_error()).then(|| tools.maker.draft(facts));
            desk.held.push(n, at, draft);
        }
    }
}

/// The line that is being taken in.
struct Now<'a> {
    n: u64,
    facts: &'a Facts<'a>,
    at: &'a At<'a>,
}

#[derive(Debug, Default)]
struct Desk {
    pending: Option<Box<Pending>>,
    held: Held,
    /// Last line that came out of the assembler.
    done: Option<u64>,
    /// All lines of the open trace have a head of this format.
    prefix: Option<usize>,
    /// Level of the envelope around the last line.
    outer: Option<u8>,
}

/// An error line that waits for its trace.
#[derive(Debug)]
struct Pending {
    draft: Draft,
    number: u64,
    original: Vec<u8>,
    /// Bytes of its own line; the rest may be its trace's.
    own: usize,
    gap: u32,
    blank: u32,
}

impl Desk {
    fn flush(&mut self, sink: Sink<'_>) {
        if let Some(pending) = self.pending.take() {
            let original = pending.original.get(..pending.own).unwrap_or_default();
            sink(pending.number, pending.draft.finish(original));
        }
    }

    fn wait(&mut self, draft: Draft, number: u64, original: Vec<u8>) {
        let own = original.len();
        self.pending = Some(Box::new(Pending {
            draft,
            number,
            original,
            own,
            gap: 0,
            blank: 0,
        }));
    }

    /// A line that is no error stands behind one.
    fn between(&mut self, line: &[u8], raw: &[u8], is_record: bool, sink: Sink<'_>) {
        let Some(pending) = &mut self.pending else {
            return;
        };
        let blank = line.first().is_none_or(u8::is_ascii_whitespace);
        if blank {
            pending.blank += 1;
        } else {
            pending.gap += 1;
        }
        if is_record && !line.is_empty()
            || pending.gap > GAP
            || pending.blank > BLANK_GAP
            || raw.len() > 64 << 10
        {
            self.flush(sink);
        } else {
            pending.original.push(b'\n');
            pending.original.extend_from_slice(raw);
        }
    }

    fn piece(
        &mut self,
        piece: Piece<'_, u64>,
        now: Option<&Now<'_>>,
        tools: &mut Tools<'_>,
        sink: Sink<'_>,
    ) {
        match piece {
            Piece::Plain(line, n) => {
                self.done = Some(n);
                match now.filter(|now| now.n == n) {
                    Some(now) if now.facts.is_error() => {
                        self.flush(sink);
                        let draft = tools.maker.draft(now.facts);
                        self.wait(draft, now.at.number, now.at.raw.to_vec());
                    }
                    Some(now) => self.between(line, now.at.raw, now.facts.is_record(), sink),
                    None => self.released(line, n, sink),
                }
            }
            Piece::Trace(exception, n) => self.trace(*exception, n, now, tools, sink),
        }
    }

    /// A line that was held and is of no trace.
    fn released(&mut self, line: &[u8], n: u64, sink: Sink<'_>) {
        let raw = self.held.original(n, n, &[]);
        match self.held.take(n) {
            Some((number, draft)) if draft.is_error => {
                self.flush(sink);
                self.wait(draft, number, raw);
            }
            Some((_, draft)) => self.between(line, &raw, draft.incident.severity.number > 0, sink),
            None => self.between(line, &raw, false, sink),
        }
    }

    fn trace(
        &mut self,
        exception: Exception,
        n: u64,
        now: Option<&Now<'_>>,
        tools: &mut Tools<'_>,
        sink: Sink<'_>,
    ) {
        let breaks =
            memchr::memchr_iter(b'\n', exception.text.trim_end_matches('\n').as_bytes()).count();
        let last = n + breaks as u64;
        self.done = Some(last);
        let current = now
            .filter(|now| now.n <= last)
            .map_or(&b""[..], |now| now.at.raw);
        let lines = self.held.original(n, last, current);
        let (number, mut draft) = match (self.held.take(n), now.filter(|now| now.n == n)) {
            (Some(found), _) => found,
            (None, Some(now)) => (now.at.number, tools.maker.draft(now.facts)),
            (None, None) => {
                let nothing = Facts {
                    around: Around::default(),
                    entry: None,
                    text: b"",
                };
                (self.first_number(), tools.maker.draft(&nothing))
            }
        };
        let own_record = draft.own_level;
        if let Some(mut pending) = self.pending.take() {
            if own_record {
                self.pending = Some(pending);
                self.flush(sink);
            } else {
                pending.original.push(b'\n');
                pending.original.extend_from_slice(&lines);
                pending.draft.add(exception);
                sink(pending.number, pending.draft.finish(&pending.original));
                return;
            }
        }
        draft.add(exception);
        sink(number, draft.finish(&lines));
    }

    fn first_number(&self) -> u64 {
        self.held.drafts.first().map_or(0, |(_, number, _)| *number)
    }
}

/// Lines that the assembler holds, as they were.
#[derive(Debug, Default)]
struct Held {
    /// Lines with their ends.
    raw: Vec<u8>,
    /// Where each one ends in `raw`.
    ends: Vec<usize>,
    /// The source's number of the first.
    first: u64,
    /// Lines that begin something, with the source's and the stream's number.
    drafts: Vec<(u64, u64, Draft)>,
}

impl Held {
    fn lines(&self) -> usize {
        self.ends.len()
    }

    fn clear(&mut self) {
        self.raw.clear();
        self.raw.shrink_to(64 << 10);
        self.ends.clear();
        self.drafts.clear();
    }

    fn push(&mut self, n: u64, at: &At<'_>, draft: Option<Draft>) {
        if self.ends.is_empty() {
            self.first = n;
            self.raw.clear();
        }
        self.raw.extend_from_slice(at.raw);
        self.raw.push(b'\n');
        self.ends.push(self.raw.len());
        if let Some(draft) = draft {
            self.drafts.push((n, at.number, draft));
        }
    }

    fn index(&self, n: u64) -> usize {
        usize::try_from(n.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }

    /// Lines from `from` to `to`, without the last line's end; `current`
    /// follows where it is not empty.
    fn original(&self, from: u64, to: u64, current: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        if !self.ends.is_empty() && from >= self.first {
            let start = match self.index(from) {
                0 => 0,
                index => self.ends.get(index - 1).copied().unwrap_or(self.raw.len()),
            };
            let end = self
                .ends
                .get(self.index(to))
                .copied()
                .unwrap_or(self.raw.len());
            all.extend_from_slice(self.raw.get(start..end).unwrap_or_default());
        }
        all.extend_from_slice(current);
        if all.last() == Some(&b'\n') {
            all.pop();
        }
        all
    }

    fn take(&mut self, n: u64) -> Option<(u64, Draft)> {
        let index = self.drafts.iter().position(|(line, _, _)| *line == n)?;
        let (_, number, draft) = self.drafts.remove(index);
        Some((number, draft))
    }

    /// Forgets lines up to this one.
    fn drop_until(&mut self, n: u64) {
        if self.ends.is_empty() || n < self.first {
            return;
        }
        let count = self.index(n).saturating_add(1);
        if count >= self.ends.len() {
            self.clear();
            return;
        }
        let cut = self.ends.get(count - 1).copied().unwrap_or(0);
        self.raw.drain(..cut);
        self.ends.drain(..count);
        self.ends.iter_mut().for_each(|end| *end -= cut);
        self.first = n + 1;
        self.drafts.retain(|(line, _, _)| *line > n);
    }
}
