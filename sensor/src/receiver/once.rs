//! A span and a log record of one trace that carry the same exception are one
//! incident, in whatever order they come.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use super::find::{Found, last_component};

/// How long the other half may take: SDKs send every few seconds, but a span
/// only when it has ended.
const REMEMBERED: Duration = Duration::from_secs(300);
/// Exceptions that are remembered.
const MOST: usize = 8_192;

/// Remembers exceptions of traces, as hashes.
#[derive(Debug, Default)]
pub(super) struct Once {
    state: RandomState,
    seen: HashSet<u64>,
    order: VecDeque<(Instant, u64)>,
}

impl Once {
    /// Whether this is the first report of it.
    pub fn is_first(&mut self, found: &Found, now: Instant) -> bool {
        let Some(exception) = &found.incident.exception else {
            return true;
        };
        if found.trace_id.iter().all(|&byte| byte == 0) {
            return true;
        }
        // SDKs name a type with its module in one signal and without in the
        // other.
        let key = (
            &found.trace_id,
            last_component(&exception.name),
            &exception.message,
        );
        let key = self.state.hash_one(key);
        while let Some(&(at, old)) = self.order.front()
            && (now.duration_since(at) > REMEMBERED || self.order.len() >= MOST)
        {
            self.order.pop_front();
            self.seen.remove(&old);
        }
        let is_first = self.seen.insert(key);
        if is_first {
            self.order.push_back((now, key));
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::find::tests::found;

    #[test]
    fn the_other_half_is_the_same_incident() {
        let mut once = Once::default();
        let now = Instant::now();
        let mut first = |trace: &[u8], name: &str, message: &str, after: u64| {
            let now = now + Duration::from_secs(after);
            once.is_first(&found(trace, name, message), now)
        };
        assert!(first(&[1; 16], "app.errors.Full", "no room", 0));
        assert!(!first(&[1; 16], "Full", "no room", 1));
        assert!(first(&[2; 16], "Full", "no room", 1));
        assert!(first(&[1; 16], "Full", "no space", 1));
        assert!(first(&[1; 16], "Empty", "no room", 1));
        // Without a trace nobody knows.
        assert!(first(&[], "Full", "no room", 2) && first(&[], "Full", "no room", 2));
        assert!(first(&[0; 16], "Full", "", 2) && first(&[0; 16], "Full", "", 2));
        assert!(first(&[1; 16], "Full", "no room", 400));
    }

    #[test]
    fn it_is_bounded() {
        let mut once = Once::default();
        let now = Instant::now();
        for number in 0..MOST + 100 {
            assert!(once.is_first(&found(&[7; 16], "E", &number.to_string()), now));
        }
        assert_eq!((once.seen.len(), once.order.len()), (MOST, MOST));
    }
}
