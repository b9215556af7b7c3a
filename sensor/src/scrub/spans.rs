//! What is to be masked in a line, and the masking.

use std::ops::Range;

/// What stands in for a secret.
pub const MASK: &[u8] = b"********";

/// One secret in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Where its name begins: without it the secret would not be known.
    pub(super) from: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn new(from: usize, secret: Range<usize>) -> Self {
        Self {
            from,
            start: secret.start,
            end: secret.end,
        }
    }
}

/// Sorts the spans and joins those that overlap or touch.
pub(super) fn merge(spans: &mut Vec<Span>) {
    spans.sort_unstable_by_key(|span| (span.start, span.end));
    spans.dedup_by(|next, kept| {
        let joins = next.start <= kept.end;
        if joins {
            kept.from = kept.from.min(next.from);
            kept.end = kept.end.max(next.end);
        }
        joins
    });
}

/// Writes the line with merged spans masked; returns how many were not yet.
pub(super) fn mask(line: &[u8], spans: &[Span], out: &mut Vec<u8>) -> u64 {
    let mut count = 0;
    let mut done = 0;
    for span in spans {
        out.extend_from_slice(&line[done..span.start]);
        out.extend_from_slice(MASK);
        done = span.end;
        if &line[span.start..span.end] != MASK {
            count += 1;
        }
    }
    out.extend_from_slice(&line[done..]);
    count
}
