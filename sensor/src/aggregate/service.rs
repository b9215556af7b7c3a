//! One service (and group): its members and its exact cumulative series.
//!
//! A counter is the sum over the living members since they joined, plus the
//! final figures of those that left. It never goes down.

use std::{collections::BTreeMap, sync::Arc};

use super::{histogram::Histogram, report::ServiceIdentity};
use crate::{
    collect::Reading,
    process::{event::End, usage::Usage},
    units::{BootNanos, ProcessKey, WallNanos},
};

/// Number of counters that are summed over members.
pub const COUNTERS: usize = 9;

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
    since: Counters,
    /// The last look; `None` before the first and where /proc is closed.
    pub reading: Option<Reading>,
    /// It has ended, though its end has not been reported yet.
    gone: bool,
}

impl Member {
    /// A member that counts from `base`.
    #[must_use]
    pub fn new(key: ProcessKey, base: Counters) -> Self {
        Self {
            key,
            base,
            since: [Some(0); COUNTERS],
            reading: None,
            gone: false,
        }
    }

    /// Whether the last look could read a counter.
    fn shows(&self, index: usize) -> bool {
        self.reading
            .as_ref()
            .is_none_or(|reading| counters_of_reading(reading)[index].is_some())
    }

    /// Takes in newer totals. A figure that is unknown now keeps its last
    /// value: it is [`Service::counters`] that leaves it out.
    fn look(&mut self, totals: &Counters) {
        let old = self.since;
        for ((since, total), base) in self.since.iter_mut().zip(totals).zip(self.base) {
            if let (Some(total), Some(base)) = (total, base) {
                let value = total.saturating_sub(base);
                *since = Some(since.map_or(value, |known| known.max(value)));
            }
        }
        let [Some(user), Some(system), ..] = *totals else {
            return;
        };
        let [Some(base_user), Some(base_system), ..] = self.base else {
            return;
        };
        let [Some(old_user), Some(old_system), ..] = old else {
            return;
        };
        // The split into modes is an estimate that may shift between looks.
        // Neither part may fall, and their sum must stay the CPU time: what
        // one part keeps is not counted in the other as well.
        let cpu = user
            .saturating_add(system)
            .saturating_sub(base_user.saturating_add(base_system))
            .max(old_user + old_system);
        let user = user
            .saturating_sub(base_user)
            .clamp(old_user, cpu - old_system);
        self.since[counter::USER] = Some(user);
        self.since[counter::SYSTEM] = Some(cpu - user);
    }
}

/// What a look at /proc showed of a member.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// Its figures.
    Seen(Box<Reading>),
    /// The files are closed to the sensor.
    Closed,
    /// It has ended.
    Gone,
}

/// One service and group.
#[derive(Debug)]
pub struct Service {
    /// What becomes its Resource.
    pub identity: Arc<ServiceIdentity>,
    /// The moment from which all its series count.
    pub start: WallNanos,
    /// Its living members by pid.
    pub members: BTreeMap<u32, Member>,
    /// What members used that have left.
    left: [u64; COUNTERS],
    /// A figure of a member that left is unknown for ever.
    left_unknown: [bool; COUNTERS],
    /// Members that began as such.
    pub starts: u64,
    /// Members that ended, by how; `None` where a loss hid it.
    pub exits: BTreeMap<Option<ExitKey>, u64>,
    /// Lifetimes, s.
    pub lifetime: Histogram,
    /// Peak resident memory at exit, bytes.
    pub peak: Histogram,
    /// CPU counters and time of the last report, for rates.
    pub last_report: Option<(BootNanos, [Option<u64>; 2])>,
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
            left_unknown: [false; COUNTERS],
            starts: 0,
            exits: BTreeMap::new(),
            lifetime: Histogram::default(),
            peak: Histogram::default(),
            last_report: None,
        }
    }

    /// Takes in a look at a member.
    pub fn look(&mut self, key: ProcessKey, look: &Look) {
        let Some(member) = self.members.get_mut(&key.pid) else {
            return;
        };
        match look {
            Look::Seen(reading) => {
                member.look(&counters_of_reading(reading));
                member.reading = Some(Reading::clone(reading));
            }
            Look::Closed => member.reading = None,
            Look::Gone => member.gone = true,
        }
    }

    /// Members that live.
    pub fn living(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| !member.gone)
    }

    /// Takes a member out; its figures stay. `finally` are its totals at that
    /// moment, where they are known exactly; else the last look counts.
    pub fn leave(&mut self, pid: u32, finally: Option<&Counters>) {
        let Some(mut member) = self.members.remove(&pid) else {
            return;
        };
        if let Some(totals) = finally {
            member.look(totals);
        }
        for (index, since) in member.since.iter().enumerate() {
            match since {
                Some(since) => self.left[index] = self.left[index].saturating_add(*since),
                None => self.left_unknown[index] = true,
            }
        }
    }

    /// Adds figures of threads that missed the end of their process.
    pub fn add_late(&mut self, late: &Counters) {
        for (left, late) in self.left.iter_mut().zip(late) {
            *left = left.saturating_add(late.unwrap_or(0));
        }
    }

    /// The counters now. A figure that could not be read of one member is
    /// absent: a sum over a part would be a lie (contract S6).
    #[must_use]
    pub fn counters(&self) -> Counters {
        std::array::from_fn(|index| {
            let left = (!self.left_unknown[index]).then_some(self.left[index])?;
            self.members.values().try_fold(left, |sum, member| {
                let since = member.since[index].filter(|_| member.shows(index))?;
                Some(sum.saturating_add(since))
            })
        })
    }

    /// A sum over the last looks at the living members; `None` where there is
    /// none or one could not be read.
    #[must_use]
    pub fn sum(&self, figure: impl Fn(&Reading) -> Option<u64>) -> Option<u64> {
        self.living().next()?;
        self.living().try_fold(0_u64, |sum, member| {
            Some(sum.saturating_add(figure(member.reading.as_ref()?)?))
        })
    }
}
