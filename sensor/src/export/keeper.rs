//! The thread that writes: once per interval all that was accepted goes into
//! the store, in one transaction, and after that it may be sent.
//!
//! The engine never waits for the disk. Where the disk fails the sensor goes
//! on from memory, says so (at most once a minute), and tries again every
//! interval.

mod desk;
mod shelf;
mod told;

use std::{
    sync::{Arc, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use self::{
    desk::{Desk, Pending},
    shelf::chain,
    told::Told,
};
use super::exporter::Lane;
use crate::{
    clock, privilege,
    source::ebpf::Mark,
    store::{Changes, Place, Request},
    units::WallNanos,
};

pub use self::{
    desk::Interval,
    shelf::{Found, Shelf},
};

/// Bytes of one signal that are written before the interval is over.
const EARLY_BYTES: usize = 1 << 20;
/// How long the last transaction may take.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// The engine's end of the thread.
pub struct Keeper {
    shelf: Arc<Shelf>,
    desk: Arc<Desk>,
    lanes: Vec<Arc<Lane>>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts the thread. `lanes` may be none: identities and totals are
    /// written all the same.
    ///
    /// # Errors
    ///
    /// Where there can be no more threads.
    pub fn start(shelf: Arc<Shelf>, lanes: Vec<Arc<Lane>>) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let writer = Writer {
            shelf: Arc::clone(&shelf),
            desk: Arc::clone(&desk),
            lanes: lanes.clone(),
            failing: None,
            told: Told::default(),
        };
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let place = writer.shelf.place();
                privilege::confine_thread(&[place]);
                writer.work();
            })?;
        Ok(Self {
            shelf,
            desk,
            lanes,
            thread,
        })
    }

    /// Transactions that were tried, and of these, failed.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        self.shelf.counts()
    }

    /// Has everything written that was accepted until now, and together with
    /// `interval` what `enqueue` puts into the queue. Never waits for the
    /// disk: where it is slow, the next transaction holds more.
    pub fn accept(&self, interval: Interval, enqueue: impl FnOnce()) {
        let mut pending = self.desk.lock();
        enqueue();
        pending.marked = interval.mark.or(pending.marked);
        let older = std::mem::replace(&mut pending.interval, interval);
        pending.interval.after(older);
        self.ask(&mut pending);
    }

    /// Whether so much is waiting that it is to be written before the end of
    /// the interval.
    #[must_use]
    pub fn is_much(&self) -> bool {
        let much = |lane: &Arc<Lane>| lane.unwritten() > EARLY_BYTES;
        self.lanes.iter().any(much)
    }

    /// Up to where the store has the kernel's ring; `None` before the first
    /// transaction that says so.
    #[must_use]
    pub fn written(&self) -> Option<Mark> {
        self.desk.lock().written
    }

    /// Whether all that was asked for is done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let pending = self.desk.lock();
        pending.done == pending.asked
    }

    /// Whether the store has the kernel's ring as far as it was told; after a
    /// failure, whether it is time to tell it again. Other things may be
    /// waiting: where much goes wrong on the host, there always are incidents
    /// to be written.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.desk.lock().is_current()
    }

    /// The same for others to hold.
    #[must_use]
    pub fn pen(&self) -> Pen {
        Pen(Arc::clone(&self.desk))
    }

    /// Writes once more, and waits for it, but not for ever; false where the
    /// disk did not answer in time.
    pub fn finish(&self) -> bool {
        let mut pending = self.desk.lock();
        let mine = self.ask(&mut pending);
        let waited = self
            .desk
            .changed
            .wait_timeout_while(pending, LAST_WRITE, |pending| pending.done < mine);
        let (pending, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let answered = pending.done >= mine;
        drop(pending);
        if !answered {
            tracing::warn!("the store did not answer in time");
        }
        answered
    }

    /// Ends the thread; what was delivered since [`finish`](Self::finish) is
    /// forgotten by the store.
    pub fn end(self) {
        let answers = self.finish();
        self.desk.lock().ended = true;
        self.desk.changed.notify_all();
        // A disk that hangs must not keep the sensor from ending.
        if answers {
            let _ = self.thread.join();
        }
    }

    fn ask(&self, pending: &mut Pending) -> u64 {
        self.desk.ask(pending)
    }
}

/// Has everything written that was accepted until now.
#[derive(Debug, Clone)]
pub struct Pen(Arc<Desk>);

impl Pen {
    /// Never waits for the disk.
    pub fn write(&self) {
        self.0.ask(&mut self.0.lock());
    }
}

struct Writer {
    shelf: Arc<Shelf>,
    desk: Arc<Desk>,
    lanes: Vec<Arc<Lane>>,
    /// When to try again, while the disk fails.
    failing: Option<Instant>,
    told: Told,
}

