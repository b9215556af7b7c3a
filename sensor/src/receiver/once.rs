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
    /// An exception of a trace.
    Exception(&'a [u8], &'a str, Option<&'a str>),
    /// Something of a trace.
    Spoken(&'a Key),
    /// Nothing shall be said of it.
    Ignored(&'a Key),
}

impl Once {
    /// Whether this exception was told.
    pub fn is_known(&self, found: &Found) -> bool {
        said(found).any(|one| self.has(&one))
    }

    /// It is told now.
    pub fn remember(&mut self, found: &Found, now: Instant) {
        for one in said(found) {
            self.keep(&one, now);
        }
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

fn said(found: &Found) -> impl Iterator<Item = Said<'_>> {
    let names = found.names();
    names.map(|(name, message)| Said::Exception(&found.trace_id, name, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::find::tests::found;

    #[test]
    fn the_other_half_is_the_same_exception() {
        let mut once = Once::default();
        let now = Instant::now();
        once.remember(&found(&[1; 16], "app.errors.Full", "no room"), now);
        let known =
            |trace: &[u8], name: &str, message: &str| once.is_known(&found(trace, name, message));
        assert!(known(&[1; 16], "Full", "no room"));
        assert!(!known(&[2; 16], "Full", "no room"));
        assert!(!known(&[1; 16], "Full", "no space"));
        assert!(!known(&[1; 16], "Empty", "no room"));
        let later = now + REMEMBERED + Duration::from_secs(1);
        once.remember(&found(&[3; 16], "E", ""), later);
        assert!(!once.is_known(&found(&[1; 16], "Full", "no room")));
    }

    #[test]
    fn it_is_bounded() {
        let mut once = Once::default();
        let now = Instant::now();
        for number in 0..MOST + 100 {
            once.remember(&found(&[7; 16], "E", &number.to_string()), now);
        }
        assert_eq!((once.seen.len(), once.order.len()), (MOST, MOST));
    }
}
