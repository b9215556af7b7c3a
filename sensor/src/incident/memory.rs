//! Want of memory by the counters of cgroups: `oom_kill` says how many
//! processes of a cgroup the kernel killed. Version 2 has it in
//! `memory.events` (Documentation/admin-guide/cgroup-v2.rst), version 1 in
//! `memory.oom_control` (cgroup-v1/memory.rst).
//!
//! A counter names no process. It is evidence where nobody sent the signal 9
//! that ended one, and the counter has risen since somebody looked: one rise
//! for one death. It stands in where `mark_victim` cannot be hooked, or names
//! a thread.

use std::{
    collections::{HashMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::ended::{Ended, Oom};
use crate::{process::event::End, units::ProcessKey};

/// Counters that are watched at once.
const COUNTERS: usize = 1_024;
/// Processes whose cgroup is kept; the oldest goes first.
const PLACES: usize = 16_384;
/// Files of processes that are read in one go.
const READS: usize = 64;
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

/// Where memory is accounted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    /// Its directory.
    root: PathBuf,
    /// What of it is mounted there; `/` as a rule.
    mounted: String,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
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

/// The counters of the cgroups that members are in.
#[derive(Debug)]
pub struct Memory {
    hierarchy: Option<Hierarchy>,
    counters: HashMap<Arc<Path>, Counter>,
    /// The directory of each process, by pid; `None` where it is not known.
    places: HashMap<u32, (ProcessKey, Option<Arc<Path>>)>,
    order: VecDeque<u32>,
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
            counters: HashMap::new(),
            places: HashMap::new(),
            order: VecDeque::new(),
            settled: None,
        }
    }

    /// Notes what the counters of new members say before anything happens.
    pub fn watch(&mut self, joined: &[Joined], now: Instant) {
        let mut reads = READS;
        for one in joined {
            let place = self.place_of(one, &mut reads);
            let dir = place.map(|(dir, kills)| {
                if let Some(kills) = kills {
                    self.begin(&dir, kills, now);
                }
                dir
            });
            let dir = dir.filter(|dir| self.is_certain(dir));
            self.keep(one.key, dir);
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
        let process = &ended.process;
        let (key, place) = self.places.get(&process.pid)?;
        // Of a scanned process the start was known to a tick only.
        let same = key.start.0 / TICK_NS == process.start.0 / TICK_NS;
        if !same {
            return None;
        }
        let dir = place.clone().or_else(|| self.only_one_that_rose())?;
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

    /// The cgroup of a process that was ending before somebody could look where
    /// it is, as one that takes too much at once is: where the counter of just
    /// one has risen, it was there.
    fn only_one_that_rose(&self) -> Option<Arc<Path>> {
        let hierarchy = self.hierarchy.as_ref()?;
        // Version 2 needs no look: the hook tells the cgroup.
        if hierarchy.version == Version::Two {
            return None;
        }
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
        let settled = self.settled.filter(|_| !self.counters.is_empty())?;
        Some(settled + SETTLE_EVERY)
    }

    /// Lets old rises go, and cgroups that are gone.
    pub fn settle(&mut self, now: Instant) {
        if self.next().is_none_or(|next| next > now) {
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
    }

    /// Where a process is, and what the counter there says, if it was read.
    fn place_of(&self, joined: &Joined, reads: &mut usize) -> Option<(Arc<Path>, Option<u64>)> {
        let hierarchy = self.hierarchy.as_ref()?;
        let parent = joined.parent.and_then(|pid| self.places.get(&pid));
        let parent = parent.and_then(|(_, dir)| dir.clone());
        let path = match hierarchy.version {
            Version::Two => joined.cgroup.as_deref()?.to_owned(),
            Version::One if joined.is_child && parent.is_some() => {
                return parent.map(|dir| (dir, None));
            }
            Version::One if *reads == 0 => return None,
            Version::One => {
                *reads -= 1;
                let text = fs::read(format!("/proc/{}/cgroup", joined.key.pid)).ok()?;
                memory_path(&String::from_utf8_lossy(&text))?.to_owned()
            }
        };
        let (dir, kills) = hierarchy.counter(&path)?;
        // The same path is kept once.
        let known = self.counters.get_key_value(dir.as_path());
        let dir = known.map_or_else(|| dir.into(), |(dir, _)| Arc::clone(dir));
        Some((dir, Some(kills)))
    }

    fn keep(&mut self, key: ProcessKey, dir: Option<Arc<Path>>) {
        if self.places.insert(key.pid, (key, dir)).is_some() {
            return;
        }
        self.order.push_back(key.pid);
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

impl Hierarchy {
    /// Where memory is accounted, by /proc/PID/mountinfo (proc(5)).
    fn find(mounts: &str) -> Option<Self> {
        let found = |wanted: Version| {
            mounts.lines().find_map(|line| {
                let (mount, rest) = line.split_once(" - ")?;
                let mut rest = rest.split(' ');
                let version = match rest.next()? {
                    "cgroup" => Version::One,
                    "cgroup2" => Version::Two,
                    _ => return None,
                };
                let mut fields = mount.split(' ').skip(3);
                let mounted = fields.next()?.to_owned();
                let root = PathBuf::from(fields.next()?);
                let accounts = match version {
                    Version::One => rest.nth(1)?.split(',').any(|option| option == "memory"),
                    Version::Two => fs::read_to_string(root.join("cgroup.controllers"))
                        .is_ok_and(|all| all.split_whitespace().any(|one| one == "memory")),
                };
                (version == wanted && accounts).then_some(Self {
                    root,
                    mounted,
                    version,
                })
            })
        };
        found(Version::Two).or_else(|| found(Version::One))
    }

    /// The directory where a cgroup's memory is accounted, its own, or that of
    /// the nearest parent that has the controller; and its kills.
    fn counter(&self, path: &str) -> Option<(PathBuf, u64)> {
        let below = path.strip_prefix(&self.mounted).unwrap_or(path);
        let below = Path::new(below.trim_start_matches('/'));
        let plain = |part| matches!(part, std::path::Component::Normal(_));
        if !below.components().all(plain) {
            // Outside of the namespace that the sensor sees.
            return None;
        }
        if !self.root.join(below).is_dir() {
            return None;
        }
        let dirs = below.ancestors().map(|below| self.root.join(below));
        let mut found = dirs.filter_map(|dir| self.kills(&dir).map(|kills| (dir, kills)));
        found.next()
    }

    /// Processes of the cgroup that the kernel has killed since it was made.
    fn kills(&self, dir: &Path) -> Option<u64> {
        let names: &[&str] = match self.version {
            Version::One => &["memory.oom_control"],
            // The second one counts those below, too.
            Version::Two => &["memory.events.local", "memory.events"],
        };
        let mut texts = names.iter().map(|name| fs::read_to_string(dir.join(name)));
        kills(&texts.find_map(Result::ok)?)
    }

    fn name_of(&self, dir: &Path) -> String {
        let below = dir.strip_prefix(&self.root).unwrap_or(dir);
        format!("/{}", below.display())
    }
}

/// The number behind `oom_kill`.
fn kills(text: &str) -> Option<u64> {
    let number = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse().ok();
    text.lines().find_map(number)
}

/// The path in the memory hierarchy of version 1, of /proc/PID/cgroup.
fn memory_path(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let mut controllers = controllers.split(',');
        controllers.any(|one| one == "memory").then_some(path)
    })
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
