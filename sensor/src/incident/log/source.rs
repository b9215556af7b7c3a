//! One source of lines: a stream, a container, a unit, a pid.
//!
//! An error line waits for the trace that may follow it; the lines of an open
//! trace are held as they were. Both are bounded.

use super::{
    clean,
    desk::{Desk, Now},
    draft::{Around, Facts, Maker},
    embedded,
    format::{Entry, Formats, LogFormat, jul},
    gate,
    level::Level,
    prefix::Prefix,
};
use crate::incident::{
    exception::{Assembler, Exception},
    find,
    record::Incident,
};

/// Most bytes of a head of two lines with its envelopes.
const HEAD_MAX: usize = 4 << 10;

/// Takes a complete incident, with the number of the line it began with.
pub type Sink<'a> = &'a mut dyn FnMut(u64, Box<Incident>);

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
    pub around: &'a Around<'a>,
    /// The line with all its envelopes.
    pub raw: &'a [u8],
    /// Its number in the stream.
    pub number: u64,
    /// It came out of an envelope, which may have had several lines in it.
    pub opened: bool,
}

impl At<'_> {
    /// Whether a text from there has several lines.
    fn is_several(&self, text: &[u8]) -> bool {
        self.opened && find::first(text, b'\n').is_some()
    }
}

/// The state of a source.
#[derive(Debug, Default)]
pub struct Source {
    assembler: Assembler<u64>,
    desk: Desk,
    /// Place of the format that was found last.
    format: Option<usize>,
    lines: u64,
    /// The last line, where it may be the head of a record of two, and with
    /// its envelopes.
    head: Option<(Vec<u8>, Vec<u8>)>,
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
        let head = self.head.take();
        // A whole record around a short text is not worth to be kept.
        if jul::may_be_head(text) && at.raw.len() <= HEAD_MAX {
            self.head = Some((text.to_vec(), at.raw.to_vec()));
        } else if let Some((head, raw)) = head
            && jul::may_be_body(text)
            && self.two_lines((&head, &raw), text, at, tools, sink)
        {
            return;
        }
        let several = at.is_several(text);
        let whole_text;
        let entry = if self.may_be_entry(text, at, tools) || several {
            whole_text = clean::lossy(text);
            self.read(&whole_text, tools)
        } else {
            None
        };
        let Some((index, entry)) = entry else {
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
                if self.desk.says(at.around.level) {
                    self.close(tools, sink);
                }
                self.feed(text, &facts, at, tools, sink);
            }
            return;
        };
        self.entry(index, entry, text, at, tools, sink);
    }

    /// A line that a format has read.
    fn entry(
        &mut self,
        index: usize,
        mut entry: Entry<'_>,
        text: &[u8],
        at: &At<'_>,
        tools: &mut Tools<'_>,
        sink: Sink<'_>,
    ) {
        let several = at.is_several(text);
        self.format = Some(index);
        self.desk.says(at.around.level);
        let name = tools.formats.get(index).map_or("", LogFormat::name);
        if several && entry.exception.is_none() {
            entry.exception = entry.message.as_deref().and_then(embedded::trace);
        }
        let exception = entry.exception.take();
        let part = self.goes_on(index, &entry, text);
        if part.is_none() {
            self.close(tools, sink);
        }
        let whole = entry.message.as_deref().unwrap_or_default().as_bytes();
        let message = part.unwrap_or(whole);
        let facts = Facts {
            around: at.around,
            entry: Some((&entry, name)),
            text,
        };
        if exception.is_some() || several || find::first(message, b'\n').is_some() {
            self.whole(exception, &facts, at, tools, sink);
        } else {
            self.feed(message, &facts, at, tools, sink);
        }
    }

    /// A record whose head stood in the line before; says whether it is one.
    fn two_lines(
        &mut self,
        (head, raw): (&[u8], &[u8]),
        text: &[u8],
        at: &At<'_>,
        tools: &mut Tools<'_>,
        sink: Sink<'_>,
    ) -> bool {
        let java = tools.formats.java();
        let (head, text) = (clean::lossy(head), clean::lossy(text));
        let wanted = tools.forced.is_none() || tools.forced == java;
        let entry = jul::read(&head, &text).filter(|_| wanted);
        let Some((java, entry)) = java.zip(entry) else {
            return false;
        };
        let raw = [raw, at.raw].join(&b'\n');
        let at = At { raw: &raw, ..*at };
        self.entry(java, entry, text.as_bytes(), &at, tools, sink);
        true
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
            // tracing's pretty format begins with two blanks.
            b' ' => {
                (at.around.time.is_some() || text.get(2).is_some_and(u8::is_ascii_digit))
                    && gate::may_have_level(text)
            }
            b'{' => true,
            // What is open may end with any record.
            _ if self.is_open() && gate::may_be_record(text) => true,
            // An inner level below ERROR wins over the envelope's.
            _ => at.around.level.is_some_and(Level::is_error) || gate::may_have_level(text),
        }
    }

    /// Asks the formats, the last one that was right first.
    fn read<'a>(&self, text: &'a str, tools: &Tools<'_>) -> Option<(usize, Entry<'a>)> {
        let first = text.bytes().next()?;
        let ask = |index: usize, sure: bool| {
            let entry = tools.formats.get(index)?.read(text, sure)?;
            Some((index, entry))
        };
        let asked = tools.formats.asked(first);
        if let Some(forced) = tools.forced {
            return asked.contains(&forced).then(|| ask(forced, true))?;
        }
        let known = self.format.filter(|index| asked.contains(index));
        let known = known.and_then(|index| ask(index, false));
        known.or_else(|| {
            let others = asked.iter();
            others
                .filter(|index| Some(**index) != self.format)
                .find_map(|index| ask(*index, false))
        })
    }

    /// The message of a record that is a line of the open trace: some loggers
    /// put their head before every line.
    fn goes_on<'a>(&self, format: usize, entry: &'a Entry<'_>, text: &'a [u8]) -> Option<&'a [u8]> {
        let prefix = self.desk.prefix.as_ref()?;
        let open = self.assembler.is_open();
        open.then(|| prefix.message(format, entry, text))?
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
            draft.add(exception);
            sink(at.number, draft.finish(at.raw.to_vec()));
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
            match (facts.entry.zip(self.format), &mut desk.prefix) {
                (None, _) => desk.prefix = None,
                (Some(_), Some(prefix)) if !first => prefix.saw(line),
                (Some(((entry, _), format)), prefix) if first => {
                    *prefix = Some(Prefix::of(format, entry, facts.text));
                }
                // It began without a head.
                (Some(_), _) => {}
            }
            let draft = (first || facts.is_error()).then(|| tools.maker.draft(facts));
            desk.held.push(n, at, draft);
        }
    }
}
