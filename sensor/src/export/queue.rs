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

    /// Its number in a [`Place`].
    #[must_use]
    pub fn number(&self) -> u8 {
        self.signal
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

    /// What has a number above `after` and has waited for `age` at least, with
    /// its bytes where they are in memory.
    #[must_use]
    pub fn waiting(
        &self,
        after: u64,
        age: Duration,
        now: WallNanos,
    ) -> Vec<(Place, Option<Bytes>)> {
        let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        let old = self
            .entries
            .iter()
            .filter(|entry| entry.number > after && now.0.saturating_sub(entry.since.0) >= age);
        old.map(|entry| ((self.signal, entry.number), entry.body.clone()))
            .collect()
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
#[path = "queue_tests.rs"]
mod tests;
