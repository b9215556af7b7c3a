//! Exits that wait for figures of threads that ended beside the last one.
//!
//! The last thread may overtake others in the exit hook; their figures come in
//! late records. An exit says how many threads are missing and is held until
//! they are there, at most [`HOLD_NS`] (contract E5).

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;
use sensor_common::event::{Exit, Figures, Late};

use super::key_of;
use crate::{
    aggregate::service::Member,
    process::{
        table::{ServiceId, ticks_of_start},
        usage,
    },
    units::{BootNanos, ProcessKey},
};

/// How long an exit waits, ns.
const HOLD_NS: u64 = 50_000_000;
/// Exits that wait at once; above that the oldest goes out as it is.
const HELD: usize = 16_384;
/// Processes whose late figures came before their exit record.
const EARLY: usize = 1_024;
/// Processes that were reported without all figures.
const REPORTED: usize = 1_024;
/// Processes that have just ended, so that a scan that was slower than the
/// ring does not bring them back.
const ENDED: usize = 4_096;

/// An exit with all the figures it will get.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The record.
    pub exit: Exit,
    /// Figures of all threads but the missing ones.
    pub figures: Figures,
    /// Threads whose figures have not come.
    pub missing: u32,
}

/// What an ended process has credited so far, for figures still to come.
#[derive(Debug)]
pub struct Reported {
    /// Figures of the threads so far.
    pub figures: Figures,
    /// What it was in its services.
    pub members: Vec<(ServiceId, Member)>,
}

/// What a late record does.
#[derive(Debug)]
pub enum Arrival {
    /// It waits with, or for, the exit of its process.
    Waits,
    /// It completes an exit.
    Completes(Box<Finished>),
    /// The exit has been reported without it, or it cannot be kept.
    TooLate,
}

/// The waiting exits. Every list is bounded.
#[derive(Debug, Default)]
pub struct Exits {
    held: Waiting<Finished>,
    early: Waiting<(u32, Figures)>,
    reported: VecDeque<(ProcessKey, Reported)>,
    ended: VecDeque<ProcessKey>,
}

impl Exits {
    /// Takes in an exit record; gives it back where nothing is missing.
    pub fn exit(&mut self, exit: &Exit) -> Option<Finished> {
        let key = key_of(&exit.header);
        let mut finished = Finished {
            exit: *exit,
            figures: exit.figures,
            missing: exit.pending,
        };
        if let Some((threads, figures)) = self.early.remove(key) {
            finished.add(threads, &figures);
        }
        if finished.missing == 0 {
            return Some(finished);
        }
        self.held.insert(key, exit.header.time, finished);
        None
    }

    /// Takes in a late record.
    pub fn late(&mut self, late: &Late) -> Arrival {
        let key = key_of(&late.header);
        if let Some(held) = self.held.get_mut(key) {
            held.add(late.threads, &late.figures);
            if held.missing > 0 {
                return Arrival::Waits;
            }
            let complete = self.held.remove(key).map(Box::new);
            return complete.map_or(Arrival::Waits, Arrival::Completes);
        }
        if let Some((threads, figures)) = self.early.get_mut(key) {
            *threads = threads.saturating_add(late.threads);
            usage::add(figures, &late.figures);
            return Arrival::Waits;
        }
        if self.early.len() >= EARLY || self.ended.contains(&key) {
            return Arrival::TooLate;
        }
        let first = (late.threads, late.figures);
        self.early.insert(key, late.header.time, first);
        Arrival::Waits
    }

    /// An exit that has waited long enough.
    pub fn overdue(&mut self, now: BootNanos) -> Option<Finished> {
        self.held.overdue(now, HELD)
    }

    /// Gives up on late records whose exit did not come: it was lost. Returns
    /// the number of their threads. What the last look at the process showed
    /// holds a part of their figures already, so they cannot be added to it.
    pub fn forget_early(&mut self, now: BootNanos) -> u64 {
        std::iter::from_fn(|| self.early.overdue(now, EARLY))
            .map(|(threads, _)| u64::from(threads))
            .sum()
    }

    /// Whether the exit of a process waits.
    #[must_use]
    pub fn waits(&self, key: ProcessKey) -> bool {
        self.held.since.contains_key(&key)
    }

    /// The waiting exit of a process, however long it has waited.
    pub fn take(&mut self, key: ProcessKey) -> Option<Finished> {
        self.held.remove(key)
    }

    /// Keeps what is needed of a process that has ended.
    pub fn ended(&mut self, key: ProcessKey, missing: u32, reported: Reported) {
        push(&mut self.ended, ENDED, key);
        if missing > 0 && !reported.members.is_empty() {
            push(&mut self.reported, REPORTED, (key, reported));
        }
    }

    /// Whether a process, as a scan names it, has just ended.
    #[must_use]
    pub fn has_ended(&self, pid: u32, start_ticks: u64) -> bool {
        let same = |key: &ProcessKey| key.pid == pid && ticks_of_start(key.start) == start_ticks;
        self.ended.iter().rev().any(same)
    }

    /// What a process that was reported without all figures has credited.
    pub fn reported(&mut self, key: ProcessKey) -> Option<&mut Reported> {
        let mut reported = self.reported.iter_mut();
        reported
            .find(|(ended, _)| *ended == key)
            .map(|(_, reported)| reported)
    }

    /// Entries of all lists.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.held.len() + self.early.len() + self.reported.len() + self.ended.len()
    }
}

impl Finished {
    fn add(&mut self, threads: u32, figures: &Figures) {
        usage::add(&mut self.figures, figures);
        self.missing = self.missing.saturating_sub(threads);
    }
}

fn push<T>(list: &mut VecDeque<T>, limit: usize, item: T) {
    if list.len() >= limit {
        list.pop_front();
    }
    list.push_back(item);
}

/// Things of processes, in the order in which they began to wait.
#[derive(Debug)]
struct Waiting<T> {
    since: HashMap<ProcessKey, u64>,
    items: BTreeMap<(u64, ProcessKey), T>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self {
            since: HashMap::new(),
            items: BTreeMap::new(),
        }
    }
}

impl<T> Waiting<T> {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn insert(&mut self, key: ProcessKey, time: u64, item: T) {
        self.remove(key);
        self.since.insert(key, time);
        self.items.insert((time, key), item);
    }

    fn get_mut(&mut self, key: ProcessKey) -> Option<&mut T> {
        self.items.get_mut(&(*self.since.get(&key)?, key))
    }

    fn remove(&mut self, key: ProcessKey) -> Option<T> {
        let since = self.since.remove(&key)?;
        self.items.remove(&(since, key))
    }

    /// The longest waiting, where it has waited long enough or there are more
    /// than `most`.
    fn overdue(&mut self, now: BootNanos, most: usize) -> Option<T> {
        let (&(since, key), _) = self.items.first_key_value()?;
        let due = since.saturating_add(HOLD_NS) <= now.0 || self.items.len() > most;
        due.then(|| self.remove(key))?
    }
}
