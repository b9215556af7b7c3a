//! A stream of bytes becomes lines of bounded length.

use memchr::{memchr, memchr2};

use super::clean;

/// Longest line that is kept, bytes; what goes beyond is passed over.
pub const LINE_MAX: usize = 1 << 20;

/// Bytes that are looked through at once; the nearest cache holds them until
/// their lines are read.
const BLOCK: usize = 8 << 10;

/// Cuts a stream into lines.
#[derive(Debug, Default)]
pub struct Lines {
    /// A line whose end has not come yet.
    partial: Vec<u8>,
    /// Its bytes that were passed over.
    cut: u64,
    /// Bytes that were passed over, of all lines.
    skipped: u64,
}

/// A line without its end.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// At most [`LINE_MAX`] bytes of it.
    pub bytes: &'a [u8],
    /// How many more there were.
    pub cut: u64,
    /// Nothing in it that [`clean::clean`] would take out but at its end.
    pub is_clean: bool,
}

impl Lines {
    /// Takes in bytes, hands out the lines that ended.
    pub fn feed(&mut self, bytes: &[u8], line: &mut dyn FnMut(Line<'_>)) {
        for block in bytes.chunks(BLOCK) {
            self.block(block, line);
        }
    }

    fn block(&mut self, mut bytes: &[u8], line: &mut dyn FnMut(Line<'_>)) {
        // Of many lines at once that costs next to nothing.
        let is_clean = memchr2(clean::ESCAPE, 0, bytes).is_none();
        while let Some(end) = memchr(b'\n', bytes) {
            let (whole, rest) = bytes.split_at(end);
            if self.partial.is_empty() && whole.len() <= LINE_MAX {
                line(Line {
                    bytes: whole,
                    cut: 0,
                    is_clean,
                });
            } else {
                self.keep(whole);
                self.end(line);
            }
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.keep(bytes);
    }

    /// Hands out the last line, which may have no end.
    pub fn finish(&mut self, line: &mut dyn FnMut(Line<'_>)) {
        if !self.partial.is_empty() {
            self.end(line);
        }
    }

    /// Bytes that were passed over.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_MAX.saturating_sub(self.partial.len());
        let (kept, over) = bytes.split_at(room.min(bytes.len()));
        self.partial.extend_from_slice(kept);
        self.cut += over.len() as u64;
    }

    fn end(&mut self, line: &mut dyn FnMut(Line<'_>)) {
        line(Line {
            bytes: &self.partial,
            cut: self.cut,
            is_clean: false,
        });
        self.skipped += self.cut;
        self.cut = 0;
        self.partial.clear();
        // One long line should not hold its memory for ever.
        self.partial.shrink_to(64 << 10);
    }
}
