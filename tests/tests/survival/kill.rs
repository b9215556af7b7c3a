//! kill -9 at random moments, while processes come and go, and the collector
//! too.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use sensor_tests::stored::written;

use super::*;

/// How often; more of it than fits into every run of the tests.
const ROUNDS: &str = "SENSOR_KILL_ROUNDS";
/// So long a daemon lives at least that has reported.
const LIFE: Duration = Duration::from_millis(1_200);
/// Rounds that one collector lives.
const COLLECTOR_ROUNDS: u64 = 5;

/// Numbers that look random and can be had again (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.next() % below)
    }
}

/// Short processes, all the time: begin and end of each, by number.
struct Load {
    stop: Arc<AtomicBool>,
    ended: Arc<Mutex<Vec<(SystemTime, SystemTime)>>>,
    thread: thread::JoinHandle<()>,
}

impl Load {
    fn start(watched: Watched) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(Mutex::new(Vec::new()));
        let (stopped, shared) = (Arc::clone(&stop), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let number = shared.lock().unwrap().len();
                let begun = SystemTime::now();
                short(&watched, &format!("run-{number}"));
                shared.lock().unwrap().push((begun, SystemTime::now()));
                // A load, not a flood: the collector prints every record.
                thread::sleep(Duration::from_millis(4));
            }
        });
        Self {
            stop,
            ended,
            thread,
        }
    }

    /// Waits for one that begins and ends from now on.
    fn wait_one(&self) {
        let ended = || self.ended.lock().unwrap().len();
        let (before, deadline) = (ended(), Instant::now() + LIMIT);
        while ended() < before + 2 {
            assert!(Instant::now() < deadline, "no process ends");
            thread::yield_now();
        }
    }

    fn end(self) -> Vec<(SystemTime, SystemTime)> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        Arc::into_inner(self.ended).unwrap().into_inner().unwrap()
    }
}

/// What all collectors together have received.
#[derive(Default)]
struct Seen {
    /// Exits by uid: the mark of the process.
    exits: HashMap<String, String>,
    /// Values of counters by series and time.
    counters: BTreeMap<(String, String, String), BTreeMap<u64, f64>>,
    starts: HashMap<String, HashSet<u64>>,
    ids: HashSet<String>,
    repeats: usize,
}

impl Seen {
    fn add(&mut self, name: &str, received: &Received) {
        for record in &received.records {
            if record.name != "process.exit" {
                continue;
            }
            let uid = record.text("log.record.uid").unwrap().to_owned();
            let args = &record.attributes["process.command_args"];
            let mark = args.rsplit_once("Str(").unwrap().1.replace(')', "");
            if let Some(before) = self.exits.insert(uid, mark.clone()) {
                assert_eq!(before, mark, "two records with one uid");
                self.repeats += 1;
            }
        }
        for point in &received.points {
            if point.of("service.name") != Some(name) {
                continue;
            }
            let id = point.of("service.instance.id").unwrap().to_owned();
            self.ids.insert(id.clone());
            if !point.is_monotonic && point.metric != "sensor.process.lifetime" {
                continue;
            }
            let starts = self.starts.entry(id.clone()).or_default();
            starts.insert(point.start);
            let series = (id, point.metric.clone(), format!("{:?}", point.attributes));
            let series = self.counters.entry(series).or_default();
            // A repeat says the same again.
            if let Some(before) = series.insert(point.time, point.value) {
                assert_eq!(before, point.value, "{point:?}");
            }
        }
    }

    fn assert_sound(&self) {
        // None, while the collector was away all the time.
        assert!(self.ids.len() <= 1, "{:?}", self.ids);
        for (id, starts) in &self.starts {
            assert_eq!(starts.len(), 1, "{id} starts at {starts:?}");
        }
        for (series, values) in &self.counters {
            let values: Vec<(&u64, &f64)> = values.iter().collect();
            for pair in values.windows(2) {
                assert!(pair[0].1 <= pair[1].1, "{series:?} falls: {pair:?}");
            }
        }
    }
}

/// Up to when what happened is in a store that was written at `written`, and so
/// is delivered (contract Q6). Of the reports that were made by then the last
/// may not have been put down; the one before has what ended before an earlier
/// one, and a process may be one interval late.
fn accepted(reports: &[Value], written: SystemTime) -> Option<SystemTime> {
    let times = reports.iter().map(|report| {
        let nanos = report["time_unix_nano"].as_u64().unwrap();
        UNIX_EPOCH + Duration::from_nanos(nanos)
    });
    let times: Vec<SystemTime> = times.filter(|time| *time <= written).collect();
    times.into_iter().nth_back(3)
}

