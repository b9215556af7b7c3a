//! Lines that the assembler holds, as they were.

use super::{draft::Draft, source::At};

/// Lines that the assembler holds, as they were.
#[derive(Debug, Default)]
pub struct Held {
    /// Lines with their ends.
    pub raw: Vec<u8>,
    /// Where each one ends in `raw`.
    ends: Vec<usize>,
    /// The source's number of the first.
    first: u64,
    /// Lines that begin something, with the source's and the stream's number.
    pub drafts: Vec<(u64, u64, Draft)>,
}

impl Held {
    pub fn lines(&self) -> usize {
        self.ends.len()
    }

    pub fn clear(&mut self) {
        self.raw.clear();
        self.raw.shrink_to(64 << 10);
        self.ends.clear();
        self.drafts.clear();
    }

    pub fn push(&mut self, n: u64, at: &At<'_>, draft: Option<Draft>) {
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
    pub fn original(&self, from: u64, to: u64, current: &[u8]) -> Vec<u8> {
        let mut kept = &b""[..];
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
            kept = self.raw.get(start..end).unwrap_or_default();
        }
        let mut all = Vec::with_capacity(kept.len() + current.len());
        all.extend_from_slice(kept);
        all.extend_from_slice(current);
        if all.last() == Some(&b'\n') {
            all.pop();
        }
        all
    }

    pub fn take(&mut self, n: u64) -> Option<(u64, Draft)> {
        let index = self.drafts.iter().position(|(line, _, _)| *line == n)?;
        let (_, number, draft) = self.drafts.remove(index);
        Some((number, draft))
    }

    /// Forgets lines up to this one.
    pub fn drop_until(&mut self, n: u64) {
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
