//! Exits that wait for figures of threads that ended beside the last one.
//!
//! The last thread may overtake others in the exit hook; their figures come in
//! late records. An exit says how many threads are missing and is held until
//! they are there, at most [`HOLD_NS`] (contract E5).

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use sensor_common::event::{Exit, Figures, Late};

use super::key_of;
use crate::{
    process::{table::ServiceId, usage},
    units::{BootNanos, ProcessKey},
};

/// How long an exit waits, ns.
const HOLD_NS: u64 = 50_000_000;
/// Ended processes whose late figures still find their services.
const REMEMBERED: usize = 1_024;
/// Processes whose late figures came before their exit record.
const EARLY: usize = 1_024;

/// An exit with all the figures it will get.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The record.
    pub exit: Exit,
    /// Figures of all threads.
    pub figures: Figures,
}

/// Figures that came too late for the event of their process: whose they are,
/// what, of how many threads.
pub type Settled = (Arc<[ServiceId]>, Figures, u32);

/// The waiting exits.
#[derive(Debug, Default)]
pub struct Exits {
    held: Vec<(u32, Finished)>,
    early: HashMap<ProcessKey, (u32, Figures)>,
    remembered: VecDeque<(ProcessKey, Arc<[ServiceId]>)>,
    settled: Vec<Settled>,
}

impl Exits {
    /// Takes in an exit record; gives it back where nothing is missing.
    pub fn exit(&mut self, exit: &Exit) -> Option<Finished> {
        let mut finished = Finished {
            exit: *exit,
            figures: exit.figures,
        };
        let mut pending = exit.pending;
        if let Some((threads, figures)) = self.early.remove(&key_of(&exit.header)) {
            usage::add(&mut finished.figures, &figures);
            pending = pending.saturating_sub(threads);
        }
        if pending == 0 {
            return Some(finished);
        }
        self.held.push((pending, finished));
        None
    }

    /// Takes in a late record; gives back the exit that it completes. `alive`
    /// says that the process has not been reported as ended.
    pub fn late(&mut self, late: &Late, alive: bool) -> Option<Finished> {
        let key = key_of(&late.header);
        let held = self
            .held
            .iter()
            .position(|(_, held)| key_of(&held.exit.header) == key);
        if let Some(index) = held {
            let (pending, finished) = &mut self.held[index];
            usage::add(&mut finished.figures, &late.figures);
            *pending = pending.saturating_sub(late.threads);
            let complete = *pending == 0;
            return complete.then(|| self.held.swap_remove(index).1);
        }
        if alive && self.early.len() < EARLY {
            let (threads, figures) = self.early.entry(key).or_default();
            *threads += late.threads;
            usage::add(figures, &late.figures);
            return None;
        }
        let services = self
            .remembered
            .iter()
            .find(|(dead, _)| *dead == key)
            .map(|(_, services)| services.clone())
            .unwrap_or_default();
        self.settled.push((services, late.figures, late.threads));
        None
    }

    /// Exits that have waited long enough.
    pub fn overdue(&mut self, now: BootNanos) -> Vec<Finished> {
        let due = |held: &Finished| held.exit.header.time.saturating_add(HOLD_NS) <= now.0;
        let mut overdue = Vec::new();
        let mut index = 0;
        while index < self.held.len() {
            if due(&self.held[index].1) {
                overdue.push(self.held.remove(index).1);
            } else {
                index += 1;
            }
        }
        overdue
    }

    /// Whether the exit of a process waits.
    #[must_use]
    pub fn waits(&self, key: ProcessKey) -> bool {
        self.held
            .iter()
            .any(|(_, held)| key_of(&held.exit.header) == key)
    }

    /// The waiting exit of a process, however long it has waited.
    pub fn take(&mut self, key: ProcessKey) -> Option<Finished> {
        let index = self
            .held
            .iter()
            .position(|(_, held)| key_of(&held.exit.header) == key)?;
        Some(self.held.remove(index).1)
    }

    /// Keeps the services of an ended process for late figures.
    pub fn remember(&mut self, key: ProcessKey, services: Arc<[ServiceId]>) {
        if services.is_empty() {
            return;
        }
        if self.remembered.len() == REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back((key, services));
    }

    /// Late figures of processes that have been reported.
    pub fn settled(&mut self) -> Vec<Settled> {
        std::mem::take(&mut self.settled)
    }
}