/// Waits until nothing old waits, as long as what waits gets younger: after
/// many rounds there is much of it, and the collector prints every record.
fn drained(store: &Path) {
    let oldest = |shown: &Value| shown["queue"]["oldest_age_s"].as_f64();
    let start = Instant::now();
    let mut best = f64::MAX;
    loop {
        // The age of the same request grows with the clock.
        let shown = wait_store(store, "requests that are delivered", |shown| {
            let passed = start.elapsed().as_secs_f64();
            oldest(shown).is_none_or(|age| age < 2.0 || age - passed < best - 0.001)
        });
        match oldest(&shown) {
            Some(age) if age >= 2.0 => best = age - start.elapsed().as_secs_f64(),
            _ => return,
        }
    }
}

#[test]
fn nothing_that_was_accepted_is_lost_however_often_it_is_killed() {
    let rounds = env::var(ROUNDS).map_or(10, |text| text.parse().unwrap());
    let seed = env::var("SENSOR_KILL_SEED").map_or_else(
        |_| std::process::id().into(),
        |text| text.parse::<u64>().unwrap(),
    );
    // Shown where the test fails.
    println!("SENSOR_KILL_SEED={seed} {ROUNDS}={rounds}");
    let mut random = Random(seed);
    let host = Host::new();
    let watched = host.plugins.watch(true);
    let name = watched.name.clone();
    let load = Load::start(watched);
    let mut seen = Seen::default();
    let mut collector = Collector::start();
    // From when to when what happened was accepted, by each daemon.
    let mut lives = Vec::new();
    for round in 0..rounds {
        let lines = Lines::start(&mut host.command());
        // The first one gets all the time it needs.
        let limit = match round {
            0 => LIMIT,
            _ => random.millis(1_500),
        };
        let ready = lines.wait_within(limit, |said| (!said.lines.is_empty()).then(SystemTime::now));
        let mut stored = None;
        if ready.is_some() {
            // It is killed at any moment of its life; the collector comes and
            // goes meanwhile.
            let until = Instant::now() + LIFE + random.millis(1_000);
            while Instant::now() < until {
                match random.next() % 2 {
                    0 => host.open(&collector),
                    _ => host.gate.close(),
                }
                let step = random.millis(600);
                let left = until.saturating_duration_since(Instant::now());
                thread::sleep(step.min(left));
            }
            if round == 0 {
                load.wait_one();
                wait_reports(&lines, 6);
                wait_written(&host.store);
            }
            stored = written(&host.store).ok();
        }
        lines.signal(libc::SIGKILL);
        let (_, said) = lines.end();
        let known = stored.and_then(|at| accepted(&said.lines, at));
        lives.extend(ready.zip(known));
        assert!(!said.errors.contains("panicked"), "{}", said.errors);
        let unsound = ["fresh store", "damaged", "the store failed"];
        for text in unsound {
            assert!(!said.errors.contains(text), "{}", said.errors);
        }
        if round % COLLECTOR_ROUNDS == COLLECTOR_ROUNDS - 1 {
            // The next one, on other ports; the old one prints all it took.
            host.gate.close();
            seen.add(&name, &Received::parse(&collector.finish()));
            seen.assert_sound();
            collector = Collector::start();
        }
    }
    let ended = load.end();
    host.open(&collector);
    let lines = host.start();
    drained(&host.store);
    terminate(lines);
    seen.add(&name, &Received::parse(&collector.finish()));
    seen.assert_sound();
    let arrived: HashSet<&str> = seen.exits.values().map(String::as_str).collect();
    let mut counted = 0;
    for (number, (begun, end)) in ended.iter().enumerate() {
        if !lives.iter().any(|(from, to)| begun > from && end < to) {
            continue;
        }
        counted += 1;
        let mark = format!("run-{number}");
        assert!(arrived.contains(&*mark), "{mark} is lost; seed {seed}");
    }
    assert_eq!(arrived.len(), seen.exits.len(), "one process, two uids");
    println!(
        "{counted} accepted of {} processes, {} arrived, {} repeats",
        ended.len(),
        arrived.len(),
        seen.repeats
    );
    assert_eq!(seen.ids.len(), 1);
    assert!(counted > 0, "no daemon lived long enough");
}
