//! Answers that were given before.

use std::collections::HashMap;
use std::sync::Arc;

use super::matcher::ServiceIndex;

/// Longer strings are searched each time: they rarely repeat.
const MAX_KEY_BYTES: usize = 256;
/// Entries of one generation; there are two.
const GENERATION: usize = 2_048;

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

    fn insert(&mut self, key: Box<[u8]>, answer: Arc<Answer>) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, answer);
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
        cache.put(&[b'x'; MAX_KEY_BYTES + 1], &used);
        assert_eq!(cache.get(&[b'x'; MAX_KEY_BYTES + 1]), None);
    }
}
