//! Lines become traces.

use std::{borrow::Cow, sync::Arc};

use super::{
    Begin, Exception, Next, State,
    registry::{Parsers, shipped},
};

/// Most lines of a trace.
pub const MAX_LINES: usize = 64 * 1024;

/// Most bytes of a trace.
pub const MAX_BYTES: usize = 1024 * 1024;

/// From so many bytes on a line that would make a trace too long is rather cut
/// than left out: it is the message, or has it.
const LONG_LINE: usize = 64 * 1024;

/// Most lines in a row that are parts only if a later line is one.
const MAX_DOUBTFUL: usize = 64;

/// What came out of the lines of one source.
#[derive(Debug, PartialEq)]
pub enum Piece<'a, T> {
    /// A line of no trace.
    Plain(&'a [u8], T),
    /// A whole trace, with the mark of its first line, and its lines.
    Trace(Box<Exception>, T, usize),
}

/// Puts the traces of one source together; bounded by [`MAX_LINES`] and
/// [`MAX_BYTES`]. `T` marks a line for the caller.
///
/// Several parsers may take an interest in one first line. The trace is that of
/// the one which recognises most of the lines that follow.
#[derive(Debug)]
pub struct Assembler<T> {
    parsers: Arc<Parsers>,
    /// The lines held, each with a line feed.
    text: Vec<u8>,
    lines: Vec<Held<T>>,
    /// The first line that has not come out yet.
    start: usize,
    /// The first line that the open trace has not seen yet.
    next: usize,
    /// The readers of the open trace; none where nothing is open.
    readers: Vec<Reader>,
    /// The last line that was asked whether it begins another trace, never the
    /// first one, and the readers of that.
    ahead: usize,
    others: Vec<Reader>,
    /// How many lines in a row no reader was sure of.
    doubtful: usize,
}

#[derive(Debug)]
struct Held<T> {
    /// Where it ends in the text, line feed included.
    end: usize,
    mark: T,
}

/// A parser and how far it got in the open trace.
#[derive(Debug, Clone, Copy)]
struct Reader {
    parser: usize,
    state: State,
    /// How many lines are a trace for sure.
    sure: usize,
    /// Whether the trace may go on.
    open: bool,
}

/// What a line was to an open trace.
enum Step {
    GoesOn,
    /// The trace ended with it.
    Ends,
    /// The trace ended before it.
    Ended,
}

impl<T: Clone> Default for Assembler<T> {
    fn default() -> Self {
        Self::new(shipped())
    }
}

impl<T: Clone> Assembler<T> {
    /// One that knows these parsers.
    #[must_use]
    pub fn new(parsers: Arc<Parsers>) -> Self {
        Self {
            parsers,
            text: Vec::new(),
            lines: Vec::new(),
            start: 0,
            next: 0,
            readers: Vec::new(),
            ahead: 0,
            others: Vec::new(),
            doubtful: 0,
        }
    }

    /// Takes in a line without its end. Pieces come out in the order of their
    /// first lines; lines of a trace that is open are held.
    pub fn line(&mut self, line: &[u8], mark: T, out: &mut dyn FnMut(Piece<'_, T>)) {
        if self.readers.is_empty() {
            if !self.begin(line) {
                out(Piece::Plain(line, mark));
                return;
            }
            self.next = 1;
            self.hold(line, mark);
            return;
        }
        let full = self.text.len() + line.len() >= MAX_BYTES;
        // A first line that is too long is a trace only with one more.
        let short = line.len() < LONG_LINE && self.lines.len() > 1;
        if self.lines.len() >= MAX_LINES || full && short {
            self.close(out);
            return self.line(line, mark, out);
        }
        self.hold(line, mark);
        self.pump(false, out);
        if self.text.len() >= MAX_BYTES && self.next > self.start + 1 {
            self.close(out);
        }
    }

    /// Whether lines are held.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.readers.is_empty()
    }

