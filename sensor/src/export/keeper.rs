//! The thread that writes: once per interval all that was accepted goes into
//! the store, in one transaction, and after that it may be sent.
//!
//! The engine never waits for the disk. Where the disk fails the sensor goes
//! on from memory, says so once, and tries again every interval.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;

use super::exporter::Lane;
use crate::{
    clock,
    store::{Changes, Place, Seen, Store, StoreError, records::Totals},
};

/// Bytes of one signal that are written before the interval is over.
const EARLY_BYTES: usize = 1 << 20;
/// How long the last transaction may take.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// The open store, or none for the moment.
#[derive(Debug)]
pub struct Shelf {
    store: Mutex<Option<Store>>,
}

/// What the engine has to say at the end of an interval.
#[derive(Debug, Default)]
pub struct Interval {
    /// Where series go on, by [`crate::store::service_key`].
    pub totals: Vec<(Vec<u8>, Totals)>,
    /// Who was reported.
    pub seen: Option<Seen>,
}

enum Order {
    /// Write now.
    Write(Box<Interval>),
    /// Write, then say so.
    Finish(Box<Interval>, SyncSender<()>),
}

/// The engine's end of the thread.
pub struct Keeper {
    shelf: Arc<Shelf>,
    lanes: Vec<Arc<Lane>>,
    orders: SyncSender<Order>,
    thread: JoinHandle<()>,
}

impl Shelf {
    /// A shelf with a store on it.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store: Mutex::new(Some(store)),
        }
    }

    /// The bytes of a request; `None` where it is not there, or nothing can be
    /// read now.
    pub fn request(&self, place: Place) -> Option<Bytes> {
        let found = self.lock().as_ref()?.request(place);
        found.unwrap_or_else(|error| {
            tracing::debug!("a request cannot be read: {}", chain(&error));
            None
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Store>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper {
    /// Starts the thread. `lanes` may be none: identities and totals are
    /// written all the same.
    ///
    /// # Errors
    ///
    /// Where there can be no more threads.
    pub fn start(shelf: Arc<Shelf>, lanes: Vec<Arc<Lane>>) -> std::io::Result<Self> {
        // One order waits at most: the next one knows more than it did.
        let (orders, received) = mpsc::sync_channel(1);
        let writer = Writer {
            shelf: Arc::clone(&shelf),
            lanes: lanes.clone(),
            failing: false,
        };
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.work(&received))?;
        Ok(Self {
            shelf,
            lanes,
            orders,
            thread,
        })
    }

    /// Has everything written that was accepted until now. Where the disk is
    /// so slow that it is still at the one before, the next call does it.
    pub fn write(&self, interval: Interval) {
        let _ = self.orders.try_send(Order::Write(Box::new(interval)));
    }

    /// The same before the end of the interval, where much is waiting.
    pub fn write_early(&self) {
        let much = |lane: &Arc<Lane>| lane.unwritten() > EARLY_BYTES;
        if self.lanes.iter().any(much) {
            self.write(Interval::default());
        }
    }

    /// Writes once more, and waits for it, but not for ever.
    pub fn finish(&self, interval: Interval) {
        let (done, finished) = mpsc::sync_channel(1);
        if self
            .orders
            .send(Order::Finish(Box::new(interval), done))
            .is_ok()
            && finished.recv_timeout(LAST_WRITE).is_err()
        {
            tracing::warn!("the store did not answer in time");
        }
    }

    /// Ends the thread; what was delivered since [`finish`](Self::finish) is
    /// forgotten by the store.
    pub fn end(self) {
        self.finish(Interval::default());
        drop(self.orders);
        if self.thread.is_finished() || self.shelf.store.try_lock().is_ok() {
            let _ = self.thread.join();
        }
    }
}

struct Writer {
    shelf: Arc<Shelf>,
    lanes: Vec<Arc<Lane>>,
    failing: bool,
}

impl Writer {
    fn work(mut self, orders: &Receiver<Order>) {
        for order in orders {
            match order {
                Order::Write(interval) => self.write(*interval),
                Order::Finish(interval, done) => {
                    self.write(*interval);
                    let _ = done.try_send(());
                }
            }
        }
    }

    fn write(&mut self, interval: Interval) {
        let mut changes = Changes {
            time: clock::wall(),
            totals: interval.totals,
            seen: interval.seen,
            ..Changes::default()
        };
        let mut parts = Vec::new();
        for lane in &self.lanes {
            let (accepted, gone) = lane.changes(changes.time);
            parts.push((accepted.clone(), gone.len()));
            changes.accepted.extend(accepted);
            changes.gone.extend(gone);
        }
        match self.commit(&changes) {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the store works again");
                }
                for (lane, (accepted, gone)) in self.lanes.iter().zip(&parts) {
                    lane.written(accepted, *gone);
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(
                        "{}; going on from memory, and trying again every interval",
                        chain(&error)
                    );
                }
                for lane in &self.lanes {
                    lane.fails();
                }
            }
        }
    }

    /// Commits; opens the store again where it failed before. redb is of no
    /// more use after an error of the disk.
    fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        let mut shelf = self.shelf.lock();
        let Some(store) = shelf.as_mut() else {
            return Ok(());
        };
        if self.failing {
            store.reopen()?;
        }
        store.commit(changes)
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
