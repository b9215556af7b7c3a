//! The hook on `sched_switch` as the daemon sees it: whom it counts, and what
//! it has counted. It is loaded with the others and attached when somebody
//! asks for it; that takes no capability on Linux 5.19 and later.

use std::{
    collections::HashSet,
    fs,
    sync::atomic::{AtomicU64, Ordering},
};

use aya::{
    EbpfLoader, Pod,
    maps::{HashMap, Map, MapData, MapError, PerCpuArray, PerCpuValues},
};
use rustix::mm::ProtFlags;
use sensor_common::{
    field::{self, Field},
    limits::{DEPARTURES, MARKS, SLOTS, WATCHED},
    scheduler::{Counts, Watched},
};

use super::{ebpf::EbpfError, ring::Mapping};

/// Fields without which it counts nothing.
pub const REQUIRED: [Field; 5] = [
    field::TASK_ARRIVALS,
    field::TASK_RUNQUEUE,
    field::TASK_CPU,
    field::TASK_INVOLUNTARY,
    field::TASK_EXIT_STATE,
];

/// What all slots of all CPUs may take together, bytes.
const COUNTS_BYTES: usize = 2 << 20;
/// As many slots there are on any host.
const LEAST_SLOTS: u32 = 64;
/// `BPF_NOEXIST`.
const ONLY_NEW: u64 = 1;
/// `BPF_EXIST`.
const ONLY_KNOWN: u64 = 2;

/// [`Watched`] as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct PodWatched(pub(super) Watched);
/// [`Counts`] as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct PodCounts(Counts);

// SAFETY: `Watched` is `repr(C)`, integers only, without padding.
unsafe impl Pod for PodWatched {}
// SAFETY: `Counts` is `repr(C)`, integers only, without padding.
unsafe impl Pod for PodCounts {}

/// The maps of the hook.
pub struct Scheduler {
    watched: HashMap<MapData, u32, PodWatched>,
    /// `MARK`: a number for each group of thread group ids.
    marks: Mapping,
    counts: PerCpuArray<MapData, PodCounts>,
    slots: u32,
}

impl Scheduler {
    /// Makes the maps as large as the host needs them, before they are made.
    pub fn size(loader: &mut EbpfLoader<'_>) {
        let pids = most_pids().unwrap_or(u32::MAX).max(1);
        let cpus = aya::util::nr_cpus().unwrap_or(1).max(1);
        let slots = COUNTS_BYTES / (cpus * size_of::<Counts>());
        let slots = u32::try_from(slots).unwrap_or(SLOTS);
        let slots = slots.clamp(LEAST_SLOTS, SLOTS);
        loader
            .map_max_entries("WATCHED", WATCHED.min(pids))
            .map_max_entries("DEPARTURE", DEPARTURES.min(pids))
            .map_max_entries("COUNTS", slots);
    }

    /// Opens the maps, each by its name.
    ///
    /// # Errors
    ///
    /// Where one is not what it should be.
    pub fn open(
        mut map: impl FnMut(&'static str) -> Result<Map, EbpfError>,
    ) -> Result<Self, EbpfError> {
        let marks = match map("MARK")? {
            Map::Array(map) => {
                let both = ProtFlags::READ | ProtFlags::WRITE;
                let bytes = MARKS as usize * size_of::<u64>();
                Mapping::new(map.fd(), 0, bytes, both).map_err(EbpfError::Ring)?
            }
            _ => return Err(EbpfError::Ring(std::io::ErrorKind::NotFound.into())),
        };
        let counts = PerCpuArray::try_from(map("COUNTS")?).map_err(EbpfError::map("COUNTS"))?;
        let watched = HashMap::try_from(map("WATCHED")?).map_err(EbpfError::map("WATCHED"))?;
        Ok(Self {
            watched,
            marks,
            slots: counts.len(),
            counts,
        })
    }

    /// Counts nobody, and has counted nothing. For when the hook is away.
    pub fn begin_anew(&mut self) {
        self.forget_all();
        let cpus = aya::util::nr_cpus().unwrap_or(1);
        let zeros = || vec![PodCounts(Counts::default()); cpus];
        for slot in 0..self.slots {
            // A slot that cannot be written cannot be read either.
            if let Ok(values) = PerCpuValues::try_from(zeros()) {
                let _ = self.counts.set(slot, values, 0);
            }
        }
    }

    /// How many slots there are.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Counts a process from now on, or in another slot.
    ///
    /// # Errors
    ///
    /// Where there is no room for more, or the kernel refuses.
    pub fn watch(&mut self, pid: u32, watched: Watched) -> Result<(), MapError> {
        let value = PodWatched(watched);
        // The hooks put in and take out at the same time. A mark comes before
        // its entry and goes after it, and each that comes goes once.
        if self.watched.insert(pid, value, ONLY_KNOWN).is_ok() {
            return Ok(());
        }
        self.mark(pid).fetch_add(1, Ordering::SeqCst);
        match self.watched.insert(pid, value, ONLY_NEW) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.mark(pid).fetch_sub(1, Ordering::SeqCst);
                // Born in between: a child that the hook on fork put in.
                let known = self.watched.insert(pid, value, ONLY_KNOWN);
                known.map_err(|_| error)
            }
        }
    }

    /// Counts a process no more.
    pub fn forget(&mut self, pid: u32) {
        if self.watched.remove(&pid).is_ok() {
            self.mark(pid).fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Counts nobody any more.
    pub fn forget_all(&mut self) {
        let pids: Vec<u32> = self.watched.keys().filter_map(Result::ok).collect();
        for pid in pids {
            self.forget(pid);
        }
    }

    /// The slots that somebody is counted in.
    #[must_use]
    pub fn in_use(&self) -> HashSet<u32> {
        let entries = self.watched.iter().filter_map(Result::ok);
        entries.map(|(_, PodWatched(entry))| entry.slot).collect()
    }

    /// What was counted in a slot since the load, by all CPUs together; `None`
    /// where it cannot be read.
    #[must_use]
    pub fn counts(&self, slot: u32) -> Option<Counts> {
        let values = self.counts.get(&slot, 0).ok()?;
        let mut sum = Counts::default();
        for PodCounts(value) in values.iter() {
            for (to, from) in [
                (&mut sum.latency, &value.latency),
                (&mut sum.burst, &value.burst),
            ] {
                for (to, from) in to.counts.iter_mut().zip(from.counts) {
                    *to = to.saturating_add(from);
                }
                to.sum = to.sum.saturating_add(from.sum);
            }
            sum.preemptions = sum.preemptions.saturating_add(value.preemptions);
        }
        Some(sum)
    }

    fn mark(&self, pid: u32) -> &AtomicU64 {
        let at = (pid & (MARKS - 1)) as usize;
        self.marks.number(at * size_of::<u64>())
    }
}

/// One more than the highest pid that the kernel gives.
fn most_pids() -> Option<u32> {
    let text = fs::read_to_string("/proc/sys/kernel/pid_max").ok()?;
    text.trim().parse().ok()
}
