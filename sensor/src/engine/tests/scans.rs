//! Scans, and how they and the ring overtake each other: E8, S1, S2.

use super::bench::*;
use crate::units::{BootNanos, ProcessKey};

/// Its start is not a whole tick.
const ONE: Id = (10, SECOND + 12_345_678);

#[test]
fn a_member_by_scan_counts_from_its_birth_and_is_no_start() {
    let mut bench = Bench::new();
    bench.found(ONE, "web", 2 * SECOND);
    bench.look(ONE, &seen(500, 100));
    assert_eq!(bench.user("web"), Some(500));
    assert_eq!(bench.starts("web"), Some(0));
    bench.exit(ONE, 3 * SECOND, 0, 900);
    assert_eq!(bench.user("web"), Some(800));
    assert_eq!(bench.int("web", "sensor.process.exits"), Some(1));
}

#[test]
fn the_first_event_makes_the_start_exact_and_looks_go_on() {
    let mut bench = Bench::new();
    bench.found(ONE, "web", 2 * SECOND);
    let noted = *bench
        .engine
        .registry()
        .members(&[true, true])
        .first()
        .unwrap();
    assert_eq!(noted.start, BootNanos(SECOND + 10 * MS));
    bench.exec(ONE, 3 * SECOND, "web", 100);
    assert_eq!(bench.engine.table().by_pid(ONE.0).unwrap().key, key(ONE));
    bench.engine.look(noted, &seen(700, 0));
    assert_eq!(bench.user("web"), Some(700));
    assert_eq!(bench.starts("web"), Some(0));
    bench.exit(ONE, 4 * SECOND, 0, 900);
    for event in &bench.out {
        assert_eq!(event.process.start, BootNanos(ONE.1));
    }
}

#[test]
fn an_exec_that_the_scan_overtook_is_a_start_and_counts_from_there() {
    let mut bench = Bench::new();
    bench.found(ONE, "web", 2 * SECOND);
    bench.fork((1, 0), ONE);
    bench.exec(ONE, 2 * SECOND - MS, "web", 300);
    assert_eq!(bench.starts("web"), Some(1));
    // That was it: the next one is a second program of the same service.
    bench.exec(ONE, 2 * SECOND - MS / 2, "web", 400);
    assert_eq!(bench.starts("web"), Some(1));
    bench.exit(ONE, 4 * SECOND, 0, 900);
    assert_eq!(bench.user("web"), Some(600));
}

#[test]
fn a_fork_that_the_scan_overtook_is_a_start() {
    let mut bench = Bench::new();
    let parent = (5, SECOND);
    bench.exec(parent, SECOND, "web", 0);
    bench.found(ONE, "web", 2 * SECOND);
    bench.fork(parent, ONE);
    assert_eq!(bench.starts("web"), Some(2));
    bench.exec(ONE, 2 * SECOND - MS, "web", 300);
    assert_eq!(bench.starts("web"), Some(2));
}

#[test]
fn who_vanished_after_a_loss_has_ended_somehow() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    bench.look(ONE, &seen(500, 0));
    let missing = bench.engine.missing(&std::collections::HashSet::new());
    bench.gone(&missing, 3 * SECOND);
    assert_eq!(bench.user("web"), Some(500));
    assert_eq!(bench.int("web", "sensor.process.exits"), Some(1));
    assert_eq!(bench.int("web", "sensor.process.count"), Some(0));
    let (event, detail) = bench.exits()[0];
    assert!(event.inferred);
    assert_eq!(detail.end, None);
    assert_eq!(bench.engine.stats().inferred, 1);
}

#[test]
fn one_that_an_event_made_exact_while_it_was_missing_is_gone_all_the_same() {
    let mut bench = Bench::new();
    bench.found(ONE, "web", 2 * SECOND);
    let missing = bench.engine.missing(&std::collections::HashSet::new());
    bench.exec(ONE, 2 * SECOND, "web", 0);
    bench.gone(&missing, 3 * SECOND);
    assert!(bench.engine.table().is_empty());
}

#[test]
fn an_exit_that_waits_or_came_meanwhile_is_not_concluded() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    bench.event(&exit(ONE, 2 * SECOND, 0, cpu(5), 1));
    let missing = bench.engine.missing(&std::collections::HashSet::new());
    bench.gone(&missing, 2 * SECOND);
    assert!(bench.exits().is_empty());
    bench.tick(3 * SECOND);
    bench.gone(&missing, 3 * SECOND);
    assert_eq!(bench.exits().len(), 1);
    assert!(!bench.exits()[0].0.inferred);
}

#[test]
fn a_scan_that_sees_the_next_owner_of_a_pid_waits_for_the_ring() {
    let next = (ONE.0, ONE.1 + SECOND);
    // The ring has the end of the first and the birth of the second.
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    bench.found(next, "db", 3 * SECOND);
    bench.exit(ONE, next.1 - MS, 0, 700);
    bench.fork((1, 0), next);
    bench.exec(next, next.1 + MS, "db", 20);
    bench.gone(&[], 3 * SECOND);
    assert_eq!(bench.exits().len(), 1);
    assert!(!bench.exits()[0].0.inferred);
    assert_eq!(bench.user("web"), Some(700));
    assert_eq!(bench.starts("db"), Some(1));
    // The ring has neither.
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    bench.found(next, "db", 3 * SECOND);
    bench.gone(&[], 3 * SECOND);
    assert!(bench.exits()[0].0.inferred);
    assert_eq!(bench.starts("db"), Some(0));
    assert_eq!(bench.int("db", "sensor.process.count"), Some(1));
    // Something old of the first comes after all.
    bench.exec(ONE, next.1 - 2 * MS, "web", 0);
    assert_eq!(bench.int("db", "sensor.process.count"), Some(1));
    assert_eq!(bench.int("web", "sensor.process.count"), Some(0));
}

#[test]
fn a_scan_does_not_bring_back_who_has_just_ended() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    bench.exit(ONE, 2 * SECOND, 0, 5);
    // Its address space is being torn down: it still looks alive.
    bench.found(ONE, "web", 2 * SECOND + MS);
    assert!(bench.engine.table().is_empty());
}

#[test]
fn what_a_scan_cannot_read_stays_as_it_was() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    let found = super::super::scans::Found {
        pid: ONE.0,
        parent: 1,
        start_ticks: ONE.1 / (10 * MS),
        comm: b"web".to_vec(),
        path: None,
        args: None,
        user: None,
        cgroup: None,
    };
    bench.engine.found(found, BootNanos(2 * SECOND));
    bench.exit(ONE, 3 * SECOND, 0, 5);
    let (event, _) = bench.exits()[0];
    assert_eq!(
        event.process.executable_path.as_deref(),
        Some(&b"/bin/web"[..])
    );
    assert_eq!(event.process.args.as_ref().unwrap().args, [b"web"]);
    assert_eq!(event.process.start, key(ONE).start);
}

#[test]
fn a_missing_key_of_an_earlier_owner_hurts_nobody() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    let earlier = ProcessKey {
        pid: ONE.0,
        start: BootNanos(5),
    };
    bench.gone(&[earlier], 3 * SECOND);
    assert_eq!(bench.engine.table().len(), 1);
}
