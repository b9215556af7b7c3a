//! Where the engine puts down what is to be written.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    incident::follow::Position,
    source::ebpf::Mark,
    store::{Seen, records::Totals},
};

/// How long nobody asks again on its own account after a write that failed.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// What the engine has to say at the end of an interval.
#[derive(Debug, Default)]
pub struct Interval {
    /// Where series go on, by [`crate::store::service_key`].
    pub totals: Vec<(Vec<u8>, Totals)>,
    /// Who was reported.
    pub seen: Option<Seen>,
    /// Up to where the totals have the kernel's ring, where that stays.
    pub mark: Option<Mark>,
    /// Up to where named log files were read, where that has changed.
    pub logs: Option<Vec<Position>>,
}

/// What the engine has put down for the writer. Figures and what goes on from
/// them are put down together and taken together: were totals written later
/// than what was sent, counters would go back after a crash.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pending: Mutex<Pending>,
    pub(super) changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) interval: Interval,
    /// How often it was said that something is to be written.
    pub(super) asked: u64,
    /// What of that is done.
    pub(super) done: u64,
    /// Up to where the store has the kernel's ring.
    pub(super) written: Option<Mark>,
    /// Up to where it was asked to have it.
    pub(super) marked: Option<Mark>,
    /// When a write failed, if the last one did.
    pub(super) failed: Option<Instant>,
    /// Nobody will ask again.
    pub(super) ended: bool,
}

impl Interval {
    /// Adds an older one, of which nothing was written: its totals are
    /// outdated, but not whom it has seen.
    pub(super) fn after(&mut self, older: Self) {
        if self.totals.is_empty() {
            self.totals = older.totals;
        }
        self.mark = self.mark.or(older.mark);
        self.logs = self.logs.take().or(older.logs);
        self.seen = match (older.seen, self.seen.take()) {
            (Some(mut older), Some(newer)) => {
                older.join(newer);
                Some(older)
            }
            (older, newer) => newer.or(older),
        };
    }
}

impl Pending {
    /// Whether the store has the kernel's ring as far as it was told, or it is
    /// time to tell it again.
    pub(super) fn is_current(&self) -> bool {
        let paused = |at: Instant| at.elapsed() < PAUSE;
        self.written == self.marked && !self.failed.is_some_and(paused)
    }
}

impl Desk {
    /// Held for a few moves of memory and while a report is encoded, never
    /// while something is written.
    pub(super) fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that something is to be written; returns the number of that.
    pub(super) fn ask(&self, pending: &mut Pending) -> u64 {
        pending.asked += 1;
        self.changed.notify_all();
        pending.asked
    }

    /// Waits until there is something to write; what `with` takes then belongs
    /// to the interval. `None`: there will be nothing any more.
    pub(super) fn take<T>(&self, with: impl FnOnce() -> T) -> Option<(u64, Interval, T)> {
        let idle = |pending: &mut Pending| pending.done == pending.asked && !pending.ended;
        let waited = self.changed.wait_while(self.lock(), idle);
        let mut pending = waited.unwrap_or_else(PoisonError::into_inner);
        if pending.done == pending.asked {
            return None;
        }
        let interval = std::mem::take(&mut pending.interval);
        Some((pending.asked, interval, with()))
    }

    /// That is written, up to `mark` of the ring, or `unwritten` is what could
    /// not be.
    pub(super) fn done(&self, asked: u64, mark: Option<Mark>, unwritten: Option<Interval>) {
        let mut pending = self.lock();
        pending.written = mark.or(pending.written);
        pending.failed = unwritten.is_some().then(Instant::now);
        // What was put down meanwhile goes next. What failed is to be put down
        // again: there may be no other occasion for long.
        pending.marked = match &unwritten {
            Some(_) => pending.written,
            None => pending.interval.mark.or(pending.written),
        };
        if let Some(interval) = unwritten {
            pending.interval.after(interval);
        }
        pending.done = asked;
        self.changed.notify_all();
    }
}
