//! Lines that go on in the next record of their source.

use hashbrown::HashMap;

use super::{
    core::{HELD_MAX, SOURCES_MAX},
    lines::LINE_MAX,
};

/// Parts of lines, by their sources.
#[derive(Debug, Default)]
pub struct Partials {
    all: HashMap<u64, Partial>,
    skipped: u64,
}

/// What there is of a line.
#[derive(Debug, Default)]
pub struct Partial {
    /// Without envelopes.
    pub text: Vec<u8>,
    /// With them.
    pub raw: Vec<u8>,
    /// The number of the line that it had its last part from.
    used: u64,
}

impl Partials {
    /// Bytes that found no room.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Keeps a part of a line for the next one.
    pub fn keep(&mut self, key: u64, text: &[u8], raw: &[u8], now: u64) {
        if self.all.len() >= SOURCES_MAX / 8 && !self.all.contains_key(&key) {
            let oldest = self.all.iter().min_by_key(|(_, partial)| partial.used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.all.remove(&oldest);
            }
        }
        // What all of them may have, shared.
        let most = (HELD_MAX / (2 * (self.all.len() + 1))).min(LINE_MAX);
        let partial = self.all.entry(key).or_default();
        partial.used = now;
        if !partial.raw.is_empty() && partial.raw.len() < most {
            partial.raw.push(b'\n');
        }
        self.skipped += append(&mut partial.text, text, most);
        append(&mut partial.raw, raw, most);
    }

    /// The line that ends with this part; `None` where the part is all of it.
    pub fn take(&mut self, key: u64, text: &[u8], raw: &[u8]) -> Option<Partial> {
        if self.all.is_empty() {
            return None;
        }
        let mut partial = self.all.remove(&key)?;
        self.skipped += append(&mut partial.text, text, LINE_MAX);
        partial.raw.push(b'\n');
        append(&mut partial.raw, raw, LINE_MAX);
        Some(partial)
    }

    /// All of them, the oldest first.
    pub fn drain(&mut self) -> Vec<(u64, Partial)> {
        let mut all: Vec<_> = self.all.drain().collect();
        all.sort_by_key(|(_, partial)| partial.used);
        all
    }
}

/// Appends up to a length; says how many bytes found no room.
fn append(to: &mut Vec<u8>, text: &[u8], most: usize) -> u64 {
    let room = most.saturating_sub(to.len()).min(text.len());
    let (kept, over) = text.split_at(room);
    to.extend_from_slice(kept);
    over.len() as u64
}
