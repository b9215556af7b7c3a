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
};

use super::*;

/// How often; more of it than fits into every run of the tests.
const ROUNDS: &str = "SENSOR_KILL_ROUNDS";
/// What happened so long before the end is delivered (contract Q6).
const ACCEPTED: Duration = Duration::from_millis(1_200);
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
    ended: Arc<Mutex<Vec<(Instant, Instant)>>>,
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
                let begun = Instant::now();
                short(&watched, &format!("run-{number}"));
                shared.lock().unwrap().push((begun, Instant::now()));
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

    fn end(self) -> Vec<(Instant, Instant)> {
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
    // From when to when each daemon was there.
    let mut lives = Vec::new();
    for round in 0..rounds {
        let lines = Lines::start(&mut host.command());
        let ready = lines.wait_within(random.millis(1_500), |said| {
            (!said.lines.is_empty()).then(Instant::now)
        });
        if let Some(attached) = ready {
            // It is killed at any moment of its life; the collector comes and
            // goes meanwhile.
            let until = attached + ACCEPTED + random.millis(1_000);
            while Instant::now() < until {
                match random.next() % 2 {
                    0 => host.open(&collector),
                    _ => host.gate.close(),
                }
                let step = random.millis(600);
                let left = until.saturating_duration_since(Instant::now());
                thread::sleep(step.min(left));
            }
            let end = Instant::now();
            lines.signal(libc::SIGKILL);
            lives.push((attached, end));
        } else {
            lines.signal(libc::SIGKILL);
        }
        let (_, said) = lines.end();
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
    let mut accepted = 0;
    for (number, (begun, end)) in ended.iter().enumerate() {
        let life = |(from, to): &&(Instant, Instant)| begun > from && *end + ACCEPTED < *to;
        if lives.iter().find(life).is_none() {
            continue;
        }
        accepted += 1;
        let mark = format!("run-{number}");
        assert!(arrived.contains(&*mark), "{mark} is lost; seed {seed}");
    }
    assert_eq!(arrived.len(), seen.exits.len(), "one process, two uids");
    println!(
        "{accepted} accepted of {} processes, {} arrived, {} repeats",
        ended.len(),
        arrived.len(),
        seen.repeats
    );
    assert_eq!(seen.ids.len(), 1);
    assert!(accepted > 0, "no daemon lived long enough");
}
