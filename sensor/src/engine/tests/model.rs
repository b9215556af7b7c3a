//! The engine beside a simple model of processes: any interleaving of what
//! processes do, what gets lost, when the ring and scans are read, and plugins
//! that come, change and go.

use std::collections::{BTreeMap, HashSet, VecDeque};

use proptest::prelude::*;

use super::bench::*;
use crate::{
    aggregate::report::{Instrument, PointValue},
    plugin::GroupBy,
    process::table::ticks_of_start,
    units::BootNanos,
};

const NAMES: [&str; 3] = ["web", "db", "other"];
const SERVICES: [&str; 3] = ["^web$", "^db$", "^(web|db)$"];
/// A plugin that comes and goes beside the others.
const EXTRA: &str = "extra";
/// Its patterns.
const RULES: [&str; 3] = ["^web$", "^(db|other)$", "."];
const ROOT: Id = (1, 0);
/// Few, so that they are used again and again.
const PIDS: u32 = 12;

#[derive(Debug, Clone)]
enum Step {
    Fork {
        parent: usize,
    },
    Exec {
        process: usize,
        name: usize,
    },
    Exit {
        process: usize,
        status: u32,
        late: u32,
    },
    Work {
        process: usize,
        ns: u64,
    },
    Drain,
    Scan,
    Collect,
    Wait {
        ms: u64,
    },
    /// The extra plugin with this pattern, if any, at this place.
    Reload {
        rule: Option<usize>,
        place: usize,
    },
}

/// A step, and whether its record is lost.
fn step() -> impl Strategy<Value = (Step, bool)> {
    let step = prop_oneof![
        4 => (0..32_usize).prop_map(|parent| Step::Fork { parent }),
        4 => (0..32_usize, 0..3_usize).prop_map(|(process, name)| Step::Exec { process, name }),
        4 => (0..32_usize, prop_oneof![Just(0), Just(256), Just(9)], 0..3_u32)
            .prop_map(|(process, status, late)| Step::Exit { process, status, late }),
        4 => (0..32_usize, 1..1_000_000_u64).prop_map(|(process, ns)| Step::Work { process, ns }),
        3 => Just(Step::Drain),
        1 => Just(Step::Scan),
        2 => Just(Step::Collect),
        2 => (1..80_u64).prop_map(|ms| Step::Wait { ms }),
        1 => (prop::option::of(0..RULES.len()), 0..=SERVICES.len())
            .prop_map(|(rule, place)| Step::Reload { rule, place }),
    ];
    (step, prop::bool::weighted(0.2))
}

#[derive(Debug, Clone)]
struct Process {
    id: Id,
    name: usize,
    cpu: u64,
    /// CPU time at which it joined the services it is in.
    base: u64,
}

enum Record {
    Fork(Id, Id),
    Exec(Id, u64, usize, u64),
    Exit(Id, u64, u32, u64, u32),
    Late(Id, u64, u64),
}

/// What really happens, and what the engine makes of it.
struct World {
    bench: Bench,
    now: u64,
    limit: usize,
    lossless: bool,
    processes: Vec<Process>,
    ring: VecDeque<Record>,
    counters: BTreeMap<String, f64>,
    /// Pattern of the extra plugin.
    rule: Option<usize>,
    /// Starts, ends and final CPU time, by name.
    truth: [(i64, i64, u64); 3],
}

impl World {
    fn new(limit: usize, lossless: bool) -> Self {
        Self {
            bench: Bench::with(limit, GroupBy::None, &SERVICES),
            now: 2 * SECOND,
            limit,
            lossless,
            processes: vec![Process {
                id: ROOT,
                name: 2,
                cpu: 0,
                base: 0,
            }],
            ring: VecDeque::new(),
            counters: BTreeMap::new(),
            rule: None,
            truth: [(0, 0, 0); 3],
        }
    }

    fn send(&mut self, record: Record, lost: bool) {
        if !lost || self.lossless {
            self.ring.push_back(record);
        }
    }

