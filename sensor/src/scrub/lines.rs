//! Text, line by line, from memory or from a stream.

use std::io::{self, BufRead, Read, Write};

use super::Scrubber;
use super::spans::{Span, mask, merge};
use super::text::scan;
use super::value::{is_blank, is_quote};

/// Longest piece of a line that is held, in bytes.
pub(super) const PIECE_MAX: usize = 1 << 20;

/// How much of a full piece waits for the next one, in bytes, so that a name
/// and its value are seen together.
const OVERLAP: usize = 64 << 10;

/// How near to its piece's end a secret may stop and still go on, in bytes:
/// brackets and dots there were taken for the sentence's.
const CLOSERS: usize = 16;

/// What one line leaves for the next.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    scrubber: &'a Scrubber,
    /// How many more lines an open PEM block may have.
    pem_left: u32,
    /// Set while a secret is longer than a piece: what closes it.
    cut_at: Option<Closer>,
}

#[derive(Debug, Clone, Copy)]
enum Closer {
    Blank,
    Quote(u8),
}

impl<'a> Lines<'a> {
    pub(super) fn new(scrubber: &'a Scrubber) -> Self {
        Self {
            scrubber,
            pem_left: 0,
            cut_at: None,
        }
    }

    pub(super) fn all(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            self.line(line, &mut out);
        }
        out
    }

    /// Scrubs a line with its end.
    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let end = match line {
            [.., b'\r', b'\n'] => line.len() - 2,
            [.., b'\n'] => line.len() - 1,
            _ => line.len(),
        };
        let spans = self.spans(&line[..end]);
        self.scrubber.count(mask(line, &spans, out));
    }

    fn spans(&mut self, line: &[u8]) -> Vec<Span> {
        let mut spans = Vec::new();
        let rules = &self.scrubber.rules;
        let begins = rules.suspects(line) && scan(rules, line, &mut spans);
        if begins || self.pem_left > 0 {
            let mut found = Vec::new();
            self.pem_left = rules.shapes.pem.scan(line, self.pem_left, &mut found);
            spans.extend(
                found
                    .into_iter()
                    .map(|secret| Span::new(secret.start, secret)),
            );
        }
        merge(&mut spans);
        spans
    }

    pub(super) fn stream(&mut self, input: impl BufRead, mut output: impl Write) -> io::Result<()> {
        let mut input = input;
        let mut held = Vec::new();
        let mut out = Vec::new();
        loop {
            let room = PIECE_MAX - held.len();
            let read = input
                .by_ref()
                .take(room as u64)
                .read_until(b'\n', &mut held)?;
            out.clear();
            if held.len() >= PIECE_MAX && !held.ends_with(b"\n") {
                self.piece(&mut held, &mut out);
            } else {
                self.resume(&mut held);
                self.cut_at = None;
                self.line(&held, &mut out);
                held.clear();
            }
            output.write_all(&out)?;
            if read == 0 {
                return output.flush();
            }
        }
    }

    /// Scrubs the larger part of a full piece and leaves the rest in `held`.
    fn piece(&mut self, held: &mut Vec<u8>, out: &mut Vec<u8>) {
        self.resume(held);
        if held.len() < PIECE_MAX {
            return;
        }
        let pem_left = self.pem_left;
        let mut spans = self.spans(held);
        let likely = held.len().saturating_sub(OVERLAP);
        let mut cut = held[..likely]
            .iter()
            .rposition(|byte| is_blank(*byte))
            .map_or(likely, |blank| blank + 1);
        for span in spans.iter().rev() {
            if span.from < cut && cut < span.end {
                cut = span.from;
            }
        }
        if cut == 0 {
            // One secret fills the piece. If it doesn't end here, its rest
            // goes, too.
            let filling = spans.iter().rfind(|span| span.from < likely);
            cut = filling.map_or(held.len(), |span| span.end);
            if cut + CLOSERS >= held.len() {
                let opener = filling.and_then(|span| held[..span.start].last());
                self.cut_at = Some(match opener {
                    Some(quote) if is_quote(*quote) => Closer::Quote(*quote),
                    _ => Closer::Blank,
                });
                cut = held.len();
            }
        } else {
            // What the rest opens is seen again with it.
            self.pem_left = pem_left;
        }
        spans.retain(|span| span.end <= cut);
        self.scrubber.count(mask(&held[..cut], &spans, out));
        held.drain(..cut);
    }

    /// Drops what still belongs to a secret that began in an earlier piece.
    fn resume(&mut self, held: &mut Vec<u8>) {
        let Some(closer) = self.cut_at else {
            return;
        };
        let end = held.iter().position(|byte| match closer {
            Closer::Blank => is_blank(*byte),
            Closer::Quote(quote) => *byte == quote || *byte == b'\n',
        });
        if end.is_some() {
            self.cut_at = None;
        }
        held.drain(..end.unwrap_or(held.len()));
    }
}
