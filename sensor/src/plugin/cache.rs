//! Answers that were given before.

use std::collections::HashMap;

use super::matcher::ServiceIndex;

/// Longer strings are searched each time: they rarely repeat.
const MAX_KEY_BYTES: usize = 256;
/// Entries of one generation; there are two.
const GENERATION: usize = 2_048;

/// A bounded map from a string to the services that match it.
///
/// Two generations: a full young one becomes the old one, whose entries are
/// dropped unless they were asked for again. So a flood of new names costs
/// memory of two generations at most and does not push out the names that
/// are in use. The hash is keyed: chosen names cannot collide.
#[derive(Debug, Default)]
pub(super) struct Cache {
    young: HashMap<Box<[u8]>, Box<[ServiceIndex]>>,
    old: HashMap<Box<[u8]>, Box<[ServiceIndex]>>,
}

impl Cache {
    /// The answer for `key`, where it is known.
    pub(super) fn get(&mut self, key: &[u8]) -> Option<&[ServiceIndex]> {
        if !self.young.contains_key(key) {
            let (key, services) = self.old.remove_entry(key)?;
            self.insert(key, services);
        }
        self.young.get(key).map(AsRef::as_ref)
    }

    /// Keeps an answer.
    pub(super) fn put(&mut self, key: &[u8], services: &[ServiceIndex]) {
        if key.len() <= MAX_KEY_BYTES {
            self.insert(key.into(), services.into());
        }
    }

    fn insert(&mut self, key: Box<[u8]>, services: Box<[ServiceIndex]>) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, services);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_names_is_bounded_and_leaves_the_used_ones() {
        let mut cache = Cache::default();
        let services = [ServiceIndex(7)];
        cache.put(b"used", &services);
        for n in 0..100_000_u32 {
            cache.put(&n.to_le_bytes(), &[]);
            assert_eq!(cache.get(b"used"), Some(&services[..]), "{n}");
        }
        assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION);
        cache.put(&[b'x'; MAX_KEY_BYTES + 1], &services);
        assert_eq!(cache.get(&[b'x'; MAX_KEY_BYTES + 1]), None);
    }
}
