//! One service (and group): its members and its exact cumulative series.
//!
//! A counter is the sum over the living members since they joined, plus the
//! final figures of those that left. It never goes down.

mod saved;

use std::{collections::BTreeMap, sync::Arc};

use super::{
    custom::CustomFigures, histogram::Histogram, report::ServiceIdentity, scheduled::Scheduled,
};
use crate::{
    collect::Reading,
    process::{event::End, usage::Usage},
    units::{BootNanos, ProcessKey, WallNanos},
};

pub use saved::{Awaited, Saved};

/// Number of counters that are summed over members.
pub const COUNTERS: usize = 9;

/// A time for which there is no rate: CPU time in /proc comes in ticks of
/// 10 ms, so it would be off by a tenth and more.
const SHORT_NS: u64 = 100_000_000;

/// A counter of each kind, in the order of [`Counters`]. `None`: unknown.
pub type Counters = [Option<u64>; COUNTERS];

/// Indices into [`Counters`].
pub mod counter {
    /// CPU time in user mode, ns.
    pub const USER: usize = 0;
    /// CPU time in the kernel, ns.
    pub const SYSTEM: usize = 1;
    /// Bytes read from storage.
    pub const READ: usize = 2;
    /// Bytes written to storage.
    pub const WRITE: usize = 3;
    /// Voluntary context switches.
    pub const VOLUNTARY: usize = 4;
    /// Involuntary context switches.
    pub const INVOLUNTARY: usize = 5;
    /// Minor page faults.
    pub const MINOR: usize = 6;
    /// Major page faults.
    pub const MAJOR: usize = 7;
    /// Time runnable but not running, ns.
    pub const RUNQUEUE: usize = 8;
}

/// The figures of a kernel record as counters.
#[must_use]
pub fn counters_of_usage(usage: &Usage) -> Counters {
    [
        Some(usage.user_ns),
        Some(usage.system_ns),
        Some(usage.read_bytes),
        Some(usage.write_bytes),
        Some(usage.voluntary),
        Some(usage.involuntary),
        Some(usage.minor),
        Some(usage.major),
        Some(usage.runqueue_ns),
    ]
}

/// The figures of a look at /proc as counters.
#[must_use]
pub fn counters_of_reading(reading: &Reading) -> Counters {
    [
        Some(reading.cpu_user_ns),
        Some(reading.cpu_system_ns),
        reading.read_bytes,
        reading.write_bytes,
        reading.voluntary,
        reading.involuntary,
        Some(reading.minor_faults),
        Some(reading.major_faults),
        reading.runqueue_ns,
    ]
}

/// A living process of the service.
#[derive(Debug, Clone)]
pub struct Member {
    /// Which process.
    pub key: ProcessKey,
    /// What it had used when it joined.
    base: Counters,
    /// What it has used since, at the last look; never goes down.
    since: [u64; COUNTERS],
    /// The last look; `None` before the first and where /proc is closed.
    pub reading: Option<Arc<Reading>>,
    /// The last look found its files closed.
    closed: bool,
    /// A scan found it: it may have used all this long ago.
    scanned: bool,
    /// It has ended, though its end has not been reported yet.
    gone: bool,
    /// CPU time of [`Self::since`] at each of [`Service::marks`]; `None`:
    /// unknown then.
    marks: [Option<[u64; 2]>; 2],
}

impl Member {
    /// A member that counts from `base`: it joined by fork or exec.
    #[must_use]
    pub fn new(key: ProcessKey, base: Counters) -> Self {
        Self {
            key,
            base,
            since: [0; COUNTERS],
            reading: None,
            closed: false,
            scanned: false,
            gone: false,
            marks: [Some([0; 2]); 2],
        }
    }

    /// A member that a scan found: it counts from its birth (contract S1).
    #[must_use]
    pub fn scanned(key: ProcessKey) -> Self {
        Self {
            scanned: true,
            ..Self::new(key, [Some(0); COUNTERS])
        }
    }

    /// What is kept of one that left while its process lives on. `earlier` is
    /// what was kept of it the last time.
    #[must_use]
    pub fn former(mut self, earlier: Option<Self>) -> Self {
        if let Some(earlier) = earlier {
            self.base = earlier.base;
            for (since, earlier) in self.since.iter_mut().zip(earlier.since) {
                *since = since.saturating_add(earlier);
            }
        }
        self.reading = None;
        self.closed = false;
        self
    }

    /// Whether a counter is known as of the last look.
    fn shows(&self, index: usize) -> bool {
        let read = |reading: &Reading| counters_of_reading(reading)[index].is_some();
        self.base[index].is_some() && !self.closed && self.reading.as_deref().is_none_or(read)
    }

