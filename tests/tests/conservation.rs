//! Received and lost are what happened (contract E4), and by default nothing
//! is lost. Needs root, for the kernel programs.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sensor_tests::{
    process::{Running, run, workload},
    sensor::{Events, Summary, is, pid},
};
use serde_json::Value;
use tempfile::TempDir;

/// A ring that holds every event of these tests many times over.
const BIG: &[&str] = &["--ring-bytes", "134217728"];
/// The least there is.
const TINY: &[&str] = &["--ring-bytes", "4096"];

/// A static program that does nothing, at a path of its own.
fn nothing() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("nothing.c");
    let program = directory.path().canonicalize().unwrap().join("nothing");
    let text = r#"
        void _start(void) {
        #if defined(__x86_64__)
            __asm__ volatile("syscall" : : "a"(231L), "D"(0L) : "rcx", "r11");
        #elif defined(__aarch64__)
            register long x8 __asm__("x8") = 94;
            register long x0 __asm__("x0") = 0;
            __asm__ volatile("svc 0" : : "r"(x8), "r"(x0));
        #endif
            __builtin_unreachable();
        }
    "#;
    fs::write(&source, text).unwrap();
    let status = Command::new("cc")
        .args(["-static", "-nostdlib", "-O1", "-o"])
        .args([&program, &source])
        .status()
        .unwrap();
    assert!(status.success(), "cc cannot build {}", source.display());
    (directory, program)
}

/// Runs storms side by side to their end.
fn storms(number: usize, times: u32, program: &Path) {
    let times = times.to_string();
    let start = |_| {
        let args = ["storm", &times, program.to_str().unwrap()];
        Running::start(&mut workload(args))
    };
    let storms: Vec<Running> = (0..number).map(start).collect();
    for storm in storms {
        let ended = storm.wait();
        assert_eq!(ended.status, 0, "a storm failed");
    }
}

/// Lines of this kind about this program.
fn count(events: &[Value], kind: &str, program: &Path) -> usize {
    let program = program.to_str();
    events
        .iter()
        .filter(|line| is(line, kind) && line["process.executable.path"].as_str() == program)
        .count()
}

/// `received` + `lost` of a kind.
fn total(summary: &Summary, kind: &str) -> u64 {
    summary.received(kind) + summary.lost(kind)
}

/// A witness that loses nothing, and started before the observed one and ends
/// after it, says what happened meanwhile: at least what it saw between two
/// marks while the observed one was attached, at most all that it saw.
struct Witness {
    events: Events,
    begin: u32,
}

impl Witness {
    fn start(observed: impl FnOnce() -> Events) -> (Self, Events) {
        let events = Events::start(BIG);
        let observed = observed();
        let begin = run(&mut workload(["exit", "0"])).pid;
        (Self { events, begin }, observed)
    }

    /// Ends both and compares; `storm` of each kind have happened for sure.
    fn compare(self, observed: Events, storm: u64) -> Summary {
        let end = run(&mut workload(["exit", "0"])).pid;
        let observed = observed.finish();
        let _ = self.events.wait_exit(end);
        let witness = self.events.finish();
        for kind in ["fork", "exec", "exit"] {
            assert_eq!(witness.lost(kind), 0, "the witness lost: {}", witness.line);
        }
        let seen: Vec<&Value> = witness
            .events
            .iter()
            .filter(|line| line.get("sensor.inferred").is_none())
            .collect();
        let of = |what: u32, kind: &str| {
            let line = seen.iter().find(|l| is(l, kind) && pid(l) == what);
            let line = line.unwrap_or_else(|| panic!("the witness has no {kind} of {what}"));
            line["time_unix_nano"].as_u64().unwrap()
        };
        let between = of(self.begin, "process.exit")..of(end, "process.exec");
        for (kind, name) in [("exec", "process.exec"), ("exit", "process.exit")] {
            let least = seen
                .iter()
                .filter(|line| is(line, name))
                .filter(|line| between.contains(&line["time_unix_nano"].as_u64().unwrap()))
                .count() as u64;
            let happened = total(&observed, kind);
            assert!(least >= storm, "the witness saw {least} of {storm} {kind}s");
            assert!(
                (least..=total(&witness, kind)).contains(&happened),
                "{kind}: {least} ≤ {happened} ≤ {}\n{}\n{}",
                total(&witness, kind),
                observed.line,
                witness.line
            );
            let printed = observed
                .events
                .iter()
                .filter(|line| is(line, name) && line.get("sensor.inferred").is_none())
                .count() as u64;
            assert_eq!(printed, observed.received(kind), "{}", observed.line);
        }
        let forks = total(&observed, "fork");
        assert!(
            (storm..=total(&witness, "fork")).contains(&forks),
            "fork: {storm} ≤ {forks} ≤ {}\n{}",
            total(&witness, "fork"),
            observed.line
        );
        observed
    }
}