    /// Ends the open trace: the source ended, was silent for a while, or said
    /// something that belongs to no trace for sure.
    pub fn close(&mut self, out: &mut dyn FnMut(Piece<'_, T>)) {
        self.pump(true, out);
    }

    fn hold(&mut self, line: &[u8], mark: T) {
        self.text.extend_from_slice(line);
        self.text.push(b'\n');
        let end = self.text.len();
        self.lines.push(Held { end, mark });
    }

    /// Goes on with the lines that the open trace has not seen, and begins anew
    /// with what an ended trace left over.
    fn pump(&mut self, closing: bool, out: &mut dyn FnMut(Piece<'_, T>)) {
        loop {
            if self.readers.is_empty() {
                if self.start == self.lines.len() {
                    break;
                }
                if !self.begin_at_start() {
                    let mark = self.lines[self.start].mark.clone();
                    out(Piece::Plain(&self.text[self.span(self.start)], mark));
                    self.start += 1;
                }
                self.next = self.start + 1;
            } else if self.next < self.lines.len() {
                match self.step() {
                    Step::GoesOn => self.next += 1,
                    Step::Ends => {
                        self.next += 1;
                        self.end(out);
                    }
                    Step::Ended => self.end(out),
                }
            } else if closing {
                self.end(out);
            } else {
                break;
            }
        }
        self.forget();
        self.ahead = 0;
    }

    /// Lets go of the lines that came out.
    fn forget(&mut self) {
        if self.start == 0 {
            return;
        }
        if self.start == self.lines.len() {
            self.text.clear();
            self.lines.clear();
        } else {
            let bytes = self.lines[self.start - 1].end;
            self.text.drain(..bytes);
            self.lines.drain(..self.start);
            for line in &mut self.lines {
                line.end -= bytes;
            }
        }
        self.next -= self.start;
        self.start = 0;
    }

    /// Where a line is in the text, without its line feed.
    fn span(&self, line: usize) -> std::ops::Range<usize> {
        self.offset(line)..self.lines[line].end - 1
    }

    /// Where a line begins in the text.
    fn offset(&self, line: usize) -> usize {
        line.checked_sub(1)
            .map_or(0, |before| self.lines[before].end)
    }

    /// Asks all parsers whether a trace begins here.
    fn begin(&mut self, line: &[u8]) -> bool {
        ask(&self.parsers, line, &mut self.readers);
        self.doubtful = 0;
        !self.readers.is_empty()
    }

    /// The same of the first line that is held.
    fn begin_at_start(&mut self) -> bool {
        if self.ahead > 0 && self.ahead == self.start {
            std::mem::swap(&mut self.readers, &mut self.others);
        } else {
            let span = self.span(self.start);
            ask(&self.parsers, &self.text[span], &mut self.readers);
        }
        self.doubtful = 0;
        !self.readers.is_empty()
    }

    /// Shows the next line to the readers of the open trace.
    fn step(&mut self) -> Step {
        let line = &self.text[self.span(self.next)];
        let seen = self.next - self.start;
        let (mut part, mut last, mut weak, mut open) = (false, false, false, false);
        for reader in self.readers.iter_mut().filter(|reader| reader.open) {
            match self
                .parsers
                .get(reader.parser)
                .goes_on(&mut reader.state, line)
            {
                Next::Part => (reader.sure, part) = (seen + 1, true),
                Next::Last => (reader.sure, last) = (seen + 1, true),
                // Taken back below, where another trace begins here.
                Next::Weak => (reader.sure, weak) = (seen + 1, true),
                Next::Maybe => {}
                Next::No => reader.open = false,
                Next::Back(lines) => {
                    reader.open = false;
                    let lines = usize::try_from(lines).unwrap_or(usize::MAX);
                    reader.sure = reader.sure.saturating_sub(lines);
                }
            }
            open |= reader.open;
        }
        if last {
            return Step::Ends;
        }
        if part {
            // Who is not sure now has no say any more.
            if self.readers.len() > 1 {
                self.readers.retain(|reader| reader.sure == seen + 1);
            }
            self.doubtful = 0;
            return Step::GoesOn;
        }
        if open && self.begins_another() {
            for reader in &mut self.readers {
                reader.sure = reader.sure.min(seen);
            }
            return Step::Ended;
        }
        self.doubtful = if weak { 0 } else { self.doubtful + 1 };
        if open && self.doubtful <= MAX_DOUBTFUL {
            Step::GoesOn
        } else {
            Step::Ended
        }
    }

    /// Whether the next line begins a trace, whatever the open one says.
    fn begins_another(&mut self) -> bool {
        let line = &self.text[self.span(self.next)];
        self.others.clear();
        self.ahead = self.next;
        ask(&self.parsers, line, &mut self.others)
    }

    /// The open trace is over: what is a trace comes out as one, and the rest
    /// begins anew.
    fn end(&mut self, out: &mut dyn FnMut(Piece<'_, T>)) {
        let mut readers = std::mem::take(&mut self.readers);
        // Stable: of equals the one that is registered first.
        readers.sort_by_key(|reader| std::cmp::Reverse(reader.sure));
        let begin = self.offset(self.start);
        let trace = readers
            .iter()
            .filter(|reader| reader.sure > 0)
            .find_map(|reader| {
                let (end, sure) = self.bounded(begin, reader.sure);
                let text = lossy(&self.text[begin..end]);
                let mut exception = Box::new(self.parsers.get(reader.parser).parse(&text)?);
                exception.finish(text.into_owned());
                Some((exception, sure))
            });
        readers.clear();
        self.readers = readers;
        let mark = self.lines[self.start].mark.clone();
        if let Some((exception, lines)) = trace {
            out(Piece::Trace(exception, mark, lines));
            self.start += lines;
        } else {
            out(Piece::Plain(&self.text[self.span(self.start)], mark));
            self.start += 1;
        }
    }
}

impl<T> Assembler<T> {
    /// Where the text of a trace ends that begins there and has so many lines,
    /// and how many of them are within the bounds: the last one may be cut.
    fn bounded(&self, begin: usize, mut lines: usize) -> (usize, usize) {
        let most = begin + MAX_BYTES;
        let end = |lines: usize| self.lines[self.start + lines - 1].end - 1;
        while lines > 1 && end(lines - 1) >= most {
            lines -= 1;
        }
        let mut end = end(lines);
        if end > most {
            end = most;
            // Between two characters.
            while end > begin && self.text[end] & 0xc0 == 0x80 {
                end -= 1;
            }
        }
        (end, lines)
    }
}

/// The readers of a trace that begins with this line; says whether one of them
/// wants it even where another trace is open.
fn ask(parsers: &Parsers, line: &[u8], readers: &mut Vec<Reader>) -> bool {
    let mut wanted = false;
    parsers.begin(line, &mut |parser, begin| {
        wanted |= !matches!(begin, Begin::Maybe(_));
        let (state, sure) = match begin {
            Begin::Sure(state) => (state, 1),
            Begin::Likely(state) | Begin::Maybe(state) => (state, 0),
        };
        readers.push(Reader {
            parser,
            state,
            sure,
            open: true,
        });
    });
    wanted
}

/// Text out of bytes: nearly all of them are UTF-8, which is found out faster
/// than `from_utf8_lossy` does.
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// The exceptions in a text that came whole.
#[must_use]
pub fn parse_text(text: &str) -> Vec<Exception> {
    let mut found = Vec::new();
    let mut out = |piece: Piece<'_, ()>| {
        if let Piece::Trace(exception, (), _) = piece {
            found.push(*exception);
        }
    };
    let mut assembler = Assembler::default();
    for line in text.lines() {
        assembler.line(line.as_bytes(), (), &mut out);
    }
    assembler.close(&mut out);
    found
}
