//! The queue and the counters of one signal, shared by the engine's thread
//! and the export task.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{
    clock,
    export::{
        keeper::{Found, Shelf},
        otlp::Outcome,
        queue::{Dropped, Queue, Taken},
        wire::Batch,
    },
    store::{Indexed, Place, Request},
    units::WallNanos,
};

/// The queue of one signal, or of one transport of incidents.
pub struct Lane {
    /// Where requests are that are not in memory.
    shelf: Option<Arc<Shelf>>,
    state: Mutex<State>,
    /// There is something to send.
    pub(crate) pushed: Notify,
}

struct State {
    queue: Queue,
    /// Without what the queue knows itself.
    stats: SignalStats,
}

/// What became of one signal. Records are data points or log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SignalStats {
    /// Requests sent, repetitions included.
    pub attempts: u64,
    /// Of these, not delivered.
    pub failures: u64,
    /// Records that the collector took.
    pub delivered_records: u64,
    /// Records that it rejected in a request that it took (partial success).
    pub rejected_records: u64,
    /// Records in requests that it refused for good.
    pub refused_records: u64,
    /// Records dropped because the queue was full, or they were too old.
    pub dropped_records: u64,
    /// Requests dropped for the same reasons.
    pub dropped_items: u64,
    /// Requests that wait, the one being sent included.
    pub queue_items: usize,
    /// Their bytes.
    pub queue_bytes: usize,
    /// How long the oldest has waited.
    pub oldest_age: Option<Duration>,
}

impl Lane {
    pub(crate) fn new(number: u8, max_bytes: usize, max_age: Duration) -> Self {
        Self {
            shelf: None,
            state: Mutex::new(State {
                queue: Queue::new(number, max_bytes, max_age),
                stats: SignalStats::default(),
            }),
            pushed: Notify::new(),
        }
    }

    /// Its number in the store.
    pub(crate) fn number(&self) -> u8 {
        self.lock().queue.number()
    }

    /// The same with a store behind it, and with what waits there.
    pub(crate) fn with_shelf(self, shelf: &Arc<Shelf>, waiting: &[Indexed]) -> Self {
        {
            let mut state = self.lock();
            let dropped = state.queue.restore(waiting);
            state.count(dropped);
        }
        Self {
            shelf: Some(Arc::clone(shelf)),
            ..self
        }
    }

    pub(crate) fn push(&self, batches: Vec<Batch>) {
        let now = clock::steady();
        let mut state = self.lock();
        for batch in batches {
            let dropped = state.queue.push(batch, now);
            state.count(dropped);
        }
        drop(state);
        self.pushed.notify_one();
    }

    /// The oldest request; counted as an attempt by [`finish`](Self::finish).
    /// `None` also where it has to be written first, or cannot be read now.
    pub(crate) fn take(&self) -> Option<Batch> {
        loop {
            let mut state = self.lock();
            state.expire(clock::steady());
            let (place, records) = match state.queue.take()? {
                Taken::Here(batch) => return Some(batch),
                Taken::Stored(place, records) => (place, records),
            };
            // The disk may be slow, and the engine must not wait for it.
            drop(state);
            let found = self.shelf.as_ref().map(|shelf| shelf.request(place));
            let mut state = self.lock();
            match found {
                Some(Found::Bytes(bytes)) => return Some(Batch { bytes, records }),
                Some(Found::Unreadable) => {
                    state.queue.release();
                    return state.queue.take_from_memory();
                }
                Some(Found::Missing) | None => {
                    let dropped = state.queue.lost();
                    state.count(dropped);
                }
            }
        }
    }

    /// What the store has to take in, and what it may forget; what is too old
    /// is dropped before.
    pub(in crate::export) fn changes(&self, now: WallNanos) -> (Vec<Request>, Vec<Place>) {
        let mut state = self.lock();
        state.expire(now);
        state.queue.changes()
    }

    /// All of that was written, and may be sent.
    pub(in crate::export) fn written(&self, accepted: &[Request], gone: usize) {
        self.lock().queue.written(accepted, gone);
        self.pushed.notify_one();
    }

    /// Nothing can be written now: what is in memory may be sent.
    pub(in crate::export) fn fails(&self) {
        self.lock().queue.fails();
        self.pushed.notify_one();
    }

    /// Bytes that wait to be written.
    pub(in crate::export) fn unwritten(&self) -> usize {
        self.lock().queue.unwritten()
    }

    /// What is younger in the queue than number `after` and has waited for
    /// `age` at least, oldest first, with the number of the last that was
    /// looked at. What cannot be read now is left out, and asked for again.
    pub(crate) fn waiting(&self, after: u64, age: Duration, now: WallNanos) -> (u64, Vec<Bytes>) {
        let old = self.lock().queue.waiting(after, age, now);
        let (mut last, mut bodies) = (after, Vec::new());
        for (place, body) in old {
            // The disk may be slow, and nobody must wait for the lock.
            let body = match (body, &self.shelf) {
                (Some(body), _) => Some(body),
                (None, Some(shelf)) => match shelf.request(place) {
                    Found::Bytes(bytes) => Some(bytes),
                    Found::Missing => None,
                    Found::Unreadable => break,
                },
                (None, None) => None,
            };
            bodies.extend(body);
            last = place.1;
        }
        (last, bodies)
    }

    /// Books the outcome of an attempt with `records` in it.
    pub(crate) fn finish(&self, records: u64, outcome: &Outcome) {
        let mut state = self.lock();
        let State { queue, stats } = &mut *state;
        stats.attempts += 1;
        match outcome {
            Outcome::Delivered { rejected, .. } => {
                let rejected = u64::try_from(*rejected).unwrap_or(0).min(records);
                stats.rejected_records += rejected;
                stats.delivered_records += records - rejected;
                queue.done();
            }
            Outcome::Refused { .. } => {
                stats.failures += 1;
                stats.refused_records += records;
                queue.done();
            }
            Outcome::Retry { .. } => {
                stats.failures += 1;
                queue.release();
            }
        }
    }

    pub(crate) fn stats(&self) -> SignalStats {
        let state = self.lock();
        SignalStats {
            queue_items: state.queue.items(),
            queue_bytes: state.queue.bytes(),
            oldest_age: state.queue.oldest_age(clock::steady()),
            ..state.stats
        }
    }

    /// Held for a few moves of memory, never over an await. No state is left
    /// half done by a panic, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn expire(&mut self, now: WallNanos) {
        let dropped = self.queue.expire(now);
        self.count(dropped);
    }

    fn count(&mut self, dropped: Dropped) {
        self.stats.dropped_items += dropped.items;
        self.stats.dropped_records += dropped.records;
    }
}
