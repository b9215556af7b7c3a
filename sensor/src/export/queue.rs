//! What waits for the collector: encoded requests of one signal, oldest
//! first, bounded by their bytes.
//!
//! In memory. A store on disk takes its place behind the same four calls:
//! [`push`](Queue::push), [`take`](Queue::take), [`done`](Queue::done) and
//! [`release`](Queue::release).

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::wire::Batch;

/// The requests of one signal.
///
/// Full means: the oldest is dropped, and the caller is told so that it can
/// be counted. The one that is being sent is never dropped.
#[derive(Debug)]
pub struct Queue {
    entries: VecDeque<Entry>,
    /// The first entry is being sent.
    taken: bool,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    batch: Batch,
    since: Instant,
}

/// What had to go to make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct Dropped {
    /// Requests.
    pub items: u64,
    /// Data points or log records in them.
    pub records: u64,
}

impl Dropped {
    fn add(&mut self, batch: &Batch) {
        self.items += 1;
        self.records += batch.records;
    }
}

impl Queue {
    /// An empty queue for at most `max_bytes` of requests.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            taken: false,
            bytes: 0,
            max_bytes,
        }
    }

    /// Puts a request behind the others. One that cannot fit, whatever else
    /// is dropped, is dropped itself.
    pub fn push(&mut self, batch: Batch, now: Instant) -> Dropped {
        let mut dropped = Dropped::default();
        let fixed = match self.entries.front() {
            Some(first) if self.taken => first.batch.bytes.len(),
            _ => 0,
        };
        let size = batch.bytes.len();
        if fixed + size > self.max_bytes {
            dropped.add(&batch);
            return dropped;
        }
        let oldest = usize::from(self.taken);
        while self.bytes + size > self.max_bytes {
            let Some(entry) = self.entries.remove(oldest) else {
                break;
            };
            self.bytes -= entry.batch.bytes.len();
            dropped.add(&entry.batch);
        }
        self.bytes += size;
        self.entries.push_back(Entry { batch, since: now });
        dropped
    }

    /// The oldest request, to be sent. It stays in the queue until
    /// [`done`](Self::done) or [`release`](Self::release).
    pub fn take(&mut self) -> Option<Batch> {
        let first = self.entries.front()?;
        self.taken = true;
        Some(first.batch.clone())
    }

    /// What was taken is delivered, or never will be.
    pub fn done(&mut self) {
        if std::mem::take(&mut self.taken)
            && let Some(entry) = self.entries.pop_front()
        {
            self.bytes -= entry.batch.bytes.len();
        }
    }

    /// What was taken is still to be delivered.
    pub fn release(&mut self) {
        self.taken = false;
    }

    /// Requests in the queue, the one being sent included.
    #[must_use]
    pub fn items(&self) -> usize {
        self.entries.len()
    }

    /// Their bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How long the oldest has waited.
    #[must_use]
    pub fn oldest_age(&self, now: Instant) -> Option<Duration> {
        let first = self.entries.front()?;
        Some(now.saturating_duration_since(first.since))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn batch(name: u8, size: usize) -> Batch {
        Batch {
            bytes: Bytes::from(vec![name; size]),
            records: 10,
        }
    }

    fn names(queue: &mut Queue) -> Vec<u8> {
        let mut names = Vec::new();
        while let Some(batch) = queue.take() {
            names.push(batch.bytes[0]);
            queue.done();
        }
        names
    }

    fn filled(max_bytes: usize) -> Queue {
        let mut queue = Queue::new(max_bytes);
        for name in 1..=3 {
            assert_eq!(
                queue.push(batch(name, 10), Instant::now()),
                Dropped::default()
            );
        }
        queue
    }

    const TWO: Dropped = Dropped {
        items: 2,
        records: 20,
    };

    #[test]
    fn the_oldest_goes_first_in_both_senses() {
        let mut queue = filled(30);
        assert_eq!(queue.push(batch(4, 15), Instant::now()), TWO);
        assert_eq!((queue.items(), queue.bytes()), (2, 25));
        assert_eq!(names(&mut queue), [3, 4]);
        assert_eq!((queue.items(), queue.bytes()), (0, 0));
    }

    #[test]
    fn what_is_being_sent_is_not_dropped() {
        let mut queue = filled(30);
        let first = queue.take().unwrap();
        assert_eq!(queue.push(batch(4, 20), Instant::now()), TWO);
        queue.release();
        assert_eq!(queue.take().unwrap(), first);
        assert_eq!(names(&mut queue), [1, 4]);
    }

    #[test]
    fn what_can_never_fit_costs_nobody_else() {
        let mut queue = filled(30);
        let one = Dropped {
            items: 1,
            records: 10,
        };
        assert_eq!(queue.push(batch(4, 31), Instant::now()), one);
        queue.take().unwrap();
        assert_eq!(queue.push(batch(5, 21), Instant::now()), one);
        assert_eq!(names(&mut queue), [1, 2, 3]);
    }

    #[test]
    fn done_without_take_removes_nothing() {
        let mut queue = filled(30);
        queue.done();
        assert_eq!(queue.items(), 3);
    }
}
