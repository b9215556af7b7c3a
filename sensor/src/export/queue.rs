//! What waits for the collector: encoded requests of one signal, oldest
//! first, bounded by their bytes and their age.
//!
//! With a store, a request is sent after it was written (contract Q6): until
//! then it lies in memory, after that only its place does. Without one, and
//! while the disk fails, memory has to do.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use super::wire::Batch;
use crate::{
    store::{Indexed, Place, Request},
    units::WallNanos,
};

/// Most bytes of a signal that lie in memory, where there is a store.
const MEMORY_BYTES: usize = 16 << 20;

/// The requests of one signal.
///
/// Full means: the oldest is dropped, and the caller is told so that it can
/// be counted. The one that is being sent is never dropped.
#[derive(Debug)]
pub struct Queue {
    /// The signal's number in a [`Place`].
    signal: u8,
    entries: VecDeque<Entry>,
    /// The number of the entry that is being sent. It is the first, or the
    /// first one in memory where the others cannot be read.
    taken: Option<u64>,
    bytes: usize,
    /// Of these, in memory.
    memory: usize,
    max_bytes: usize,
    max_age: Duration,
    disk: Disk,
    /// The number of the next request.
    next: u64,
    /// Requests that may be in the store and that nobody needs.
    gone: Vec<u64>,
}

/// Whether requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// There is no store.
    None,
    /// They are sent after they were written.
    Works,
    /// They are sent from memory until it works again.
    Fails,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// `None`: it is in the store.
    body: Option<Bytes>,
    size: usize,
    records: u64,
    since: WallNanos,
}

/// The oldest request, to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Here it is.
    Here(Batch),
    /// It is in the store, with so many records in it.
    Stored(Place, u64),
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

impl Queue {
    /// An empty queue for at most `max_bytes` of requests that are at most
    /// `max_age` old.
    #[must_use]
    pub fn new(signal: u8, max_bytes: usize, max_age: Duration) -> Self {
        Self {
            signal,
            entries: VecDeque::new(),
            taken: None,
            bytes: 0,
            memory: 0,
            max_bytes,
            max_age,
            disk: Disk::None,
            next: 1,
            gone: Vec::new(),
        }
    }

    /// Puts a store behind the queue, with what waits in it from before. Too
    /// much of that is dropped.
    pub fn restore(&mut self, index: &[Indexed]) -> Dropped {
        self.disk = Disk::Works;
        for indexed in index {
            let (signal, number) = indexed.place;
            if signal != self.signal {
                continue;
            }
            self.next = self.next.max(number + 1);
            self.add(Entry {
                number,
                body: None,
                size: usize::try_from(indexed.bytes).unwrap_or(usize::MAX),
                records: indexed.records,
                since: indexed.since,
            });
        }
        self.shrink(0)
    }

    /// Puts a request behind the others. One that cannot fit, whatever else
    /// is dropped, is dropped itself.
    pub fn push(&mut self, batch: Batch, now: WallNanos) -> Dropped {
        let fixed = self.taken().map_or(0, |(_, entry)| entry.size);
        let size = batch.bytes.len();
        if fixed + size > self.max_bytes {
            return Dropped {
                items: 1,
                records: batch.records,
            };
        }
        let mut dropped = self.shrink(size);
        if self.disk != Disk::None {
            dropped.join(self.shrink_memory(size));
        }
        let number = self.next;
        self.next += 1;
        self.add(Entry {
            number,
            body: Some(batch.bytes),
            size,
            records: batch.records,
            since: now,
        });
        dropped
    }

    /// Drops what is too old.
    pub fn expire(&mut self, now: WallNanos) -> Dropped {
        let mut dropped = Dropped::default();
        let limit = u64::try_from(self.max_age.as_nanos()).unwrap_or(u64::MAX);
        while let Some(index) = self.oldest_free()
            && now.0.saturating_sub(self.entries[index].since.0) > limit
        {
            dropped.join(self.drop_at(index));
        }
        dropped
    }

