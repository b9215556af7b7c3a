//! Whom the scheduler's hook is to count, and for whom it has counted.
//!
//! The kernel counts by slot: one for each set of services that somebody is a
//! member of, so that a process in two services is counted once in the kernel
//! and in both services here.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use sensor_common::scheduler::{Counts, Watched};

use super::Engine;
use crate::{
    aggregate::{registry::Registry, scheduled::difference},
    process::table::{Process, ServiceId, TICK_NS},
    units::ProcessKey,
};

/// What the kernel is to be told of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Count it, by thread group id, in this way.
    Watch(u32, Watched),
    /// Count it no more.
    Forget(u32),
}

/// How one process is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    key: ProcessKey,
    exact: bool,
    slot: u32,
}

/// Who is counted where.
#[derive(Debug, Default)]
pub struct Scheduling {
    /// How many slots there are; 0 while nobody counts.
    limit: u32,
    sets: Vec<Set>,
    by_services: HashMap<Arc<[ServiceId]>, u32>,
    /// What the kernel was told of, by pid.
    told: HashMap<u32, Entry>,
    /// What it is to be told; `None`: nothing more of this pid.
    changes: BTreeMap<u32, Option<Entry>>,
    refused: u64,
}

/// A slot.
#[derive(Debug)]
struct Set {
    /// Empty where the slot is free.
    services: Arc<[ServiceId]>,
    /// What it showed the last time. It is never set back, so one that is used
    /// again goes on from here.
    last: Counts,
}

impl Scheduling {
    /// Processes that are not counted because there was no slot for their
    /// services.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes in what a process is a member of now.
    fn place(&mut self, process: &Process, services: Vec<ServiceId>) {
        let pid = process.key.pid;
        let now = self.now(pid);
        if services.is_empty() {
            // Also where nobody was told of it yet: the hook on fork has put
            // the child of a member in.
            if now.is_some() {
                self.changes.insert(pid, None);
            }
            return;
        }
        let wanted = self.slot(services).map(|slot| Entry {
            key: process.key,
            exact: process.exact,
            slot,
        });
        if wanted.is_none() {
            self.refused += 1;
        }
        // One that has become exact since was found under its tick.
        let same = |now: Entry, wanted: Entry| {
            now.slot == wanted.slot && watched(now).is(wanted.key.start.0)
        };
        match (now, wanted) {
            (None, None) => {}
            (Some(now), Some(wanted)) if same(now, wanted) => {}
            _ => self.change(pid, wanted),
        }
    }

    /// A process has ended. The hook on exit has taken it out, unless we have
    /// put it in after that.
    fn ended(&mut self, key: ProcessKey) {
        let of = |entry: Entry| watched(entry).is(key.start.0);
        if self.now(key.pid).is_some_and(of) {
            self.change(key.pid, None);
        }
    }

    fn now(&self, pid: u32) -> Option<Entry> {
        let pending = self.changes.get(&pid).copied();
        pending.unwrap_or_else(|| self.told.get(&pid).copied())
    }

    fn change(&mut self, pid: u32, to: Option<Entry>) {
        if to.is_none() && !self.told.contains_key(&pid) {
            // Born and gone before anybody was told.
            self.changes.remove(&pid);
        } else {
            self.changes.insert(pid, to);
        }
    }

    fn slot(&mut self, services: Vec<ServiceId>) -> Option<u32> {
        if let Some(&slot) = self.by_services.get(services.as_slice()) {
            return Some(slot);
        }
        let services: Arc<[ServiceId]> = services.into();
        let free = |set: &Set| set.services.is_empty();
        let at = match self.sets.iter().position(free) {
            Some(free) => {
                self.sets[free].services = services.clone();
                free
            }
            None => {
                self.sets.push(Set {
                    services: services.clone(),
                    last: Counts::default(),
                });
                self.sets.len() - 1
            }
        };
        let slot = u32::try_from(at).ok().filter(|slot| *slot < self.limit);
        match slot {
            Some(slot) => {
                self.by_services.insert(services, slot);
            }
            None => {
                self.sets.pop();
            }
        }
        slot
    }

    fn take_changes(&mut self) -> Vec<Change> {
        let changes = std::mem::take(&mut self.changes).into_iter();
        let told = &mut self.told;
        let tell = |(pid, entry): (u32, Option<Entry>)| match entry {
            Some(entry) => {
                told.insert(pid, entry);
                Change::Watch(pid, watched(entry))
            }
            None => {
                told.remove(&pid);
                Change::Forget(pid)
            }
        };
        changes.map(tell).collect()
    }

