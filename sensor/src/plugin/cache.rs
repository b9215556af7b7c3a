//! Answers that were given before.

use std::collections::HashMap;
use std::sync::Arc;

use super::matcher::ServiceIndex;

/// Longer strings are searched each time: they rarely repeat.
const MAX_KEY_BYTES: usize = 256;
/// Entries of one generation; there are two.
const GENERATION: usize = 2_048;
/// Bytes of one generation.
const GENERATION_BYTES: usize = 256 << 10;
/// What an entry takes beside its key: the key's place, the answer's, and the
/// answer, which most entries have of their own.
const OVERHEAD: usize = 96;

/// What a cache holds, and what it had to forget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// Bytes that it holds, at most.
    pub bytes: u64,
    /// Entries that had to go, or were not kept, for want of room.
    pub evicted: u64,
}

/// What one search found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The services that match.
    pub(super) services: Box<[ServiceIndex]>,
    /// The plugins that exclude the string.
    pub(super) excluded: Box<[usize]>,
}

/// A bounded map from a string to what was found for it.
///
/// Two generations: a full young one becomes the old one, whose entries are
/// dropped unless they were asked for again. So a flood of new names costs
/// memory of two generations at most and does not push out the names that
/// are in use. The hash is keyed: chosen names cannot collide.
#[derive(Debug, Default)]
pub(super) struct Cache {
    young: HashMap<Box<[u8]>, Arc<Answer>>,
    old: HashMap<Box<[u8]>, Arc<Answer>>,
    /// Of the young generation.
    young_bytes: usize,
    /// Of the old one, when it was full.
    old_bytes: usize,
    evicted: u64,
}

impl Cache {
    /// The answer for `key`, where it is known.
    pub(super) fn get(&mut self, key: &[u8]) -> Option<Arc<Answer>> {
        if !self.young.contains_key(key) {
            let (key, answer) = self.old.remove_entry(key)?;
            self.insert(key, answer);
        }
        self.young.get(key).cloned()
    }

    /// Keeps an answer.
    pub(super) fn put(&mut self, key: &[u8], answer: &Arc<Answer>) {
        if key.len() <= MAX_KEY_BYTES {
            self.insert(key.into(), Arc::clone(answer));
        }
    }

    /// Adds what it holds and had to forget.
    pub(super) fn add_to(&self, sum: &mut CacheUse) {
        sum.bytes += (self.young_bytes + self.old_bytes) as u64;
        sum.evicted += self.evicted;
    }

    fn insert(&mut self, key: Box<[u8]>, answer: Arc<Answer>) {
        let lists = size_of_val(&*answer.services) + size_of_val(&*answer.excluded);
        let size = key.len() + lists + OVERHEAD;
        if self.young.len() >= GENERATION || self.young_bytes + size > GENERATION_BYTES {
            self.evicted += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
            self.old_bytes = std::mem::take(&mut self.young_bytes);
        }
        if self.young.insert(key, answer).is_none() {
            self.young_bytes += size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_names_is_bounded_and_leaves_the_used_ones() {
        let mut cache = Cache::default();
        let used = Arc::new(Answer {
            services: [ServiceIndex(7)].into(),
            excluded: [3].into(),
        });
        cache.put(b"used", &used);
        for n in 0..100_000_u32 {
            cache.put(&n.to_le_bytes(), &Arc::default());
            assert_eq!(cache.get(b"used").as_ref(), Some(&used), "{n}");
        }
        assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION);
        let kept = (cache.young.len() + cache.old.len()) as u64;
        let mut sum = CacheUse::default();
        cache.add_to(&mut sum);
        assert!(sum.bytes <= 2 * GENERATION_BYTES as u64);
        assert_eq!(sum.evicted + kept, 100_001);
        cache.put(&[b'x'; MAX_KEY_BYTES + 1], &used);
        assert_eq!(cache.get(&[b'x'; MAX_KEY_BYTES + 1]), None);
    }
}
