//! One collection: look at the members that are due, make the report.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::custom::CustomReader;
use crate::{
    aggregate::{
        metrics::{Moment, Sight},
        report::Report,
        service::{COUNTERS, Look, counters_of_reading},
    },
    clock,
    collect::{self, Collector, Watched},
    plugin::Carried,
    process::{event::ProcessEvent, table::ticks_of_start},
    procfs::ReadError,
    pump::Pump,
    selfmon::CustomFailures,
    units::{ProcessKey, WallOffset},
};

/// How long processes are looked at before the ring is emptied again: events
/// must neither wait for a look at thousands, nor fill the ring meanwhile.
const SLICE: Duration = Duration::from_millis(5);

/// Collects what is due, when it is due.
pub struct Collecting {
    collector: Collector,
    custom: CustomReader,
    watched: HashMap<ProcessKey, Watched>,
    due: Vec<Due>,
    offset: WallOffset,
    /// Processes of which files were closed to the sensor at the last look.
    denied: usize,
    /// How long the last collection took.
    took: Duration,
}

struct Due {
    next: Instant,
    interval: Duration,
}

impl Collecting {
    /// Everything is due at once, then each service at its interval.
    #[must_use]
    pub fn new(intervals: impl IntoIterator<Item = Duration>, offset: WallOffset) -> Self {
        let now = Instant::now();
        let due = |interval| Due {
            next: now,
            interval,
        };
        Self {
            collector: Collector::new(),
            custom: CustomReader::default(),
            watched: HashMap::new(),
            due: intervals.into_iter().map(due).collect(),
            offset,
            denied: 0,
            took: Duration::ZERO,
        }
    }

    /// When something is due next.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.due.iter().map(|due| due.next).min()
    }

    /// Processes of which files, all or some, were closed to the sensor at the
    /// last look.
    #[must_use]
    pub fn denied(&self) -> usize {
        self.denied
    }

    /// What failed of the plugins' own metrics, and how often.
    #[must_use]
    pub fn custom_failures(&self) -> Vec<CustomFailures> {
        self.custom.failures()
    }

    /// How long the last collection took.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Collects what is due by now. Intervals that were missed, because the
    /// host slept, are not made up for.
    pub fn collect_due(&mut self, pump: &mut Pump, out: &mut Vec<ProcessEvent>) -> Report {
        let now = Instant::now();
        let due: Vec<bool> = self.due.iter().map(|due| due.next <= now).collect();
        let mut steady: HashMap<Duration, Instant> = HashMap::new();
        for due in self.due.iter().filter(|due| due.next > now) {
            steady.insert(due.interval, due.next);
        }
        for due in self.due.iter_mut().filter(|due| due.next <= now) {
            while due.next <= now {
                due.next += due.interval.max(Duration::from_millis(1));
                if now.saturating_duration_since(due.next) > due.interval {
                    due.next = now + due.interval;
                }
            }
            // One that a reload brought goes on with the others.
            let steady = steady.get(&due.interval);
            due.next = steady.map_or(due.next, |&next| next.min(due.next));
        }
        self.collect(pump, &due, out)
    }

    /// Collects everything, due or not: the last time.
    pub fn collect_all(&mut self, pump: &mut Pump, out: &mut Vec<ProcessEvent>) -> Report {
        let due = vec![true; self.due.len()];
        self.collect(pump, &due, out)
    }

    /// Those that took another name since the last time may be members of
    /// other services now.
    fn take_in_renamed(&mut self, pump: &mut Pump) {
        for key in pump.engine.take_renamed() {
            let Some(found) = pump.renamed(key) else {
                continue;
            };
            let mut once = Watched::new(found.pid, Some(found.start_ticks));
            let reading = self.collector.read(&mut pump.proc, &mut once);
            // What is unknown now stays unknown of this member.
            let totals = reading.map_or([None; COUNTERS], |reading| counters_of_reading(&reading));
            pump.engine.renamed(found, totals, clock::boot());
        }
    }

    fn collect(&mut self, pump: &mut Pump, due: &[bool], out: &mut Vec<ProcessEvent>) -> Report {
        let start = Instant::now();
        let sight = if pump.kernel.is_some() {
            pump.drain(out);
            Sight::Events
        } else {
            pump.scan(out);
            Sight::Scans
        };
        self.take_in_renamed(pump);
        self.look_at_members(pump, due, out);
        pump.read_scheduler();
        self.custom
            .collect(&mut pump.proc, pump.engine.registry(), due);
        let report = pump.engine.report(due, self.now(), sight);
        self.took = start.elapsed();
        report
    }

    /// The moment on both clocks.
    #[must_use]
    pub fn now(&self) -> Moment {
        let boot = clock::boot();
        Moment {
            boot,
            wall: self.offset.wall(boot),
            memory_bytes: collect::physical_memory(),
        }
    }

    /// Looks at every member, so that those who leave now leave with all that
    /// they have used.
    pub fn look_at_all(&mut self, pump: &mut Pump, out: &mut Vec<ProcessEvent>) {
        let all = vec![true; self.due.len()];
        self.look_at_members(pump, &all, out);
    }

    /// Goes on with other services: those that are new are due at once.
    pub fn reload(&mut self, intervals: &[Duration], carried: &[Carried]) {
        let now = Instant::now();
        let before = std::mem::take(&mut self.due);
        let due = |(&interval, carried): (&Duration, &Carried)| {
            let old = carried.from.and_then(|from| before.get(from.0 as usize));
            let next = old.map_or(now, |old| old.next.min(now + interval));
            Due { next, interval }
        };
        self.due = intervals.iter().zip(carried).map(due).collect();
    }

    fn look_at_members(&mut self, pump: &mut Pump, due: &[bool], out: &mut Vec<ProcessEvent>) {
        let members = pump.engine.registry().members(due);
        self.denied = 0;
        let mut since = Instant::now();
        for key in members {
            if since.elapsed() >= SLICE {
                pump.drain(out);
                since = Instant::now();
            }
            let watched = self
                .watched
                .entry(key)
                .or_insert_with(|| Watched::new(key.pid, Some(ticks_of_start(key.start))));
            let look = match self.collector.read(&mut pump.proc, watched) {
                Ok(reading) => {
                    self.denied += usize::from(reading.read_bytes.is_none());
                    Look::Seen(Box::new(reading))
                }
                Err(ReadError::Gone) => Look::Gone,
                Err(_) => {
                    self.denied += 1;
                    Look::Closed
                }
            };
            pump.engine.look(key, &look);
        }
        // Of those that are watched no more nothing stays open.
        let table = pump.engine.table();
        self.watched.retain(|key, _| {
            let process = table.by_pid(key.pid);
            process.is_some_and(|process| process.key == *key && !process.services.is_empty())
        });
    }
}
