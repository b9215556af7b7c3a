//! Want of memory by the counters of cgroups: `oom_kill` says how many
//! processes of a cgroup the kernel killed. Version 2 has it in
//! `memory.events` (Documentation/admin-guide/cgroup-v2.rst), version 1 in
//! `memory.oom_control` (cgroup-v1/memory.rst).
//!
//! A counter names no process. It is evidence where nobody sent the signal 9
//! that ended one, and the counter has risen since somebody looked: one rise
//! for one death. It stands in where `mark_victim` cannot be hooked, or names
//! a thread.

mod hierarchy;

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use hashbrown::{HashMap, HashSet};

use self::hierarchy::{Hierarchy, Version, memory_path};
use super::ended::{Ended, Oom};
use crate::{
    process::event::{End, Subject},
    units::{BootNanos, ProcessKey},
};

/// Counters that are watched at once.
const COUNTERS: usize = 1_024;
/// Processes whose cgroup is kept; the oldest goes first.
const PLACES: usize = 16_384;
/// Processes of version 1 that wait to be looked for.
const UNREAD: usize = 4_096;
/// What looking for them may cost in a second, in files that are not there; one
/// that is costs four times as much.
const READS: usize = 2_048;
const READ: usize = 4;
const SECOND: Duration = Duration::from_secs(1);
/// A rise that nobody's death explained for so long, or twice, explains none.
const SETTLE_EVERY: Duration = Duration::from_secs(10);
/// `SIGKILL`, which is what the kernel sends.
const KILLED: u8 = 9;

/// A process that became a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The process.
    pub key: ProcessKey,
    /// Thread group id of its parent.
    pub parent: Option<u32>,
    /// Path in the cgroup v2 hierarchy.
    pub cgroup: Option<Arc<str>>,
    /// It has just been born, where its parent is.
    pub is_child: bool,
}

/// One cgroup.
#[derive(Debug)]
struct Counter {
    /// Its path in the hierarchy.
    name: Arc<str>,
    /// Kills that were explained, or are too old to explain anything.
    explained: u64,
    /// As of the last look.
    seen: u64,
}

/// Where a process is.
#[derive(Debug, Clone)]
struct Place {
    key: ProcessKey,
    /// `None` where it is not known.
    dir: Option<Arc<Path>>,
    /// Somebody has looked, or knows for sure; otherwise it is what the parent
    /// had.
    sure: bool,
}

/// The counters of the cgroups that members are in.
#[derive(Debug)]
pub struct Memory {
    hierarchy: Option<Hierarchy>,
    /// Where processes are.
    proc: PathBuf,
    counters: HashMap<Arc<Path>, Counter>,
    /// The cgroups of version 2 since the last settling. One that was made again
    /// has another path in memory, if the same text.
    known: HashSet<Arc<str>>,
    /// Where each process of version 1 is, by pid.
    places: HashMap<u32, Place>,
    order: VecDeque<u32>,
    /// Who is looked for in /proc, the next one first.
    unread: VecDeque<ProcessKey>,
    /// How many may still be read in the second that began then.
    reads: (usize, Option<Instant>),
    settled: Option<Instant>,
}