    fn step(&mut self, step: &Step, lost: bool) {
        self.now += MS;
        let now = self.now;
        let count = self.processes.len();
        match *step {
            Step::Fork { parent } => {
                let used: HashSet<u32> =
                    self.processes.iter().map(|process| process.id.0).collect();
                let Some(pid) = (2..=PIDS).find(|pid| !used.contains(pid)) else {
                    return;
                };
                // A pid does not come back within a tick.
                self.now += 10 * MS + 7;
                let parent = &self.processes[parent % count];
                let (id, parent, name) = ((pid, self.now), parent.id, parent.name);
                self.processes.push(Process {
                    id,
                    name,
                    cpu: 0,
                    base: 0,
                });
                self.truth[name].0 += 1;
                self.send(Record::Fork(parent, id), lost);
            }
            Step::Exec { process, name } => {
                let process = &mut self.processes[process % count];
                if process.id == ROOT {
                    return;
                }
                if process.name != name {
                    self.truth[process.name].2 += process.cpu - process.base;
                    self.truth[name].0 += 1;
                    process.base = process.cpu;
                    process.name = name;
                }
                let record = Record::Exec(process.id, now, name, process.cpu);
                self.send(record, lost);
            }
            Step::Exit {
                process,
                status,
                late,
            } => {
                if process % count == 0 {
                    return;
                }
                let process = self.processes.remove(process % count);
                let part = process.cpu / 4;
                let truth = &mut self.truth[process.name];
                truth.1 += 1;
                truth.2 += process.cpu - process.base;
                let rest = process.cpu - part * u64::from(late);
                // Threads that overtake the last one, and such that do not.
                for turn in 0..=late {
                    if turn == status % 3 || turn == late && status % 3 > late {
                        self.send(Record::Exit(process.id, now, status, rest, late), lost);
                    }
                    if turn < late {
                        self.send(Record::Late(process.id, now, part), lost && turn == 0);
                    }
                }
            }
            Step::Work { process, ns } => {
                let process = &mut self.processes[process % count];
                process.cpu += ns;
            }
            Step::Drain => self.drain(),
            Step::Scan => self.scan(),
            Step::Collect => self.collect(),
            Step::Reload { rule, place } => self.reload(rule, place),
            Step::Wait { ms } => {
                self.now += ms * MS;
                self.bench.tick(self.now);
            }
        }
    }

    fn drain(&mut self) {
        for record in std::mem::take(&mut self.ring) {
            match record {
                Record::Fork(parent, child) => self.bench.fork(parent, child),
                Record::Exec(id, time, name, used) => {
                    self.bench.exec(id, time, NAMES[name], used);
                }
                Record::Exit(id, time, status, used, pending) => {
                    self.bench
                        .event(&exit(id, time, status, cpu(used), pending));
                }
                Record::Late(id, time, used) => self.bench.event(&late(id, time, 1, cpu(used))),
            }
        }
        self.bench.tick(self.now);
    }

    /// As the pump does it.
    fn reload(&mut self, rule: Option<usize>, place: usize) {
        self.drain();
        let mut plugins = self.bench.plugins.clone();
        plugins.retain(|plugin| plugin.name != EXTRA);
        if let Some(rule) = rule {
            plugins.insert(place, plugin(EXTRA, RULES[rule]));
        } else {
            self.counters.retain(|name, _| !name.starts_with(EXTRA));
        }
        self.rule = rule;
        let report = self.bench.reload(plugins, self.now);
        assert!(
            report
                .services
                .iter()
                .all(|ended| ended.identity.plugin == EXTRA)
        );
        self.look_at_all(true);
    }

    fn scan(&mut self) {
        if self.lossless {
            // Who ended before a scan saw it is known by its records only.
            self.drain();
        }
        self.look_at_all(false);
    }

    fn look_at_all(&mut self, rules: bool) {
        let now = BootNanos(self.now);
        let mut pids = HashSet::new();
        for process in &self.processes {
            let (pid, start) = process.id;
            pids.insert(pid);
            let ticks = ticks_of_start(BootNanos(start));
            let name = NAMES[process.name];
            if rules {
                self.bench.rematch(process.id, name, self.now);
            } else if !self.bench.engine.holds(pid, ticks, name.as_bytes()) {
                self.bench.found(process.id, name, self.now);
            }
        }
        let mut missing = self.bench.engine.missing(&pids);
        missing.retain(|key| key.start < now);
        self.drain();
        self.bench.gone(&missing, self.now);
    }

    fn collect(&mut self) {
        self.drain();
        for key in self.bench.engine.registry().members(&[true; 4]) {
            let process = self.processes.iter().find(|process| {
                process.id.0 == key.pid
                    && ticks_of_start(BootNanos(process.id.1)) == ticks_of_start(key.start)
            });
            let look = match process {
                Some(process) => seen(process.cpu, 0),
                None => crate::aggregate::service::Look::Gone,
            };
            self.bench.engine.look(key, &look);
        }
        self.report();
    }