    /// Counters over its whole life, what it used before it joined included.
    #[must_use]
    pub fn life(&self) -> Counters {
        std::array::from_fn(|index| {
            let base = self.base[index].filter(|_| self.shows(index))?;
            Some(base.saturating_add(self.since[index]))
        })
    }

    /// CPU time, user and system, ns, that it used since a mark.
    #[must_use]
    pub fn used_since(&self, mark: &Mark) -> Option<[u64; 2]> {
        let [before_user, before_system] = self.marks[mark.slot]?;
        let [user, system] = self.cpu()?;
        Some([
            user.saturating_sub(before_user),
            system.saturating_sub(before_system),
        ])
    }

    /// CPU time since it joined.
    fn cpu(&self) -> Option<[u64; 2]> {
        let both = self.shows(counter::USER) && self.shows(counter::SYSTEM);
        both.then_some([self.since[counter::USER], self.since[counter::SYSTEM]])
    }

    /// Takes in newer totals. A figure that is unknown now keeps its last
    /// value: it is [`Service::counters`] that leaves it out.
    fn advance(&mut self, totals: &Counters) {
        let [old_user, old_system, ..] = self.since;
        for ((since, total), base) in self.since.iter_mut().zip(totals).zip(self.base) {
            if let (Some(total), Some(base)) = (total, base) {
                *since = total.saturating_sub(base).max(*since);
            }
        }
        let [Some(user), Some(system), ..] = *totals else {
            return;
        };
        let [Some(base_user), Some(base_system), ..] = self.base else {
            return;
        };
        // The split into modes is an estimate that may shift between looks.
        // Neither part may fall, and their sum must stay the CPU time: what
        // one part keeps is not counted in the other as well. The old sum is
        // a CPU time of before, so it does not overflow.
        let cpu = user
            .saturating_add(system)
            .saturating_sub(base_user.saturating_add(base_system))
            .max(old_user.saturating_add(old_system));
        let user = user
            .saturating_sub(base_user)
            .clamp(old_user, cpu.saturating_sub(old_system).max(old_user));
        self.since[counter::USER] = user;
        self.since[counter::SYSTEM] = cpu.saturating_sub(user);
    }
}

/// What a look at /proc showed of a member.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// Its figures.
    Seen(Arc<Reading>),
    /// The files are closed to the sensor.
    Closed,
    /// It has ended.
    Gone,
}

/// A moment from which a rate is counted.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// Which one of the members' marks it is.
    slot: usize,
    /// When.
    pub time: BootNanos,
    /// CPU time of the service until then, user and system, ns.
    pub cpu: [Option<u64>; 2],
}

impl Mark {
    fn is_recent(&self, now: BootNanos) -> bool {
        now.0.saturating_sub(self.time.0) < SHORT_NS
    }
}

/// One service and group.
#[derive(Debug)]
pub struct Service {
    /// What becomes its Resource.
    pub identity: Arc<ServiceIdentity>,
    /// The moment from which all its series count.
    pub start: WallNanos,
    /// Its living members by pid.
    pub members: BTreeMap<u32, Box<Member>>,
    /// What members used that have left.
    left: [u64; COUNTERS],
    /// The figure was known of a member at least once: else it is not 0 but
    /// unknown.
    known: [bool; COUNTERS],
    /// Members that began as such.
    pub starts: u64,
    /// Members that ended, by how; `None` where a loss hid it.
    pub exits: BTreeMap<Option<ExitKey>, u64>,
    /// Lifetimes, s.
    pub lifetime: Histogram,
    /// Peak resident memory at exit, bytes.
    pub peak: Histogram,
    /// The last report, and one before it: what rates are over.
    marks: [Option<Mark>; 2],
    /// What the scheduler's hook has counted; `None` where it never did.
    pub scheduled: Option<Scheduled>,
    /// What the plugin's own metrics say.
    pub custom: CustomFigures,
    /// Members of before a restart that have not been found yet.
    awaited: Awaited,
}

/// [`End`] in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitKey {
    /// Exit code.
    Code(u8),
    /// Signal number.
    Signal(u8),
}

impl From<End> for ExitKey {
    fn from(end: End) -> Self {
        match end {
            End::Code(code) => Self::Code(code),
            End::Signal { signal, .. } => Self::Signal(signal),
        }
    }
}

impl Service {
    /// A service that nobody is a member of yet.
    #[must_use]
    pub fn new(identity: Arc<ServiceIdentity>, start: WallNanos) -> Self {
        Self {
            identity,
            start,
            members: BTreeMap::new(),
            left: [0; COUNTERS],
            known: [false; COUNTERS],
            starts: 0,
            exits: BTreeMap::new(),
            lifetime: Histogram::default(),
            peak: Histogram::default(),
            marks: [None; 2],
            scheduled: None,
            custom: CustomFigures::default(),
            awaited: Awaited::new(),
        }
    }

