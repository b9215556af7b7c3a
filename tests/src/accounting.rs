//! An exit line against what wait4 says of the same process.

use std::{collections::BTreeMap, time::Instant};

use serde_json::Value;

use crate::{
    process::Ended,
    sensor::{Events, is},
};

/// A clock tick at 100 Hz, the slowest there is, ns: what the split of CPU
/// time is exact to.
const TICK_NS: i64 = 10_000_000;

/// What is expected of a process beside wait4's figures.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// For messages.
    pub name: &'a str,
    /// Exec lines.
    pub execs: usize,
    /// `sensor.threads`; `None`: no such key.
    pub threads: Option<u64>,
    /// wait4's peak is this process's own, not that of a child it reaped.
    pub own_peak: bool,
}

impl<'a> Expected<'a> {
    /// A process that runs one program with one thread.
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        Self {
            name,
            execs: 1,
            threads: Some(1),
            own_peak: true,
        }
    }

    /// With this many threads, leader included.
    #[must_use]
    pub fn threads(self, threads: u64) -> Self {
        Self {
            threads: Some(threads),
            ..self
        }
    }

    /// With this many exec lines.
    #[must_use]
    pub fn execs(self, execs: usize) -> Self {
        Self { execs, ..self }
    }
}

/// A running sensor, and all that it said wrongly.
#[derive(Debug)]
pub struct Checker {
    /// The sensor.
    pub events: Events,
    problems: Vec<String>,
    /// By scenario: how often it was checked, and what was said where its CPU
    /// time was short.
    runs: BTreeMap<String, (usize, Vec<String>)>,
    started: Instant,
}

impl Checker {
    /// Starts the sensor.
    #[must_use]
    pub fn start() -> Self {
        Self {
            // Others may start very many processes meanwhile.
            events: Events::start(&["--ring-bytes", "67108864"]),
            problems: Vec::new(),
            runs: BTreeMap::new(),
            started: Instant::now(),
        }
    }

    /// Notes a fault where `good` is false.
    pub fn note(&mut self, name: &str, good: bool, problem: impl FnOnce() -> String) {
        if !good {
            self.problems.push(format!("{name}: {}", problem()));
        }
    }

    /// Compares the lines of a process with wait4's word; its exit line.
    pub fn check(&mut self, ended: &Ended, expected: Expected<'_>) -> Value {
        let exit = self.events.wait_exit(ended.pid);
        let lines = self.events.of(ended.pid);
        let name = expected.name;
        let execs: Vec<&Value> = lines.iter().filter(|l| is(l, "process.exec")).collect();
        let exits = lines.len() - execs.len();
        self.note(name, execs.len() == expected.execs && exits == 1, || {
            format!("{} exec and {exits} exit lines: {lines:?}", execs.len())
        });
        let created = &exit["process.creation.time"];
        let exact = created.as_str().is_some_and(nine_digits);
        self.note(name, exact, || format!("creation time {created}"));
        for exec in execs {
            let same = exec["process.creation.time"] == *created;
            self.note(name, same, || format!("{exec} before {exit}"));
            let parent = exec["process.parent_pid"] == ended.parent;
            self.note(name, parent, || format!("not of {}: {exec}", ended.parent));
        }
        let parent = exit["process.parent_pid"] == ended.parent;
        self.note(name, parent, || format!("not of {}: {exit}", ended.parent));
        for problem in differences(&exit, ended, expected) {
            self.note(name, false, || format!("{problem}\n  {ended:?}\n  {exit}"));
        }
        let (count, shorts) = self.runs.entry(name.to_owned()).or_default();
        *count += 1;
        shorts.extend(cpu_off(&exit, ended, expected).filter(|_| is_short(&exit, ended)));
        exit
    }

    /// CPU time that is short now and then is what threads did after their
    /// hook (contract A2). Where a hypervisor takes the CPU away from one
    /// thread, others spin for its locks: bpftrace saw 4 ms between the hook
    /// and the last switch. But a fault of the sensor comes every time, or
    /// very often.
    fn judge_short(&mut self) {
        let checks: usize = self.runs.values().map(|(count, _)| count).sum();
        let short: usize = self.runs.values().map(|(_, shorts)| shorts.len()).sum();
        let often = short > 1 + checks / 4;
        for (name, (count, shorts)) in std::mem::take(&mut self.runs) {
            let always = count >= 3 && shorts.len() == count;
            self.note(&name, !always && (!often || shorts.is_empty()), || {
                shorts.join("\n")
            });
        }
    }

    /// Ends the sensor; panics with all that it said wrongly, or lost.
    pub fn finish(mut self) {
        self.judge_short();
        let problems = std::mem::take(&mut self.problems);
        let took = self.started.elapsed();
        let summary = self.events.finish();
        assert_eq!(summary.status, 0, "{}", summary.errors);
        for kind in ["fork", "exec", "exit"] {
            assert_eq!(summary.lost(kind), 0, "{}", summary.line);
        }
        assert!(
            problems.is_empty(),
            "{} faults in {took:?}:\n{}",
            problems.len(),
            problems.join("\n")
        );
    }
}