    fn report(&mut self) {
        let report = self.bench.report(self.now);
        for service in report.services {
            for metric in service.metrics {
                for point in metric.points {
                    let value = match (metric.instrument, point.value) {
                        (Instrument::Counter, PointValue::Int(value)) => value as f64,
                        (Instrument::Counter, PointValue::Double(value)) => value,
                        (Instrument::ExponentialHistogram, PointValue::Histogram(value)) => {
                            value.count as f64
                        }
                        _ => continue,
                    };
                    let name = format!(
                        "{} {} {:?}",
                        service.identity.plugin, metric.name, point.attributes
                    );
                    let before = self.counters.insert(name.clone(), value).unwrap_or(0.0);
                    assert!(value >= before, "{name} fell from {before} to {value}");
                }
            }
        }
    }

    /// What must hold at any time.
    fn check(&mut self) {
        assert!(self.bench.engine.table().len() <= self.limit);
        assert!(self.bench.engine.table().unwatched() <= self.limit);
        assert!(self.bench.engine.exits.len() <= 64 * 1_024);
    }

    /// After everything was told and compared with the truth.
    fn check_end(&mut self) {
        self.now += SECOND;
        self.drain();
        self.scan();
        // Those whose end was lost may have had the place of the living.
        self.scan();
        self.collect();
        let mut living: Vec<_> = self
            .processes
            .iter()
            .map(|process| {
                (
                    process.id.0,
                    ticks_of_start(BootNanos(process.id.1)),
                    NAMES[process.name],
                )
            })
            .collect();
        living.sort();
        let mut table: Vec<_> = self
            .bench
            .engine
            .table()
            .iter()
            .map(|process| {
                let comm = std::str::from_utf8(&process.program.comm).unwrap();
                (
                    process.key.pid,
                    ticks_of_start(process.key.start),
                    comm.to_owned(),
                )
            })
            .collect();
        table.sort();
        if self.limit >= living.len() {
            let table: Vec<_> = table
                .iter()
                .map(|(pid, start, name)| (*pid, *start, &**name))
                .collect();
            assert_eq!(table, living);
        }
        for (pid, start, name) in &table {
            assert!(
                living.contains(&(*pid, *start, &**name)),
                "{pid} is a ghost"
            );
        }
        let report = self.bench.report(self.now);
        for (service, pattern) in SERVICES.iter().enumerate() {
            let plugin = pattern.trim_matches(['^', '$']);
            let reported = report
                .services
                .iter()
                .find(|found| found.identity.plugin == plugin);
            let pids = reported.map(|found| found.pids.clone()).unwrap_or_default();
            let members =
                |name: &str| name == NAMES[0] && service != 1 || name == NAMES[1] && service != 0;
            let expected: Vec<_> = table
                .iter()
                .filter(|(_, _, name)| members(name))
                .map(|(pid, ..)| *pid)
                .collect();
            assert_eq!(pids, expected, "{pattern}");
        }
        if let Some(rule) = self.rule {
            let is_member = |name: &str| match rule {
                0 => name == NAMES[0],
                1 => name != NAMES[0],
                _ => true,
            };
            let expected: Vec<_> = table
                .iter()
                .filter(|(_, _, name)| is_member(name))
                .map(|(pid, ..)| *pid)
                .collect();
            assert_eq!(self.bench.pids(EXTRA), expected, "{}", RULES[rule]);
        }
        if self.lossless {
            self.check_sums();
        }
    }

    /// Where nothing was lost, everything adds up.
    fn check_sums(&mut self) {
        for (index, name) in NAMES.iter().enumerate().take(2) {
            let (starts, exits, mut used) = self.truth[index];
            for process in self
                .processes
                .iter()
                .filter(|process| process.name == index)
            {
                used += process.cpu - process.base;
            }
            if self.bench.starts(name).is_none() {
                assert_eq!(starts, 0);
                continue;
            }
            assert_eq!(self.bench.starts(name), Some(starts), "{name}");
            let report = self.bench.report(self.now);
            let service = report
                .services
                .iter()
                .find(|found| found.identity.plugin == *name);
            let ended = service
                .unwrap()
                .metrics
                .iter()
                .find(|metric| metric.name == "sensor.process.exits");
            let ended: i64 = ended.map_or(0, |metric| {
                metric
                    .points
                    .iter()
                    .map(|point| match point.value {
                        PointValue::Int(value) => value,
                        _ => 0,
                    })
                    .sum()
            });
            assert_eq!(ended, exits, "{name}");
            assert_eq!(self.bench.user(name).unwrap_or(0), used, "{name}");
        }
        assert!(self.bench.out.iter().all(|event| !event.inferred));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_follows_the_processes(
        steps in prop::collection::vec(step(), 1..300),
        limit in prop_oneof![3 => Just(1_000_usize), 1 => 1..6_usize],
        lossless: bool,
    ) {
        let mut world = World::new(limit, lossless && limit == 1_000);
        world.scan();
        for (step, lost) in &steps {
            world.step(step, *lost);
            world.check();
        }
        world.check_end();
    }
}