    /// Takes in a look at a member.
    pub fn look(&mut self, key: ProcessKey, look: &Look) {
        let Some(mut member) = self.members.remove(&key.pid) else {
            return;
        };
        match look {
            Look::Seen(reading) => {
                self.advance(&mut member, &counters_of_reading(reading));
                member.reading = Some(Arc::clone(reading));
                member.closed = false;
            }
            Look::Closed => {
                member.reading = None;
                member.closed = true;
            }
            Look::Gone => member.gone = true,
        }
        self.members.insert(key.pid, member);
    }

    fn advance(&mut self, member: &mut Member, totals: &Counters) {
        for ((known, total), base) in self.known.iter_mut().zip(totals).zip(member.base) {
            *known |= total.is_some() && base.is_some();
        }
        let before = member.since;
        member.advance(totals);
        if std::mem::take(&mut member.scanned) {
            // What it used before anybody looked is no rate of this interval.
            let grown: [u64; COUNTERS] =
                std::array::from_fn(|index| member.since[index].saturating_sub(before[index]));
            for mark in self.marks.iter_mut().flatten() {
                if member.key.start < mark.time {
                    for (earlier, grown) in mark.cpu.iter_mut().zip(grown) {
                        *earlier = earlier.map(|earlier| earlier.saturating_add(grown));
                    }
                    member.marks[mark.slot] = member.cpu();
                }
            }
        }
    }

    /// What a rate is over: the time since the last report, or since the one
    /// before where that was just now. `None` before the first.
    #[must_use]
    pub fn mark(&self, now: BootNanos) -> Option<Mark> {
        let [last, earlier] = self.marks;
        let recent = last.is_some_and(|last| last.is_recent(now));
        earlier.filter(|_| recent).or(last)
    }

    /// Notes what was reported.
    pub fn reported(&mut self, now: BootNanos, counters: &Counters) {
        let [last, _] = self.marks;
        if last.is_some_and(|last| last.is_recent(now)) {
            return;
        }
        let mark = Mark {
            slot: 0,
            time: now,
            cpu: [counters[counter::USER], counters[counter::SYSTEM]],
        };
        self.marks = [Some(mark), last.map(|last| Mark { slot: 1, ..last })];
        for member in self.members.values_mut() {
            member.marks = [member.cpu(), member.marks[0]];
        }
    }

    /// Members that live.
    pub fn living(&self) -> impl Iterator<Item = &Member> {
        let members = self.members.values().map(|member| &**member);
        members.filter(|member| !member.gone)
    }

    /// Takes a member out; its figures stay. `finally` are its totals at that
    /// moment, where they are known exactly; else the last look counts.
    pub fn leave(&mut self, pid: u32, finally: Option<&Counters>) -> Option<Member> {
        let mut member = self.members.remove(&pid)?;
        if let Some(totals) = finally {
            self.advance(&mut member, totals);
        }
        self.credit([0; COUNTERS], &member);
        Some(*member)
    }

    /// Takes back a member that had left: what it was credited with is its own
    /// again, so that nothing counts twice.
    pub fn rejoin(&mut self, mut member: Member) {
        for (left, since) in self.left.iter_mut().zip(member.since) {
            *left = left.saturating_sub(since);
        }
        member.scanned = true;
        self.members.insert(member.key.pid, Box::new(member));
    }

    /// Takes in totals of a member that has left, from threads that missed its
    /// end.
    pub fn settle(&mut self, member: &mut Member, totals: &Counters) {
        let before = member.since;
        self.advance(member, totals);
        self.credit(before, member);
    }

    fn credit(&mut self, before: [u64; COUNTERS], member: &Member) {
        for ((left, before), since) in self.left.iter_mut().zip(before).zip(member.since) {
            *left = left.saturating_add(since.saturating_sub(before));
        }
    }

    /// The counters now. A figure that cannot be read of one member is absent:
    /// a sum over a part would be a lie (contract S6). Of a member that left
    /// the last look counts, so the figure is back when that member is gone;
    /// but where it was never known of anybody it stays absent.
    #[must_use]
    pub fn counters(&self) -> Counters {
        std::array::from_fn(|index| {
            let left = self.known[index].then_some(self.left[index])?;
            self.members.values().try_fold(left, |sum, member| {
                let shown = member.shows(index).then_some(member.since[index])?;
                Some(sum.saturating_add(shown))
            })
        })
    }

    /// A sum over the last looks at the living members; `None` where there is
    /// none or one could not be read.
    #[must_use]
    pub fn sum(&self, figure: impl Fn(&Reading) -> Option<u64>) -> Option<u64> {
        self.living().next()?;
        self.living().try_fold(0_u64, |sum, member| {
            Some(sum.saturating_add(figure(member.reading.as_deref()?)?))
        })
    }
}
