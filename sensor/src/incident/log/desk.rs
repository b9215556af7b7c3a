//! What waits in a source: an error line for its trace, and drafts of lines
//! that are held.

use std::ops::Range;

use super::{
    clean,
    draft::{Around, Draft, Facts},
    held::Held,
    level::Level,
    prefix::Prefix,
    source::{At, Sink, Tools},
    time::{Civil, When},
};
use crate::incident::exception::{Exception, Piece};

/// Lines without a level that may stand between an error line and its trace.
const GAP: u32 = 4;
/// The same for blank and indented lines.
const BLANK_GAP: u32 = 16;
/// ns that may lie between the lines of one record.
const SAME_TIME: u64 = 100_000_000;

/// The line that is being taken in.
pub struct Now<'a> {
    pub n: u64,
    pub facts: &'a Facts<'a>,
    pub at: &'a At<'a>,
}

#[derive(Debug, Default)]
pub struct Desk {
    pub pending: Option<Box<Pending>>,
    pub held: Held,
    /// Last line that came out of the assembler.
    pub done: Option<u64>,
    /// The head that all lines of the open trace have.
    pub prefix: Option<Prefix>,
    /// Level of the envelope around the last line.
    outer: Option<u8>,
    /// The line before that had another one.
    turned: bool,
}

/// An error line that waits for its trace.
#[derive(Debug)]
pub struct Pending {
    draft: Draft,
    pub number: u64,
    pub original: Vec<u8>,
    /// Bytes of its own line; the rest may be its trace's.
    own: usize,
    gap: u32,
    blank: u32,
}

impl Desk {
    /// Notes the level of the envelope around a line; says whether it is
    /// another one than before.
    pub fn says(&mut self, outer: Option<&Level<'_>>) -> bool {
        let outer = outer.map(|level| level.number);
        self.turned = self.outer != outer;
        self.outer = outer;
        self.turned
    }

    pub fn flush(&mut self, sink: Sink<'_>) {
        if let Some(mut pending) = self.pending.take() {
            pending.original.truncate(pending.own);
            sink(pending.number, pending.draft.finish(pending.original));
        }
    }

    pub fn wait(&mut self, draft: Draft, number: u64, original: Vec<u8>) {
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
            // .NET puts the message below its head.
            let body = &mut pending.draft.incident.body;
            if body.is_none() && line.starts_with(b"  ") && !line.trim_ascii().is_empty() {
                *body = Some(clean::lossy(line.trim_ascii()).into_owned());
                pending.own = pending.original.len();
            }
        }
    }

    pub fn piece(
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
                    Some(now) => {
                        // journald puts the same level around all that a
                        // service prints: a new one makes another record.
                        let record = now.facts.entry.is_some() || self.turned;
                        self.between(line, now.at.raw, record, sink);
                    }
                    None => self.released(line, n, sink),
                }
            }
            Piece::Trace(exception, n, lines) => {
                self.trace(exception, n..n + lines as u64, now, tools, sink)
            }
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
        exception: Box<Exception>,
        Range { start: n, end }: Range<u64>,
        now: Option<&Now<'_>>,
        tools: &mut Tools<'_>,
        sink: Sink<'_>,
    ) {
        let last = end - 1;
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
                    around: Around::NOTHING,
                    entry: None,
                    text: b"",
                };
                (self.first_number(), tools.maker.draft(&nothing))
            }
        };
        // Such as PHP's, behind its own time.
        let stamp = head_time(&exception.text);
        if let Some(time) = stamp
            && draft.incident.time.is_none()
        {
            draft.incident.time = tools.maker.clock.nanos(time);
        }
        let one_by_one = last > n && self.prefix.is_some();
        let own_record = stamp.is_some() || draft.own_level && !(one_by_one && self.is_kin(&draft));
        if let Some(mut pending) = self.pending.take() {
            if own_record {
                self.pending = Some(pending);
                self.flush(sink);
            } else {
                pending.original.push(b'\n');
                pending.original.extend_from_slice(&lines);
                pending.draft.add(exception);
                sink(pending.number, pending.draft.finish(pending.original));
                return;
            }
        }
        if exception.needs_error() && !draft.is_error {
            return;
        }
        draft.add(exception);
        sink(number, draft.finish(lines));
    }

    /// Whether a line that waits was written by whoever wrote this one, at the
    /// same time.
    fn is_kin(&self, draft: &Draft) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            let (one, other) = (&pending.draft.incident, &draft.incident);
            let time = one.time.zip(other.time);
            one.origin.format == other.origin.format
                && one.origin.logger == other.origin.logger
                && one.severity.number == other.severity.number
                && one.pid == other.pid
                && time.is_some_and(|(one, other)| one.abs_diff(other) < SAME_TIME)
        })
    }

    fn first_number(&self) -> u64 {
        self.held.drafts.first().map_or(0, |(_, number, _)| *number)
    }
}

/// The time that a trace begins with, in brackets or not.
fn head_time(text: &str) -> Option<When> {
    let text = text.strip_prefix('[').unwrap_or(text);
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    Civil::scan(text).map(|(civil, _)| When::Civil(civil))
}