#[test]
fn three_storms_of_8000_lose_nothing_by_default() {
    let (_directory, program) = nothing();
    let events = Events::start(&[]);
    storms(3, 8_000, &program);
    let mark = run(&mut workload(["exit", "0"])).pid;
    let _ = events.wait_exit(mark);
    let summary = events.finish();
    for kind in ["process.exec", "process.exit"] {
        assert_eq!(
            count(&summary.events, kind, &program),
            24_000,
            "{kind}: {}",
            summary.line
        );
    }
    for kind in ["fork", "exec", "exit"] {
        assert_eq!(summary.lost(kind), 0, "{}", summary.line);
    }
    assert_eq!(summary.status, 0, "{}", summary.errors);
}

#[test]
fn a_tiny_ring_counts_what_it_loses() {
    let (_directory, program) = nothing();
    let (witness, observed) = Witness::start(|| Events::start(TINY));
    storms(3, 1_500, &program);
    let summary = witness.compare(observed, 4_500);
    let lost: u64 = ["fork", "exec", "exit"]
        .map(|kind| summary.lost(kind))
        .iter()
        .sum();
    assert!(lost > 0, "the ring was not too small: {}", summary.line);
    assert_eq!(summary.status, 0, "{}", summary.errors);
}

#[test]
fn a_stopped_consumer_with_a_small_ring_counts_what_it_loses() {
    let (_directory, program) = nothing();
    let (witness, observed) = Witness::start(|| Events::start(&["--ring-bytes", "65536"]));
    observed.lines().signal(libc::SIGSTOP);
    storms(2, 1_000, &program);
    observed.lines().signal(libc::SIGCONT);
    // It goes on as if nothing had been.
    observed.canary();
    storms(1, 100, &program);
    let summary = witness.compare(observed, 2_100);
    for kind in ["fork", "exec", "exit"] {
        assert!(summary.lost(kind) > 0, "{}", summary.line);
        assert!(summary.received(kind) > 0, "{}", summary.line);
    }
}

#[test]
fn a_stopped_consumer_loses_nothing_that_the_ring_holds() {
    let (_directory, program) = nothing();
    let (witness, observed) = Witness::start(|| Events::start(&[]));
    observed.lines().signal(libc::SIGSTOP);
    storms(2, 2_000, &program);
    observed.lines().signal(libc::SIGCONT);
    observed.canary();
    let summary = witness.compare(observed, 4_000);
    for kind in ["fork", "exec", "exit"] {
        assert_eq!(summary.lost(kind), 0, "{}", summary.line);
    }
    for kind in ["process.exec", "process.exit"] {
        assert_eq!(count(&summary.events, kind, &program), 4_000, "{kind}");
    }
}

#[test]
fn processes_whose_exit_was_lost_do_not_stay() {
    // After a loss the table is compared with /proc: whoever is missing is
    // told as ended, marked as concluded, with neither code nor signal.
    let (_directory, program) = nothing();
    let events = Events::start(&["--ring-bytes", "16384"]);
    let mut command = workload(["until-eof", "0", "0"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::spawn(&mut command);
    running.wait_for_line("ready");
    let of = running.pid();
    events.lines().wait("the exec", |said| {
        let mut lines = said.lines.iter();
        lines.any(|line| pid(line) == of).then_some(())
    });
    events.lines().signal(libc::SIGSTOP);
    storms(1, 1_000, &program);
    drop(running.stdin());
    let _ = running.wait();
    events.lines().signal(libc::SIGCONT);
    let exit = events.wait_exit(of);
    assert_eq!(exit["sensor.inferred"], true, "{exit}");
    for key in [
        "process.exit.code",
        "sensor.exit.signal",
        "sensor.cpu.time_ns",
    ] {
        assert!(exit.get(key).is_none(), "{key} in {exit}");
    }
    let summary = events.finish();
    assert!(summary.lost("exit") > 0, "{}", summary.line);
}

#[test]
fn events_end_by_themselves_and_print_a_summary() {
    for (duration, least) in [("300ms", 300_000_000), ("1", 1_000_000_000_u64)] {
        let args = ["events", "--json", "--duration", duration];
        let lines = sensor_tests::sensor::Lines::start(&mut sensor_tests::sensor::sensor(args));
        let (ended, said) = lines.end();
        let summary = Summary::new(&ended, said);
        assert_eq!(summary.status, 0, "{}", summary.errors);
        let lasted = summary.line["duration_ns"].as_u64().unwrap();
        assert!(lasted >= least, "{}", summary.line);
        let mut keys: Vec<&String> = summary.line.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["duration_ns", "event.name", "lost", "received"]);
        for kind in ["fork", "exec", "exit"] {
            let _ = (summary.received(kind), summary.lost(kind));
        }
        let _ = summary.lost("late");
    }
}

#[test]
fn sigterm_ends_events_as_ctrl_c_does() {
    let events = Events::start(&[]);
    events.lines().signal(libc::SIGTERM);
    events.lines().wait("the summary", |said| {
        let last = said.lines.last();
        last.is_some_and(|line| is(line, "summary")).then_some(())
    });
    // SIGINT may come too late, then it has ended already.
    let summary = events.finish();
    assert_eq!(summary.status, 0, "{}", summary.errors);
}