impl Memory {
    /// That of the host.
    #[must_use]
    pub fn of_host() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self::of(Hierarchy::find(&mounts))
    }

    fn of(hierarchy: Option<Hierarchy>) -> Self {
        Self {
            hierarchy,
            proc: PathBuf::from("/proc"),
            counters: HashMap::new(),
            known: HashSet::new(),
            places: HashMap::new(),
            order: VecDeque::new(),
            unread: VecDeque::new(),
            reads: (0, None),
            settled: None,
        }
    }

    /// Notes what the counters of new members say before anything happens.
    pub fn watch(&mut self, joined: &[Joined], now: Instant) {
        for one in joined {
            match self.hierarchy.as_ref().map(|one| one.version) {
                Some(Version::Two) => {
                    if let Some(cgroup) = &one.cgroup {
                        self.know(cgroup, now);
                    }
                }
                Some(Version::One) => self.inherit(one),
                None => return,
            }
        }
    }

    /// Begins with a cgroup of version 2, unless it is known.
    fn know(&mut self, cgroup: &Arc<str>, now: Instant) {
        let known = self.known.get(cgroup);
        if known.is_some_and(|known| Arc::ptr_eq(known, cgroup)) {
            return;
        }
        let _ = self.begin_at(cgroup, now);
        if self.known.len() >= COUNTERS {
            self.known.clear();
        }
        self.known.replace(Arc::clone(cgroup));
        self.settled.get_or_insert(now);
    }

    /// The place in version 1, until somebody has looked: a child is where its
    /// parent is, and stays there when it runs a program.
    fn inherit(&mut self, one: &Joined) {
        let from = match one.is_child {
            true => one.parent.and_then(|pid| self.places.get(&pid)),
            false => self.places.get(&one.key.pid),
        };
        let from = from.filter(|place| one.is_child || place.key == one.key);
        let place = Place {
            key: one.key,
            dir: from.and_then(|place| place.dir.clone()),
            sure: one.is_child && from.is_some_and(|place| place.sure),
        };
        if !place.sure && self.unread.len() < UNREAD {
            self.unread.push_back(one.key);
        }
        self.keep(place);
    }

    /// Looks where those are of whom only their own file tells.
    pub fn look(&mut self, now: Instant) {
        if self.reads.1.is_none_or(|since| since + SECOND <= now) {
            self.reads = (READS, Some(now));
        }
        while self.reads.0 > 0
            && let Some(key) = self.unread.pop_front()
        {
            // Another process may have its pid.
            let is_same = |place: &&mut Place| place.key == key && !place.sure;
            if self.places.get_mut(&key.pid).filter(is_same).is_none() {
                continue;
            }
            self.reads.0 -= 1;
            let Ok(text) = fs::read(self.proc.join(key.pid.to_string()).join("cgroup")) else {
                continue;
            };
            self.reads.0 = self.reads.0.saturating_sub(READ - 1);
            let text = String::from_utf8_lossy(&text);
            let dir = memory_path(&text).and_then(|path| self.begin_at(path, now));
            let dir = dir.filter(|dir| self.is_certain(dir));
            if let Some(place) = self.places.get_mut(&key.pid) {
                // What says nothing of it does not speak against the parent's.
                place.dir = dir.or_else(|| place.dir.take());
                place.sure = true;
            }
        }
    }

    /// Version 1 says of whoever is ending that it is in the root.
    fn is_certain(&self, dir: &Path) -> bool {
        let of_ending = |one: &Hierarchy| one.version == Version::One && dir == one.root;
        !self.hierarchy.as_ref().is_some_and(of_ending)
    }

    /// Notes what the counter of a new member's cgroup says.
    fn begin(&mut self, dir: &Arc<Path>, kills: u64, now: Instant) {
        if let Some(counter) = self.counters.get_mut(dir) {
            counter.begin_again(kills);
        } else if self.counters.len() < COUNTERS
            && let Some(hierarchy) = &self.hierarchy
        {
            let counter = Counter {
                name: hierarchy.name_of(dir).into(),
                explained: kills,
                seen: kills,
            };
            self.counters.insert(Arc::clone(dir), counter);
            self.settled.get_or_insert(now);
        }
    }

    /// Whether the kernel ended a process for want of memory, as far as the
    /// counter of its cgroup tells.
    pub fn judge(&mut self, ended: &Ended) -> Option<Oom> {
        let End::Signal { signal: KILLED, .. } = ended.end else {
            return None;
        };
        let dir = self.dir_of(&ended.process)?;
        let counter = self.counters.get_mut(&dir)?;
        let kills = self.hierarchy.as_ref()?.kills(&dir)?;
        let rise = kills.saturating_sub(counter.explained);
        if rise == 0 || (ended.oom.is_none() && ended.sender.is_some()) {
            return None;
        }
        counter.explained += 1;
        Some(Oom::Counter {
            cgroup: Arc::clone(&counter.name),
            rise,
        })
    }

    /// Where a process was that has ended.
    fn dir_of(&self, process: &Subject) -> Option<Arc<Path>> {
        let hierarchy = self.hierarchy.as_ref()?;
        if hierarchy.version == Version::Two {
            // The hook tells the cgroup, which may have gone with the process.
            let cgroup = process.cgroup.as_deref()?;
            let known = |dir: PathBuf| self.counters.get_key_value(dir.as_path());
            let (dir, _) = match hierarchy.counter(cgroup) {
                Some((dir, _)) => known(dir),
                None => hierarchy.dirs(cgroup)?.find_map(known),
            }?;
            return Some(Arc::clone(dir));
        }
        // Of a scanned process the start was known to a tick only.
        let tick = |start: BootNanos| start.0 / TICK_NS;
        let is_it = |place: &&Place| tick(place.key.start) == tick(process.start);
        let is_older = |place: &&Place| place.key.start <= process.start;
        let own = self.places.get(&process.pid).filter(is_it);
        // Who was there for a moment only is where its parent is.
        let place = own.or_else(|| {
            let parent = self.places.get(&process.parent_pid?);
            parent.filter(is_older)
        });
        let dir = place.and_then(|place| place.dir.clone());
        dir.or_else(|| self.only_one_that_rose())
    }

    /// The cgroup of a process that was ending before somebody could look where
    /// it is, as one that takes too much at once is: where the counter of just
    /// one has risen, it was there.
    fn only_one_that_rose(&self) -> Option<Arc<Path>> {
        let hierarchy = self.hierarchy.as_ref()?;
        let rose = |(dir, counter): &(&Arc<Path>, &Counter)| {
            let kills = hierarchy.kills(dir);
            kills.is_some_and(|kills| kills > counter.explained)
        };
        let mut rose = self.counters.iter().filter(rose);
        let (dir, _) = rose.next()?;
        rose.next().is_none().then(|| Arc::clone(dir))
    }

    /// When to look again; never where nothing is watched.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        // What may be read now has been.
        let since = self.reads.1.filter(|_| !self.unread.is_empty());
        let unread = since.map(|since| since + SECOND);
        [unread, self.next_settled()].into_iter().flatten().min()
    }

    fn next_settled(&self) -> Option<Instant> {
        let settled = self.settled?;
        Some(settled + SETTLE_EVERY)
    }

    /// Lets old rises go, and cgroups that are gone.
    pub fn settle(&mut self, now: Instant) {
        if self.next_settled().is_none_or(|next| next > now) {
            return;
        }
        self.settled = Some(now);
        let Some(hierarchy) = &self.hierarchy else {
            return;
        };
        self.counters.retain(|dir, counter| {
            let Some(kills) = hierarchy.kills(dir) else {
                return false;
            };
            counter.begin_again(kills);
            counter.explained = counter.explained.max(counter.seen);
            counter.seen = kills;
            true
        });
        // The controller may have come to a cgroup, or gone from it.
        self.known.clear();
        if self.counters.is_empty() {
            self.settled = None;
        }
    }

    /// The place where a cgroup's memory is accounted, with its counter watched.
    fn begin_at(&mut self, cgroup: &str, now: Instant) -> Option<Arc<Path>> {
        let (dir, kills) = self.hierarchy.as_ref()?.counter(cgroup)?;
        // The same path is kept once.
        let known = self.counters.get_key_value(dir.as_path());
        let dir = known.map_or_else(|| dir.into(), |(dir, _)| Arc::clone(dir));
        self.begin(&dir, kills, now);
        Some(dir)
    }

    fn keep(&mut self, place: Place) {
        let pid = place.key.pid;
        if self.places.insert(pid, place).is_some() {
            return;
        }
        self.order.push_back(pid);
        if self.order.len() > PLACES
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
    }
}

impl Counter {
    /// A counter never falls: one that did is that of a new cgroup of the same
    /// name.
    fn begin_again(&mut self, kills: u64) {
        if kills < self.explained {
            self.explained = kills;
            self.seen = kills;
        }
    }
}

/// What /proc knows of a start, ns.
const TICK_NS: u64 = crate::process::table::TICK_NS;

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