impl Writer {
    fn work(mut self) {
        loop {
            let snapshot = || {
                let clocks = (clock::wall(), clock::steady());
                let parts = self.lanes.iter().map(|lane| lane.changes(clocks.1));
                (clocks, parts.collect::<Vec<_>>())
            };
            let Some((asked, interval, ((time, steady), parts))) = self.desk.take(snapshot) else {
                return;
            };
            // The next daemon has a steady clock of its own: what is written is
            // as old by the wall clock as it is by ours.
            let by_wall = |request: &Request| Request {
                since: WallNanos((request.since.0 + time.0).saturating_sub(steady.0)),
                ..request.clone()
            };
            let changes = Changes {
                time,
                totals: interval.totals,
                seen: interval.seen,
                mark: interval.mark,
                logs: interval.logs,
                accepted: parts
                    .iter()
                    .flat_map(|part| part.0.iter().map(by_wall))
                    .collect(),
                gone: parts.iter().flat_map(|part| part.1.clone()).collect(),
            };
            match self.write(&changes, &parts) {
                true => self.desk.done(asked, changes.mark, None),
                false => {
                    let unwritten = Interval {
                        totals: changes.totals,
                        seen: changes.seen,
                        mark: changes.mark,
                        logs: changes.logs,
                    };
                    self.desk.done(asked, None, Some(unwritten));
                }
            }
        }
    }

    fn write(&mut self, changes: &Changes, parts: &[(Vec<Request>, Vec<Place>)]) -> bool {
        let start = Instant::now();
        if self.failing.is_some_and(|next| start < next) {
            self.fails();
            return false;
        }
        match self.shelf.commit(changes, self.failing.is_some()) {
            Ok(()) => {
                self.failing = None;
                if self.told.works() {
                    tracing::info!("the store works again");
                }
                for (lane, (accepted, gone)) in self.lanes.iter().zip(parts) {
                    lane.written(accepted, gone.len());
                }
                true
            }
            Err(error) => {
                // Opening a large store takes a while: no more than a tenth of
                // the time goes into tries.
                let next = Instant::now() + start.elapsed() * 9;
                self.failing = Some(next);
                if self.told.fails(start) {
                    tracing::warn!(
                        "{}; going on from memory, and trying again every interval",
                        chain(&error)
                    );
                }
                self.fails();
                false
            }
        }
    }

    fn fails(&self) {
        for lane in &self.lanes {
            lane.fails();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::store::{Store, StoreConfig, records::Totals};

    fn totals(starts: u64) -> Interval {
        Interval {
            totals: vec![(
                b"key".to_vec(),
                Totals {
                    starts,
                    ..Totals::default()
                },
            )],
            ..Interval::default()
        }
    }

    /// A ring of which nothing is given back fills up.
    #[test]
    fn a_mark_that_was_not_written_is_asked_for_again() {
        let desk = Desk::default();
        let mark = |position| Mark {
            ring: crate::units::BootNanos(1),
            position,
        };
        let put_down = |position| {
            let mut pending = desk.lock();
            pending.marked = Some(mark(position));
            pending.interval.mark = Some(mark(position));
            desk.ask(&mut pending);
        };
        put_down(1);
        assert!(!desk.lock().is_current());
        let (asked, interval, ()) = desk.take(|| ()).unwrap();
        desk.done(asked, None, Some(interval));
        assert!(!desk.lock().is_current(), "not at once");
        desk.lock().failed = Instant::now().checked_sub(desk::PAUSE);
        assert!(desk.lock().is_current());

        // Somebody else has it written after all.
        desk.ask(&mut desk.lock());
        let (asked, interval, ()) = desk.take(|| ()).unwrap();
        put_down(2);
        desk.done(asked, interval.mark, None);
        assert_eq!(desk.lock().written, Some(mark(1)));
        assert!(!desk.lock().is_current());
        let (asked, interval, ()) = desk.take(|| ()).unwrap();
        desk.done(asked, interval.mark, None);
        assert!(desk.lock().is_current());
    }

    /// Every figure that is sent has its totals in the store before: what the
    /// writer takes is one moment, however the engine hurries on.
    #[test]
    fn what_is_sent_and_what_goes_on_from_it_are_taken_together() {
        const LAST: u64 = 2_000;
        let directory = tempfile::tempdir().unwrap();
        let opened = Store::open(&StoreConfig {
            path: directory.path().join("metadata.redb"),
            strict: true,
        });
        let desk = Arc::new(Desk::default());
        let queued = Arc::new(AtomicU64::new(0));
        let keeper = Keeper {
            shelf: Arc::new(Shelf::new(opened.unwrap().store)),
            desk: Arc::clone(&desk),
            lanes: Vec::new(),
            thread: thread::spawn(|| ()),
        };
        let engine = {
            let queued = Arc::clone(&queued);
            thread::spawn(move || {
                for number in 1..=LAST {
                    keeper.accept(totals(number), || queued.store(number, Ordering::SeqCst));
                }
            })
        };
        let mut known = 0;
        while known < LAST {
            let taken = desk.take(|| queued.load(Ordering::SeqCst));
            let (asked, interval, queued) = taken.unwrap();
            known = interval.totals.first().map_or(known, |row| row.1.starts);
            assert_eq!(known, queued);
            // Every other transaction fails: nothing of it is forgotten.
            desk.done(
                asked,
                None,
                (known % 2 == 0 && known < LAST).then_some(interval),
            );
        }
        engine.join().unwrap();
    }
}