    fn take_counts(&mut self, slot: u32, now: &Counts, registry: &mut Registry) {
        let set = usize::try_from(slot).ok();
        let Some(set) = set.and_then(|slot| self.sets.get_mut(slot)) else {
            return;
        };
        let more = difference(now, &std::mem::replace(&mut set.last, *now));
        // Its plugin may have been removed meanwhile.
        for &id in set.services.iter() {
            if registry.has(id) {
                let scheduled = &mut registry.get_mut(id).scheduled;
                scheduled.get_or_insert_default().add(&more);
            }
        }
    }

    /// Few slots are left.
    fn is_tight(&self) -> bool {
        self.by_services.len() >= self.limit as usize / 4 * 3
    }

    fn free_unused(&mut self, mut used: HashSet<u32>) {
        used.extend(self.told.values().map(|entry| entry.slot));
        used.extend(self.changes.values().flatten().map(|entry| entry.slot));
        self.by_services.retain(|_, slot| used.contains(slot));
        for (slot, set) in (0_u32..).zip(&mut self.sets) {
            if !used.contains(&slot) {
                set.services = Arc::default();
            }
        }
    }
}

/// An entry as the kernel has it.
fn watched(entry: Entry) -> Watched {
    Watched {
        start: entry.key.start.0,
        tolerance: match entry.exact {
            true => 0,
            false => u32::try_from(TICK_NS - 1).unwrap_or(u32::MAX),
        },
        slot: entry.slot,
    }
}

impl Engine {
    /// Says that the scheduler's hook counts from now on, in so many slots, or
    /// that it does not: 0. A hook that was there before has forgotten everybody.
    pub fn follow_scheduler(&mut self, slots: u32) {
        self.config.registry.shows_scheduler(slots > 0);
        if (slots > 0) == (self.scheduling.limit > 0) {
            return;
        }
        self.scheduling.limit = slots;
        self.scheduling.told.clear();
        self.scheduling.changes.clear();
        self.schedule_all();
    }

    /// What the kernel is to be told since the last call.
    #[must_use]
    pub fn take_scheduler_changes(&mut self) -> Vec<Change> {
        self.scheduling.take_changes()
    }

    /// The slots that somebody may have been counted in.
    #[must_use]
    pub fn scheduler_slots(&self) -> Vec<u32> {
        let mut slots: Vec<u32> = self.scheduling.by_services.values().copied().collect();
        slots.sort_unstable();
        slots
    }

    /// Takes in what was counted in a slot since the hook was loaded.
    pub fn scheduler_counts(&mut self, slot: u32, counts: &Counts) {
        let registry = &mut self.config.registry;
        self.scheduling.take_counts(slot, counts, registry);
    }

    /// Gives slots back that nobody is counted in, where few are left. To be
    /// called after all were read; `in_kernel` says which ones the hook uses.
    pub fn free_scheduler_slots(&mut self, in_kernel: impl FnOnce() -> HashSet<u32>) {
        if self.scheduling.is_tight() {
            self.scheduling.free_unused(in_kernel());
        }
    }

    /// Who is counted, and what is to be told.
    #[must_use]
    pub fn scheduling(&self) -> &Scheduling {
        &self.scheduling
    }

    /// Takes in that a process has come to its services.
    pub(super) fn schedule(&mut self, pid: u32) {
        if self.scheduling.limit == 0 {
            return;
        }
        let Some(process) = self.table.by_pid(pid) else {
            return;
        };
        let registry = &self.config.registry;
        let counted = |id: &ServiceId| registry.spec_of(*id).scheduler;
        let services = process.services.iter().copied().filter(counted).collect();
        self.scheduling.place(process, services);
    }

    /// The same of everybody.
    pub(super) fn schedule_all(&mut self) {
        let mut pids: Vec<u32> = self.table.iter().map(|process| process.key.pid).collect();
        // The table has no order; who gets the first slot does.
        pids.sort_unstable();
        for pid in pids {
            self.schedule(pid);
        }
    }

    /// Takes in that a process has ended.
    pub(super) fn unschedule(&mut self, key: ProcessKey) {
        self.scheduling.ended(key);
    }
}
