//! What was said of a trace, so that nothing is said twice.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, Hash, RandomState},
    time::{Duration, Instant},
};

use super::{find::Found, traces::Key};

/// How long the other half may take: SDKs send every few seconds, but a span
/// only when it has ended.
const REMEMBERED: Duration = Duration::from_secs(300);
/// What is remembered at most.
const MOST: usize = 16_384;

/// Remembers exceptions and traces, as hashes.
#[derive(Debug, Default)]
pub(super) struct Once {
    state: RandomState,
    seen: HashSet<u64>,
    order: VecDeque<(Instant, u64)>,
}

#[derive(Hash)]
enum Said<'a> {
    /// An exception of a trace, in one process: in another it is another.
    Exception(&'a Key, &'a str, Option<&'a str>),
    /// Something of a trace.
    Spoken(&'a Key),
    /// Nothing shall be said of it.
    Ignored(&'a Key),
}

impl Once {
    /// Whether this exception was told of a trace.
    pub fn is_known(&self, trace: &Key, found: &Found) -> bool {
        self.names(trace, found)
            .any(|name| self.seen.contains(&name))
    }

    /// It is told now.
    pub fn remember(&mut self, trace: &Key, found: &Found, now: Instant) {
        for (name, message) in found.names() {
            self.keep(&Said::Exception(trace, name, message), now);
        }
    }

    /// What the exception of a trace is called, each way as a hash.
    pub fn names(&self, trace: &Key, found: &Found) -> impl Iterator<Item = u64> {
        let names = found.names();
        names.map(|(name, message)| self.state.hash_one(Said::Exception(trace, name, message)))
    }

    /// Whether anything was said that makes a status superfluous.
    pub fn has_spoken(&self, trace: &Key) -> bool {
        self.has(&Said::Spoken(trace))
    }

    /// Something was said of it.
    pub fn speak(&mut self, trace: &Key, now: Instant) {
        self.keep(&Said::Spoken(trace), now);
    }

    /// Whether it is to be ignored.
    pub fn is_ignored(&self, trace: &Key) -> bool {
        self.has(&Said::Ignored(trace))
    }

    /// It is to be ignored.
    pub fn ignore(&mut self, trace: &Key, now: Instant) {
        self.keep(&Said::Ignored(trace), now);
    }

    fn has(&self, said: &Said<'_>) -> bool {
        self.seen.contains(&self.state.hash_one(said))
    }

    fn keep(&mut self, said: &Said<'_>, now: Instant) {
        let key = self.state.hash_one(said);
        while let Some(&(at, old)) = self.order.front()
            && (now.duration_since(at) > REMEMBERED || self.order.len() >= MOST)
        {
            self.order.pop_front();
            self.seen.remove(&old);
        }
        if self.seen.insert(key) {
            self.order.push_back((now, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::find::tests::found;

    #[test]
    fn the_other_half_is_the_same_exception() {
        let mut once = Once::default();
        let now = Instant::now();
        let keep = |once: &mut Once, (trace, pid), name, message, now| {
            once.remember(&(trace, pid), &found(trace, name, message), now);
        };
        let known = |once: &Once, (trace, pid), name, message| {
            once.is_known(&(trace, pid), &found(trace, name, message))
        };
        let (one, other) = (([1; 16], 41), ([2; 16], 41));
        keep(&mut once, one, "app.errors.Full", "no room", now);
        assert!(known(&once, one, "Full", "no room"));
        assert!(!known(&once, other, "Full", "no room"));
        assert!(!known(&once, one, "Full", "no space"));
        assert!(!known(&once, one, "Empty", "no room"));
        // The process that called it has one of its own.
        assert!(!known(&once, ([1; 16], 42), "Full", "no room"));
        let later = now + REMEMBERED + Duration::from_secs(1);
        keep(&mut once, other, "E", "", later);
        assert!(!known(&once, one, "Full", "no room"));
    }

    #[test]
    fn it_is_bounded() {
        let mut once = Once::default();
        let key = ([7; 16], 41);
        let now = Instant::now();
        for number in 0..MOST + 100 {
            once.remember(&key, &found(key.0, "E", &number.to_string()), now);
        }
        assert_eq!((once.seen.len(), once.order.len()), (MOST, MOST));
    }
}