    /// The oldest request, to be sent, unless it has to be written first. It
    /// stays in the queue until [`done`](Self::done) or
    /// [`release`](Self::release).
    pub fn take(&mut self) -> Option<Taken> {
        let first = self.entries.front()?;
        let taken = match &first.body {
            None => Taken::Stored((self.signal, first.number), first.records),
            Some(_) if self.disk == Disk::Works => return None,
            Some(bytes) => Taken::Here(Batch {
                bytes: bytes.clone(),
                records: first.records,
            }),
        };
        self.taken = Some(first.number);
        Some(taken)
    }

    /// The oldest request in memory, where those before it cannot be read.
    pub fn take_from_memory(&mut self) -> Option<Batch> {
        if self.disk == Disk::Works {
            return None;
        }
        let in_memory = |entry: &Entry| Some((entry.number, entry.records, entry.body.clone()?));
        let (number, records, bytes) = self.entries.iter().find_map(in_memory)?;
        self.taken = Some(number);
        Some(Batch { bytes, records })
    }

    /// What was taken is delivered, or never will be.
    pub fn done(&mut self) {
        if let Some((index, _)) = self.taken() {
            let _ = self.drop_at(index);
        }
        self.taken = None;
    }

    /// What was taken is not to be had any more.
    pub fn lost(&mut self) -> Dropped {
        let lost = self.taken().map(|(index, _)| index);
        self.taken = None;
        lost.map_or_else(Dropped::default, |index| self.drop_at(index))
    }

    /// What was taken is still to be delivered.
    pub fn release(&mut self) {
        self.taken = None;
    }

    /// What the store has to take in, and what it may forget.
    #[must_use]
    pub fn changes(&self) -> (Vec<Request>, Vec<Place>) {
        let accepted = self.entries.iter().filter_map(|entry| {
            Some(Request {
                place: (self.signal, entry.number),
                records: entry.records,
                since: entry.since,
                bytes: entry.body.clone()?,
            })
        });
        let gone = self.gone.iter().map(|&number| (self.signal, number));
        (accepted.collect(), gone.collect())
    }

    /// All of [`changes`](Self::changes) was written.
    pub fn written(&mut self, accepted: &[Request], gone: usize) {
        self.disk = Disk::Works;
        self.gone.drain(..gone.min(self.gone.len()));
        let Some(last) = accepted.last() else {
            return;
        };
        for entry in &mut self.entries {
            if entry.number <= last.place.1 && entry.body.take().is_some() {
                self.memory -= entry.size;
            }
        }
    }

    /// Nothing can be written now.
    pub fn fails(&mut self) {
        self.disk = Disk::Fails;
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

    /// Bytes that wait to be written.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        self.memory
    }

    /// How long the oldest has waited.
    #[must_use]
    pub fn oldest_age(&self, now: WallNanos) -> Option<Duration> {
        let first = self.entries.front()?;
        Some(Duration::from_nanos(now.0.saturating_sub(first.since.0)))
    }

    fn add(&mut self, entry: Entry) {
        self.bytes += entry.size;
        if entry.body.is_some() {
            self.memory += entry.size;
        }
        self.entries.push_back(entry);
    }

    /// Makes room for `size` bytes, and for a place in the order.
    fn shrink(&mut self, size: usize) -> Dropped {
        let mut dropped = Dropped::default();
        while self.bytes + size > self.max_bytes
            && let Some(index) = self.oldest_free()
        {
            dropped.join(self.drop_at(index));
        }
        dropped
    }

    /// Makes room in memory: of what was not written, the oldest goes.
    fn shrink_memory(&mut self, size: usize) -> Dropped {
        let mut dropped = Dropped::default();
        while self.memory + size > MEMORY_BYTES {
            let free = |entry: &Entry| entry.body.is_some() && self.taken != Some(entry.number);
            let Some(index) = self.entries.iter().position(free) else {
                break;
            };
            dropped.join(self.drop_at(index));
        }
        dropped
    }

