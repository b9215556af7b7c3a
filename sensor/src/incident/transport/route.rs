//! One transport with its queue and its fallback.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::watch;

use super::{Parcel, Transport};
use crate::{
    clock,
    config::format_duration,
    export::{
        Pen,
        exporter::{Lane, worker},
        otlp::Outcome,
        wire::Batch,
    },
};

/// What the queues hold, for people.
pub(super) const GOODS: worker::Goods = worker::Goods {
    name: "incidents",
    records: "incidents",
};

/// How often it is looked for what has waited too long, while a transport
/// fails.
const LOOK: Duration = Duration::from_secs(1);

/// The queue of one transport, and who gets what it cannot deliver.
pub(super) struct Route {
    pub(super) lane: Arc<Lane>,
    pub(super) target: String,
    /// It survives in the store.
    pub(super) is_durable: bool,
    fallback: Option<Arc<Route>>,
    patience: Duration,
    /// The last try failed.
    failing: watch::Sender<bool>,
    /// The number of the last incident that the fallback has got.
    copied: Mutex<u64>,
    pub(super) fallen_back: AtomicU64,
    pen: OnceLock<Pen>,
}

impl Route {
    pub(super) fn new(
        lane: Lane,
        target: String,
        is_durable: bool,
        fallback: Option<Arc<Self>>,
        patience: Duration,
    ) -> Self {
        Self {
            lane: Arc::new(lane),
            target,
            is_durable,
            fallback,
            patience,
            failing: watch::channel(false).0,
            copied: Mutex::new(0),
            fallen_back: AtomicU64::new(0),
            pen: OnceLock::new(),
        }
    }

    pub(super) fn write_with(&self, pen: Pen) {
        let _ = self.pen.set(pen);
    }

    /// The one who sends what is in the queue.
    pub(super) fn carrier(self: Arc<Self>, transport: Box<dyn Transport>) -> Carrier {
        Carrier {
            route: self,
            transport,
        }
    }

    /// While the transport fails, gives the fallback what has waited for too
    /// long. It stays in the queue: a target that returns gets all of it.
    pub(super) async fn watch(self: Arc<Self>, mut stop: worker::Stop) {
        let mut failing = self.failing.subscribe();
        loop {
            let bad = tokio::select! {
                bad = failing.wait_for(|failing| *failing) => bad.is_ok(),
                _ = stop.wait_for(Option::is_some) => false,
            };
            if !bad {
                return;
            }
            self.fall_back(self.patience);
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stop.wait_for(Option::is_some) => return,
            }
        }
    }

    /// Gives the fallback a copy of what has waited for `age` at least and was
    /// not given to it yet.
    pub(super) fn fall_back(&self, age: Duration) {
        let mut copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, bodies) = self.lane.waiting(*copied, age, clock::steady());
        *copied = last;
        drop(copied);
        if !bodies.is_empty() {
            self.give(bodies);
        }
    }

    fn give(&self, bodies: Vec<Bytes>) {
        let Some(fallback) = &self.fallback else {
            return;
        };
        let count = u64::try_from(bodies.len()).unwrap_or(u64::MAX);
        self.fallen_back.fetch_add(count, Ordering::Relaxed);
        let batches = bodies.into_iter().map(|bytes| Batch { bytes, records: 1 });
        fallback.lane.push(batches.collect());
        if let Some(pen) = self.pen.get() {
            pen.write();
        }
    }
}

/// Lets a transport carry what is in a queue.
pub(super) struct Carrier {
    route: Arc<Route>,
    transport: Box<dyn Transport>,
}

impl worker::Transport for Carrier {
    async fn send(&mut self, request: Bytes) -> Outcome {
        let parcel = Parcel::read(request);
        let limit = self.transport.limit();
        let outcome = match tokio::time::timeout(limit, self.transport.send(&parcel)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.transport.reset();
                Outcome::Retry {
                    after: None,
                    reason: format!("timed out after {}", format_duration(limit)),
                }
            }
        };
        if let Outcome::Refused { .. } = outcome {
            self.route.give(vec![parcel.json().clone()]);
        }
        let fails = matches!(outcome, Outcome::Retry { .. });
        self.route.failing.send_if_modified(|failing| {
            let changed = *failing != fails;
            *failing = fails;
            changed
        });
        outcome
    }

    fn target(&self) -> String {
        self.transport.target()
    }
}
