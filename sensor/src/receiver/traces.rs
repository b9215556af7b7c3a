//! What belongs together in one trace, in whatever order it comes.
//!
//! - A span and a log record that carry the same exception are one incident,
//!   and so are all spans that an exception passes through.
//! - A status, or a slow request, is told only where nothing says why.
//! - What was written deep in a request is told with its method and path,
//!   which only the span of the request itself has, and that comes last.
//!
//! So what lacks its request waits for it, and a status for its reason. Both
//! are bounded, and what finds no room is told as it is.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use super::{
    find::{Found, Head, NO_TRACE, TraceId, Weight},
    once::Once,
};

/// How long the span of the request may take. SDKs send logs every second, and
/// spans every five.
const REQUEST: Duration = Duration::from_secs(6);
/// How long the reason of a status may take: it was written before.
const REASON: Duration = Duration::from_secs(1);
/// Traces that wait, incidents of one, and bytes of all.
const MOST: usize = 1_024;
const MOST_OF_ONE: usize = 64;
const MOST_BYTES: usize = 8 << 20;

/// A trace, as far as one process is concerned (0: unknown).
pub(super) type Key = (TraceId, u32);

/// Incidents of traces. `S`: who sent them.
#[derive(Debug)]
pub(super) struct Traces<S> {
    waiting: HashMap<Key, Waiting<S>>,
    /// Bytes of what waits.
    bytes: usize,
    once: Once,
}

#[derive(Debug)]
struct Waiting<S> {
    until: Instant,
    sender: S,
    found: Vec<Found>,
    bytes: usize,
}

/// What one request says about one trace.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// What is an incident.
    pub found: Vec<Found>,
    /// The request that the trace is about, if it is there.
    pub head: Option<Head>,
    /// An exception of it is to be ignored.
    pub hushed: bool,
}

impl<S> Default for Traces<S> {
    fn default() -> Self {
        Self {
            waiting: HashMap::new(),
            bytes: 0,
            once: Once::default(),
        }
    }
}

impl<S> Traces<S> {
    /// The traces of which something waits.
    pub fn awaited(&self) -> HashSet<TraceId> {
        self.waiting.keys().map(|&(trace, _)| trace).collect()
    }

    /// Takes in a part; what can be told now. `sender`: `None` where it cannot
    /// be held. `room`: bytes by which what is known already may grow.
    pub fn take(
        &mut self,
        key: Key,
        part: Part,
        sender: Option<S>,
        room: &mut usize,
        now: Instant,
    ) -> Vec<Found> {
        let Part {
            found,
            head,
            hushed,
        } = part;
        if key.0 == NO_TRACE {
            return found;
        }
        let before = self.waiting.remove(&key);
        self.bytes -= before.as_ref().map_or(0, |waiting| waiting.bytes);
        let since = before.as_ref().map(|waiting| waiting.until);
        let mut all = before.map_or_else(Vec::new, |waiting| waiting.found);
        if head.as_ref().is_some_and(|head| head.is_ignored) {
            if !all.is_empty() || !found.is_empty() || hushed {
                self.once.ignore(&key, now);
            }
            return Vec::new();
        }
        if self.once.is_ignored(&key) {
            return Vec::new();
        }
        let new = found.into_iter();
        let new = new.filter(|one| !self.once.is_known(&key, one));
        join(&mut all, new, |one| self.once.names(&key, one).collect());
        if hushed || all.iter().any(|one| one.weight == Weight::Reason) {
            self.once.speak(&key, now);
        }
        if self.once.has_spoken(&key) {
            all.retain(|one| one.weight == Weight::Reason);
        }
        if let Some(head) = &head {
            let size = head.size();
            for one in &mut all {
                match room.checked_sub(size) {
                    Some(left) => {
                        *room = left;
                        one.complete(head);
                    }
                    None => one.is_complete = true,
                }
            }
        }
        let wait = all.iter().filter_map(|one| match one.weight {
            Weight::Reason if one.is_complete => None,
            Weight::Reason => Some(REQUEST),
            Weight::Status => Some(REASON),
        });
        match wait.max().zip(sender) {
            Some((wait, sender)) if self.waiting.len() < MOST && all.len() < MOST_OF_ONE => {
                let bytes = all.iter().map(Found::size).sum();
                if self.bytes + bytes > MOST_BYTES {
                    return self.told(&key, all, now);
                }
                let until = since.unwrap_or(now + wait).min(now + wait);
                let waiting = Waiting {
                    until,
                    sender,
                    found: all,
                    bytes,
                };
                self.bytes += bytes;
                self.waiting.insert(key, waiting);
                Vec::new()
            }
            _ => self.told(&key, all, now),
        }
    }

    /// What has waited long enough, or all.
    pub fn due(&mut self, now: Option<Instant>) -> Vec<(S, Vec<Found>)> {
        let is_due = |waiting: &Waiting<S>| now.is_none_or(|now| waiting.until <= now);
        let due = self.waiting.extract_if(|_, waiting| is_due(waiting));
        let due: Vec<_> = due.collect();
        let now = now.unwrap_or_else(Instant::now);
        due.into_iter()
            .map(|(key, waiting)| {
                self.bytes -= waiting.bytes;
                (waiting.sender, self.told(&key, waiting.found, now))
            })
            .collect()
    }

    fn told(&mut self, trace: &Key, found: Vec<Found>, now: Instant) -> Vec<Found> {
        for one in &found {
            self.once.remember(trace, one, now);
        }
        found
    }
}

/// Adds new ones to those of the same trace; the same exception is there once,
/// as whoever knows more frames says it. `names`: what an exception is called.
fn join(
    all: &mut Vec<Found>,
    new: impl Iterator<Item = Found>,
    names: impl Fn(&Found) -> Vec<u64>,
) {
    let mut places = HashMap::new();
    for (place, one) in all.iter().enumerate() {
        places.extend(names(one).into_iter().map(|name| (name, place)));
    }
    for one in new {
        let called = names(&one);
        let place = called.iter().find_map(|name| places.get(name).copied());
        let place = place.unwrap_or(all.len());
        // Each way in which the same one is called leads to it from now on.
        places.extend(called.into_iter().map(|name| (name, place)));
        match all.get_mut(place) {
            Some(same) => same.join(one),
            None => all.push(one),
        }
    }
}

#[cfg(test)]
#[path = "traces_tests.rs"]
mod tests;