    fn taken(&self) -> Option<(usize, &Entry)> {
        let taken = self.taken?;
        let mut entries = self.entries.iter().enumerate();
        entries.find(|(_, entry)| entry.number == taken)
    }

    fn oldest_free(&self) -> Option<usize> {
        let mut entries = self.entries.iter();
        entries.position(|entry| self.taken != Some(entry.number))
    }

    fn drop_at(&mut self, index: usize) -> Dropped {
        let Some(entry) = self.entries.remove(index) else {
            return Dropped::default();
        };
        self.bytes -= entry.size;
        if entry.body.is_some() {
            self.memory -= entry.size;
        }
        if self.disk != Disk::None {
            // It may be in the store all the same: written just now, or by a
            // transaction whose end nobody saw.
            self.gone.push(entry.number);
        }
        Dropped {
            items: 1,
            records: entry.records,
        }
    }
}

impl Dropped {
    fn join(&mut self, more: Self) {
        self.items += more.items;
        self.records += more.records;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const NOW: WallNanos = WallNanos(1_000_000_000_000);

    fn batch(name: u8, size: usize) -> Batch {
        Batch {
            bytes: Bytes::from(vec![name; size]),
            records: 10,
        }
    }

    fn names(queue: &mut Queue) -> Vec<u8> {
        let mut names = Vec::new();
        while let Some(Taken::Here(batch)) = queue.take() {
            names.push(batch.bytes[0]);
            queue.done();
        }
        names
    }

    fn filled(max_bytes: usize) -> Queue {
        let mut queue = Queue::new(1, max_bytes, Duration::from_secs(60));
        for name in 1..=3 {
            assert_eq!(queue.push(batch(name, 10), NOW), Dropped::default());
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
        assert_eq!(queue.push(batch(4, 15), NOW), TWO);
        assert_eq!((queue.items(), queue.bytes()), (2, 25));
        assert_eq!(names(&mut queue), [3, 4]);
        assert_eq!((queue.items(), queue.bytes()), (0, 0));
    }

    #[test]
    fn what_is_being_sent_is_not_dropped() {
        let mut queue = filled(30);
        let first = queue.take().unwrap();
        assert_eq!(queue.push(batch(4, 20), NOW), TWO);
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
        assert_eq!(queue.push(batch(4, 31), NOW), one);
        queue.take().unwrap();
        assert_eq!(queue.push(batch(5, 21), NOW), one);
        assert_eq!(names(&mut queue), [1, 2, 3]);
    }

    #[test]
    fn done_without_take_removes_nothing() {
        let mut queue = filled(30);
        queue.done();
        assert_eq!(queue.items(), 3);
    }

    /// Three requests of 10 bytes that were written.
    fn stored() -> Queue {
        let mut queue = Queue::new(1, 30, Duration::from_secs(60));
        assert_eq!(queue.restore(&[]), Dropped::default());
        for name in 1..=3 {
            assert_eq!(queue.push(batch(name, 10), NOW), Dropped::default());
        }
        write(&mut queue);
        queue
    }

    fn write(queue: &mut Queue) -> Vec<Place> {
        let (accepted, gone) = queue.changes();
        queue.written(&accepted, gone.len());
        gone
    }

    #[test]
    fn with_a_store_nothing_is_sent_before_it_was_written() {
        let mut queue = Queue::new(1, 30, Duration::from_secs(60));
        assert_eq!(queue.restore(&[]), Dropped::default());
        assert_eq!(queue.push(batch(1, 10), NOW), Dropped::default());
        assert_eq!(queue.take(), None);
        write(&mut queue);
        assert_eq!(queue.take(), Some(Taken::Stored((1, 1), 10)));
        assert_eq!((queue.unwritten(), queue.bytes()), (0, 10));
        queue.done();
        assert_eq!(write(&mut queue), [(1, 1)]);
        assert_eq!(write(&mut queue), []);
    }

    #[test]
    fn what_is_dropped_is_forgotten_by_the_store_too() {
        let mut queue = stored();
        assert_eq!(queue.push(batch(4, 15), NOW), TWO);
        assert_eq!(write(&mut queue), [(1, 1), (1, 2)]);
    }

    #[test]
    fn while_the_disk_fails_memory_has_to_do() {
        let mut queue = stored();
        while queue.take().is_some() {
            queue.done();
        }
        assert_eq!(queue.push(batch(4, 10), NOW), Dropped::default());
        queue.fails();
        assert_eq!(names(&mut queue), [4]);
        assert_eq!(queue.push(batch(5, 10), NOW), Dropped::default());
        let gone = write(&mut queue);
        assert_eq!(gone, [(1, 1), (1, 2), (1, 3), (1, 4)]);
        assert_eq!(queue.take(), Some(Taken::Stored((1, 5), 10)));
    }

    #[test]
    fn what_cannot_be_read_holds_up_nobody_while_the_disk_fails() {
        let mut queue = stored();
        assert_eq!(queue.push(batch(4, 0), NOW), Dropped::default());
        queue.take().unwrap();
        queue.release();
        assert_eq!(queue.take_from_memory(), None);
        queue.fails();
        assert_eq!(queue.take_from_memory().unwrap().bytes.len(), 0);
        // Of the others the oldest goes, not the one that is being sent.
        assert_eq!(queue.push(batch(5, 20), NOW), TWO);
        queue.done();
        assert_eq!(queue.take(), Some(Taken::Stored((1, 3), 10)));
        assert_eq!((queue.items(), queue.bytes()), (2, 30));
        // It is not there after all.
        let one = Dropped {
            items: 1,
            records: 10,
        };
        assert_eq!(queue.lost(), one);
        assert_eq!(queue.lost(), Dropped::default());
        assert_eq!(names(&mut queue), [5]);
    }

    #[test]
    fn memory_is_bounded_while_the_disk_fails() {
        let mut queue = Queue::new(1, usize::MAX, Duration::from_secs(60));
        assert_eq!(queue.restore(&[]), Dropped::default());
        queue.fails();
        let half = MEMORY_BYTES / 2;
        for name in 1..=2 {
            assert_eq!(queue.push(batch(name, half), NOW), Dropped::default());
        }
        let one = Dropped {
            items: 1,
            records: 10,
        };
        assert_eq!(queue.push(batch(3, half), NOW), one);
        assert_eq!(names(&mut queue), [2, 3]);
    }

    #[test]
    fn what_waited_before_a_restart_goes_first_and_numbers_go_on() {
        let mut queue = Queue::new(2, 30, Duration::from_secs(60));
        let indexed = |signal, number| Indexed {
            place: (signal, number),
            bytes: 10,
            records: 10,
            since: NOW,
        };
        let index: Vec<_> = (1..=4).map(|n| indexed(2, 10 + n)).collect();
        let foreign = indexed(1, 99);
        let one = Dropped {
            items: 1,
            records: 10,
        };
        assert_eq!(queue.restore(&[vec![foreign], index].concat()), one);
        assert_eq!(queue.take(), Some(Taken::Stored((2, 12), 10)));
        let (_, gone) = queue.changes();
        assert_eq!(gone, [(2, 11)]);
        queue.release();
        assert_eq!(queue.push(batch(1, 10), NOW), one);
        assert_eq!(queue.changes().0[0].place, (2, 15));
    }

    #[test]
    fn what_is_too_old_is_dropped_but_not_what_is_being_sent() {
        let mut queue = stored();
        let later = WallNanos(NOW.0 + 61_000_000_000);
        queue.take().unwrap();
        assert_eq!(queue.expire(NOW), Dropped::default());
        assert_eq!(queue.expire(later), TWO);
        assert_eq!(queue.items(), 1);
        // A clock that was set back makes nothing old.
        queue.release();
        assert_eq!(queue.expire(WallNanos(0)), Dropped::default());
    }
}
