//! One collection: look at the members that are due, make the report.

use std::{
    collections::{HashMap, VecDeque},
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

/// How often processes are looked at for as long as the budget allows.
const PERIOD: Duration = Duration::from_secs(1);

/// Collects what is due, when it is due.
///
/// Of each second no more than a budget goes into looks: where there are more
/// members than that, the others are looked at in the next second, and so on.
/// The report is made when all have been seen. Meanwhile the loop does
/// everything else.
pub struct Collecting {
    collector: Collector,
    custom: CustomReader,
    watched: HashMap<ProcessKey, Box<Watched>>,
    due: Vec<Due>,
    offset: WallOffset,
    /// Processes of which files were closed to the sensor at the last look.
    denied: usize,
    /// How long the last collection took, pauses left out.
    took: Duration,
    /// Time that looks may take of each period.
    budget: Duration,
    /// When the period began.
    period: Instant,
    /// Of the budget, used up in it.
    used: Duration,
    /// The collection that goes on.
    round: Option<Round>,
    deferred: u64,
}

/// A collection that does not fit into one period.
struct Round {
    due: Vec<bool>,
    sight: Sight,
    left: VecDeque<ProcessKey>,
    /// When to go on.
    next: Instant,
    /// It did not fit into one period.
    spread: bool,
    took: Duration,
}

struct Due {
    next: Instant,
    interval: Duration,
}

impl Collecting {
    /// Everything is due at once, then each service at its interval.
    #[must_use]
    pub fn new(
        intervals: impl IntoIterator<Item = Duration>,
        offset: WallOffset,
        budget: Duration,
    ) -> Self {
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
            budget,
            period: now,
            used: Duration::ZERO,
            round: None,
            deferred: 0,
        }
    }

    /// When something is due next.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        if let Some(round) = &self.round {
            return Some(round.next);
        }
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

    /// Looks at members that were put off to a later period.
    #[must_use]
    pub fn deferred(&self) -> u64 {
        self.deferred
    }

    /// Collects what is due by now; `None` where that is not done yet.
    /// Intervals that were missed, because the host slept or the last
    /// collection took longer, are not made up for.
    pub fn collect_due(&mut self, pump: &mut Pump, out: &mut Vec<ProcessEvent>) -> Option<Report> {
        let round = match self.round.take() {
            Some(round) => round,
            None => {
                let due = self.take_due();
                self.begin(pump, due, out)
            }
        };
        self.go_on(pump, round, out)
    }

    /// What is due by now; each is due again an interval later.
    fn take_due(&mut self) -> Vec<bool> {
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
        due
    }

    /// Collects everything, due or not: the last time.
    pub fn collect_all(&mut self, pump: &mut Pump, out: &mut Vec<ProcessEvent>) -> Report {
        self.round = None;
        let mut round = self.begin(pump, vec![true; self.due.len()], out);
        self.look_at(pump, &mut round.left, None, out);
        self.end(pump, &round)
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

    fn begin(&mut self, pump: &mut Pump, due: Vec<bool>, out: &mut Vec<ProcessEvent>) -> Round {
        let start = Instant::now();
        let sight = if pump.kernel.is_some() {
            pump.drain(out);
            Sight::Events
        } else {
            pump.scan(out);
            Sight::Scans
        };
        self.take_in_renamed(pump);
        self.denied = 0;
        let left = pump.engine.registry().members(&due).into_iter().collect();
        Round {
            due,
            sight,
            left,
            next: start,
            spread: false,
            took: start.elapsed(),
        }
    }

    /// Looks for as long as the budget allows.
    fn go_on(
        &mut self,
        pump: &mut Pump,
        mut round: Round,
        out: &mut Vec<ProcessEvent>,
    ) -> Option<Report> {
        let start = Instant::now();
        if start.duration_since(self.period) >= PERIOD {
            self.period = start;
            self.used = Duration::ZERO;
        }
        let allowed = self.budget.saturating_sub(self.used);
        if !allowed.is_zero() {
            self.look_at(pump, &mut round.left, Some(allowed), out);
        }
        if round.left.is_empty() && round.spread {
            // Those that joined meanwhile.
            let members = pump.engine.registry().members(&round.due).into_iter();
            round.left = members
                .filter(|key| !self.watched.contains_key(key))
                .collect();
            self.look_at(pump, &mut round.left, None, out);
        }
        let took = start.elapsed();
        self.used += took;
        round.took += took;
        if round.left.is_empty() {
            return Some(self.end(pump, &round));
        }
        round.spread = true;
        self.deferred += round.left.len() as u64;
        round.next = self.period + PERIOD;
        self.round = Some(round);
        None
    }

    fn end(&mut self, pump: &mut Pump, round: &Round) -> Report {
        let start = Instant::now();
        self.forget_unwatched(pump);
        pump.read_scheduler();
        self.custom
            .collect(&mut pump.proc, pump.engine.registry(), &round.due);
        let report = pump.engine.report(&round.due, self.now(), round.sight);
        self.took = round.took + start.elapsed();
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
        let mut members = pump.engine.registry().members(&all).into_iter().collect();
        self.denied = 0;
        self.look_at(pump, &mut members, None, out);
        self.forget_unwatched(pump);
    }

    /// Goes on with other services: those that are new are due at once, and
    /// so are those whose collection was not done.
    pub fn reload(&mut self, intervals: &[Duration], carried: &[Carried]) {
        let now = Instant::now();
        let mut before = std::mem::take(&mut self.due);
        if let Some(round) = self.round.take() {
            for (due, _) in before.iter_mut().zip(round.due).filter(|(_, due)| *due) {
                due.next = now;
            }
        }
        let due = |(&interval, carried): (&Duration, &Carried)| {
            let old = carried.from.and_then(|from| before.get(from.0 as usize));
            let next = old.map_or(now, |old| old.next.min(now + interval));
            Due { next, interval }
        };
        self.due = intervals.iter().zip(carried).map(due).collect();
    }

    /// Looks at members, one at least, until all have been seen or so much
    /// time is over.
    fn look_at(
        &mut self,
        pump: &mut Pump,
        left: &mut VecDeque<ProcessKey>,
        budget: Option<Duration>,
        out: &mut Vec<ProcessEvent>,
    ) {
        let start = Instant::now();
        let mut since = start;
        let mut went = false;
        while let Some(key) = left.pop_front() {
            let watched = self.watched.entry(key).or_insert_with(|| {
                Box::new(Watched::new(key.pid, Some(ticks_of_start(key.start))))
            });
            let look = match self.collector.read(&mut pump.proc, watched) {
                Ok(reading) => {
                    self.denied += usize::from(reading.read_bytes.is_none());
                    Look::Seen(reading)
                }
                Err(ReadError::Gone) => Look::Gone,
                Err(_) => {
                    self.denied += 1;
                    Look::Closed
                }
            };
            went |= matches!(look, Look::Gone);
            pump.engine.look(key, &look);
            if since.elapsed() >= SLICE {
                since = Instant::now();
                if budget.is_some_and(|budget| start.elapsed() >= budget) {
                    return;
                }
                pump.drain(out);
            }
        }
        if went {
            // Its exit is in the ring by now: a report does not say that it
            // has gone without saying how.
            pump.drain(out);
        }
    }

    /// Of those that are watched no more nothing stays open.
    fn forget_unwatched(&mut self, pump: &Pump) {
        let table = pump.engine.table();
        self.watched.retain(|key, _| {
            let process = table.by_pid(key.pid);
            process.is_some_and(|process| process.key == *key && !process.services.is_empty())
        });
    }
}

#[cfg(test)]
#[path = "collecting_tests.rs"]
mod tests;
