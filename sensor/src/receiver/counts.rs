//! What the receiver says about itself.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Counters of a receiver, from its start.
#[derive(Debug, Default)]
pub struct Counts {
    accepted: Mutex<BTreeMap<&'static str, u64>>,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    incidents: AtomicU64,
    unmatched: AtomicU64,
}

/// What they say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// Requests that were taken, by signal (traces, logs, metrics).
    pub accepted: Vec<(&'static str, u64)>,
    /// Requests that were not, by reason.
    pub refused: Vec<(&'static str, u64)>,
    /// Incidents found in them, each once.
    pub incidents: u64,
    /// Of these, whose process is no member of a service.
    pub unmatched: u64,
}

impl Counts {
    pub(super) fn accepted(&self, signal: &'static str) {
        count(&self.accepted, signal);
    }

    pub(super) fn refused(&self, reason: &'static str) {
        count(&self.refused, reason);
    }

    pub(super) fn incidents(&self, count: usize, is_watched: bool) {
        let count = count as u64;
        self.incidents.fetch_add(count, Ordering::Relaxed);
        if !is_watched {
            self.unmatched.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// As of now.
    #[must_use]
    pub fn now(&self) -> Received {
        Received {
            accepted: all(&self.accepted),
            refused: all(&self.refused),
            incidents: self.incidents.load(Ordering::Relaxed),
            unmatched: self.unmatched.load(Ordering::Relaxed),
        }
    }
}

type Counters = Mutex<BTreeMap<&'static str, u64>>;

fn count(counters: &Counters, what: &'static str) {
    let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
    *counters.entry(what).or_default() += 1;
}

fn all(counters: &Counters) -> Vec<(&'static str, u64)> {
    let counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
    counters
        .iter()
        .map(|(what, count)| (*what, *count))
        .collect()
}
