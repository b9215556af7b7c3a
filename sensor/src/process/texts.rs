//! What is known of processes in bytes: paths, arguments, cgroups. Each text
//! is kept once, however many processes have it, and all together are bounded.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    sync::Arc,
};

/// What a text takes beside its bytes: the counts of its [`Arc`], the entry
/// here, and what the allocator rounds up.
const OVERHEAD: usize = 96;

/// Texts with the number of their holders. Chosen texts cannot collide: the
/// hash is keyed.
#[derive(Debug)]
pub(super) struct Texts<T: ?Sized> {
    held: HashMap<Arc<T>, u32>,
    bytes: usize,
}

impl<T: ?Sized + Hash + Eq> Texts<T> {
    /// Of all texts together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What keeping a text adds at most.
    pub(super) fn most(text: &Arc<T>) -> usize {
        size_of_val::<T>(text) + OVERHEAD
    }

    /// What keeping a text would add.
    pub(super) fn adds(&self, text: &Arc<T>) -> usize {
        match self.held.contains_key(text) {
            true => 0,
            false => Self::most(text),
        }
    }

    /// One holder more. Gives the text that is held: the same bytes, perhaps
    /// elsewhere.
    pub(super) fn keep(&mut self, text: Arc<T>) -> Arc<T> {
        match self.held.entry(text) {
            Entry::Occupied(mut known) => {
                *known.get_mut() += 1;
                Arc::clone(known.key())
            }
            Entry::Vacant(new) => {
                let text = Arc::clone(new.key());
                self.bytes += Self::most(&text);
                new.insert(1);
                text
            }
        }
    }

    /// One holder less.
    pub(super) fn release(&mut self, text: &Arc<T>) {
        let Some(holders) = self.held.get_mut(text) else {
            return;
        };
        *holders -= 1;
        if *holders == 0 {
            self.held.remove(text);
            self.bytes -= Self::most(text);
        }
    }
}

impl<T: ?Sized> Default for Texts<T> {
    fn default() -> Self {
        Self {
            held: HashMap::new(),
            bytes: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_as_long_as_somebody_has_it() {
        let mut texts = Texts::<[u8]>::default();
        let first = texts.keep(b"/usr/bin/web"[..].into());
        let one = texts.bytes();
        assert_eq!(one, 12 + OVERHEAD);
        let second = texts.keep(b"/usr/bin/web"[..].into());
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!((texts.bytes(), texts.adds(&first)), (one, 0));
        texts.release(&first);
        assert_eq!(texts.bytes(), one);
        texts.release(&second);
        assert_eq!((texts.bytes(), texts.held.len()), (0, 0));
        // Nobody has it: nothing to take back.
        texts.release(&second);
        assert_eq!(texts.bytes(), 0);
    }
}
