//! What of a service survives a restart, and how it goes on from there.

use std::collections::{BTreeMap, HashMap};

use super::{COUNTERS, Counters, ExitKey, Member, Service};
use crate::{
    aggregate::{
        custom::SavedFigure,
        histogram::Histogram,
        report::HistogramValue,
        scheduled::{SavedScheduled, Scheduled},
    },
    process::table::ticks_of_start,
    units::{ProcessKey, WallNanos},
};

/// The cumulative side of a service at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// The moment from which all its series count.
    pub start: WallNanos,
    /// The sum over members since they joined, those that left included.
    pub counted: [u64; COUNTERS],
    /// Whether each of them was ever known.
    pub known: [bool; COUNTERS],
    /// Members that began as such.
    pub starts: u64,
    /// Members that ended, by how; `None` where nobody saw it.
    pub exits: BTreeMap<Option<ExitKey>, u64>,
    /// Lifetimes, s.
    pub lifetime: HistogramValue,
    /// Peak resident memory at exit, bytes.
    pub peak: HistogramValue,
    /// Members that lived, with what they had used in their whole life.
    pub members: Vec<(ProcessKey, Counters)>,
    /// What the scheduler's hook has counted.
    pub scheduled: Option<SavedScheduled>,
    /// Counters of the plugin's own.
    pub custom: Vec<SavedFigure>,
}

/// Members of before a restart that may still live, by pid, with what they
/// had used in their whole life.
pub type Awaited = HashMap<u32, (ProcessKey, Counters)>;

impl Service {
    /// The cumulative side of the service now, without the members that
    /// `passes_over` names.
    #[must_use]
    pub fn saved(&self, passes_over: &dyn Fn(ProcessKey) -> bool) -> Saved {
        let mut counted = self.left;
        let mut members = Vec::with_capacity(self.members.len() + self.awaited.len());
        let members_now = self.members.values();
        for member in members_now.filter(|member| !passes_over(member.key)) {
            for (sum, since) in counted.iter_mut().zip(member.since) {
                *sum = sum.saturating_add(since);
            }
            let life = |index: usize| Some(member.base[index]?.saturating_add(member.since[index]));
            members.push((member.key, std::array::from_fn(life)));
        }
        members.extend(self.awaited.values().copied());
        Saved {
            start: self.start,
            counted,
            known: self.known,
            starts: self.starts,
            exits: self.exits.clone(),
            lifetime: self.lifetime.value(),
            peak: self.peak.value(),
            members,
            scheduled: self.scheduled.as_ref().map(Scheduled::saved),
            custom: self.custom.saved(),
        }
    }

    /// Goes on from where the service was. Its members are not there yet: a
    /// scan finds those that still live.
    pub fn resume(&mut self, saved: Saved) {
        self.start = saved.start;
        self.left = saved.counted;
        self.known = saved.known;
        self.starts = saved.starts;
        self.exits = saved.exits;
        self.lifetime = Histogram::from(saved.lifetime);
        self.peak = Histogram::from(saved.peak);
        let members = saved.members.into_iter();
        self.awaited = members.map(|member| (member.0.pid, member)).collect();
        self.scheduled = saved.scheduled.map(Scheduled::from);
        self.custom.resume(saved.custom);
    }

    /// The member of before the restart that a process is, if it is one: it
    /// counts from what it had used then.
    pub fn awaited(&mut self, key: ProcessKey) -> Option<Member> {
        let (known, life) = *self.awaited.get(&key.pid)?;
        if ticks_of_start(known.start) != ticks_of_start(key.start) {
            return None;
        }
        self.awaited.remove(&key.pid);
        Some(Member::new(key, life))
    }

    /// The members of before the restart that have not been found yet.
    pub fn awaited_keys(&self) -> impl Iterator<Item = ProcessKey> {
        self.awaited.values().map(|(key, _)| *key)
    }

    /// Takes one of them for a member, until events or a scan say otherwise.
    pub fn restore(&mut self, key: ProcessKey) {
        if let Some(member) = self.awaited(key) {
            self.members.insert(key.pid, Box::new(member));
        }
    }

    /// Whoever of before the restart was not found has ended, and nobody saw
    /// how.
    pub fn await_no_more(&mut self) {
        let ended = std::mem::take(&mut self.awaited).len() as u64;
        if ended > 0 {
            *self.exits.entry(None).or_default() += ended;
        }
    }
}
