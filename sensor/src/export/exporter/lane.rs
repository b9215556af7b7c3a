//! The queue and the counters of one signal, shared by the engine's thread
//! and the export task.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::export::{
    otlp::{Outcome, Signal},
    queue::Queue,
    wire::Batch,
};

pub(super) struct Lane {
    pub(super) signal: Signal,
    state: Mutex<State>,
    /// There is something to send.
    pub(super) pushed: Notify,
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
    /// Records dropped because the queue was full.
    pub dropped_records: u64,
    /// Requests dropped because the queue was full.
    pub dropped_items: u64,
    /// Requests that wait, the one being sent included.
    pub queue_items: usize,
    /// Their bytes.
    pub queue_bytes: usize,
    /// How long the oldest has waited.
    pub oldest_age: Option<Duration>,
}

impl Lane {
    pub(super) fn new(signal: Signal, max_bytes: usize) -> Self {
        Self {
            signal,
            state: Mutex::new(State {
                queue: Queue::new(max_bytes),
                stats: SignalStats::default(),
            }),
            pushed: Notify::new(),
        }
    }

    pub(super) fn push(&self, batches: Vec<Batch>) {
        let now = Instant::now();
        let mut state = self.lock();
        for batch in batches {
            let dropped = state.queue.push(batch, now);
            state.stats.dropped_items += dropped.items;
            state.stats.dropped_records += dropped.records;
        }
        drop(state);
        self.pushed.notify_one();
    }

    /// The oldest request; counted as an attempt by [`finish`](Self::finish).
    pub(super) fn take(&self) -> Option<Batch> {
        self.lock().queue.take()
    }

    /// Books the outcome of an attempt with `records` in it.
    pub(super) fn finish(&self, records: u64, outcome: &Outcome) {
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

    pub(super) fn stats(&self) -> SignalStats {
        let state = self.lock();
        SignalStats {
            queue_items: state.queue.items(),
            queue_bytes: state.queue.bytes(),
            oldest_age: state.queue.oldest_age(Instant::now()),
            ..state.stats
        }
    }

    /// Held for a few moves of memory, never over an await. No state is left
    /// half done by a panic, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