/// CPU time that differs by more than contract A2 allows.
fn cpu_off(exit: &Value, ended: &Ended, expected: Expected<'_>) -> Option<String> {
    let threads = i64::try_from(expected.threads.unwrap_or(1)).unwrap_or(i64::MAX);
    let (ours, theirs) = (exit["sensor.cpu.time_ns"].as_i64()?, ended.usage.cpu_ns());
    // What each thread does after the hook (33 µs, median, contract A1) is more
    // than a millisecond for very many of them.
    let allowed = (theirs / 100).max(1_000_000) + 50_000 * (threads - 20).max(0);
    let off = ours - theirs;
    (off.abs() > allowed).then(|| {
        format!("CPU time is {ours}, wait4 says {theirs}, {off:+} (allowed: {allowed})\n  {exit}")
    })
}

/// Whether the exit line has less CPU time than wait4.
fn is_short(exit: &Value, ended: &Ended) -> bool {
    exit["sensor.cpu.time_ns"].as_i64() < Some(ended.usage.cpu_ns())
}

/// What else differs by more than contract A2 allows.
fn differences(exit: &Value, ended: &Ended, expected: Expected<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let usage = &ended.usage;
    let threads = i64::try_from(expected.threads.unwrap_or(1)).unwrap_or(i64::MAX);
    let mut near = |key: &str, theirs: i64, allowed: i64| match exit[key].as_i64() {
        Some(ours) if (ours - theirs).abs() <= allowed => {}
        Some(ours) => problems.push(format!(
            "{key} is {ours}, wait4 says {theirs}, {:+} (allowed: {allowed})",
            ours - theirs
        )),
        None => problems.push(format!("no {key}")),
    };
    let cpu = usage.cpu_ns();
    // A tick after the hook goes to one of the two. Where it is the first one,
    // everything moves: without ticks all time counts as the user's.
    let after = 50_000 * (threads - 20).max(0);
    let split = cpu.min(3 * TICK_NS).max(cpu / 50 + TICK_NS) + after;
    near("sensor.cpu.user_ns", usage.user_us * 1_000, split);
    near("sensor.cpu.system_ns", usage.system_us * 1_000, split);
    if expected.own_peak {
        let page = 4096;
        near("sensor.memory.peak_rss_bytes", usage.peak_kb * 1_024, page);
    }
    near("sensor.faults.minor", usage.minor, 2);
    near("sensor.faults.major", usage.major, 2);
    // The last switch of each thread comes after the hook.
    let switches = 2 + if threads > 1 { threads } else { 0 };
    near(
        "sensor.context_switches.voluntary",
        usage.voluntary,
        switches,
    );
    // A host that starts many processes meanwhile preempts an ending thread
    // more than once.
    near(
        "sensor.context_switches.involuntary",
        usage.involuntary,
        switches + usage.involuntary / 2,
    );
    near("sensor.disk.read_bytes", usage.read_blocks * 512, 511);
    // Files are closed after the hook, and a file system writes down then what
    // it had put off.
    let closing = if usage.written_blocks > 0 { 16_384 } else { 0 };
    near(
        "sensor.disk.write_bytes",
        usage.written_blocks * 512,
        closing,
    );

    if exit["sensor.threads"].as_u64() != expected.threads {
        let (ours, theirs) = (&exit["sensor.threads"], expected.threads);
        problems.push(format!("sensor.threads is {ours}, not {theirs:?}"));
    }
    let of = |key: &str| exit[key].as_i64();
    let (user, system) = (of("sensor.cpu.user_ns"), of("sensor.cpu.system_ns"));
    if let Some(problem) = cpu_off(exit, ended, expected).filter(|_| !is_short(exit, ended)) {
        problems.push(problem);
    }
    let sum = user.zip(system).map(|(user, system)| user + system);
    if sum.is_none() || sum != of("sensor.cpu.time_ns") {
        problems.push("user and system are not the CPU time".to_owned());
    }
    let status = ended.status;
    let (code, signal, dumped) = match libc::WIFSIGNALED(status) {
        false => (Some(i64::from(libc::WEXITSTATUS(status))), None, None),
        true => {
            let signal = i64::from(libc::WTERMSIG(status));
            (None, Some(signal), Some(libc::WCOREDUMP(status)))
        }
    };
    if of("process.exit.code") != code
        || of("sensor.exit.signal") != signal
        || exit["sensor.exit.core_dumped"].as_bool() != dumped
    {
        problems.push(format!("its status is {status:#x}"));
    }
    problems
}

/// `2026-01-02T03:04:05.123456789Z`.
fn nine_digits(text: &str) -> bool {
    let fraction = text.split_once('.').map(|(_, fraction)| fraction);
    let digits = fraction.and_then(|fraction| fraction.strip_suffix('Z'));
    digits.is_some_and(|digits| digits.len() == 9 && digits.bytes().all(|b| b.is_ascii_digit()))
}
