//! No event is lost between two daemons.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use sensor_tests::{
    process::{Running, workload},
    sensor::LIMIT,
};

use super::*;

/// How often the daemon is restarted; `SENSOR_RESTARTS` says otherwise.
const RESTARTS: u64 = 6;
/// Processes a second.
const RATE: u64 = 1_000;
/// How long a daemon runs, roughly.
const ROUND: Duration = Duration::from_millis(1_200);

fn restarts() -> u64 {
    let wanted = std::env::var("SENSOR_RESTARTS").ok();
    wanted.and_then(|n| n.parse().ok()).unwrap_or(RESTARTS)
}

/// Restarts a daemon under a storm; `end` ends it, `more` are the arguments of
/// the daemons, taken in turn.
fn survives(interval: &'static str, end: impl Fn(&Lines), more: &[&[&str]]) {
    let mut host = Host {
        interval,
        ..Host::new()
    };
    let watched = host.plugins.watch(false);
    let pinned = host.more.clone();
    let mut next = |round: u64| {
        let more = more.get(usize::try_from(round).unwrap() % more.len().max(1));
        let more: &[&str] = more.copied().unwrap_or_default();
        let all = pinned
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied());
        host.more = all.map(str::to_owned).collect();
        host.start()
    };
    let rounds = restarts();
    let mut lines = next(0);
    let mut command = workload(["pace", &RATE.to_string()]);
    command.arg(&watched.program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut storm = Running::start(&mut command);
    for round in 1..=rounds {
        // As long as a round takes, on whatever machine: it is no result that
        // is waited for, but time under load.
        let until = Instant::now() + ROUND;
        while Instant::now() < until {
            let said = lines.said().lines.len();
            lines.wait("a report", |now| (now.lines.len() > said).then_some(()));
        }
        end(&lines);
        let (_, said) = lines.end();
        assert!(!said.errors.contains("lost"), "{}", said.errors);
        assert!(!said.errors.contains("cannot"), "{}", said.errors);
        lines = next(round);
    }
    drop(storm.stdin());
    let number: u64 = storm.read_line().trim().parse().unwrap();
    assert_eq!(storm.wait().status, 0);
    let third = |code: u64| ((number + 2 - code) / 3) as f64;
    let number = number as f64;
    let wanted = [number, third(0), third(1), third(2), number];
    let found = lines.wait_within(LIMIT, |said| {
        told(&said.lines, &watched.name).filter(|found| *found == wanted)
    });
    let last = told(&lines.said().lines, &watched.name);
    assert_eq!(
        found.or(last),
        Some(wanted),
        "starts, exits by code, and exits; {}",
        lines.said().errors
    );
    let (_, said) = lines.interrupt();
    assert!(!said.errors.contains("lost"), "{}", said.errors);
}

fn terminate(lines: &Lines) {
    lines.signal(libc::SIGTERM);
}

#[test]
fn a_restart_loses_no_event() {
    if own_bpffs("a_restart_loses_no_event") {
        survives("500ms", terminate, &[]);
    }
}

#[test]
fn a_daemon_that_is_killed_loses_no_event() {
    if own_bpffs("a_daemon_that_is_killed_loses_no_event") {
        // A long interval: much of what was read had not been written. A ring
        // so small that it is written between two reports, the first of which
        // never is.
        let small: &[&str] = &["--ring-bytes", "4194304"];
        survives("3s", |lines| lines.signal(libc::SIGKILL), &[small]);
    }
}

/// Another size of the ring stands for whatever an upgrade changes: the hooks
/// of before cannot be used.
#[test]
fn hooks_that_do_not_fit_are_replaced_without_a_loss() {
    if own_bpffs("hooks_that_do_not_fit_are_replaced_without_a_loss") {
        let sizes: [&[&str]; 2] = [&[], &["--ring-bytes", "4194304"]];
        survives("500ms", terminate, &sizes);
        let layouts: Vec<_> = pins();
        let links = layouts.iter().filter(|pin| pin.contains("link_exit"));
        assert_eq!(links.count(), 1, "{layouts:?}");
    }
}
