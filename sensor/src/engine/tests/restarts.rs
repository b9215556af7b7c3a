//! Members of before a restart, and what the ring has of them.

use std::collections::{HashMap, HashSet};

use super::bench::*;
use crate::{
    aggregate::registry::Remembered,
    units::{BootNanos, WallNanos},
};

const ONE: Id = (10, SECOND + 12_345_678);
const OTHER: Id = (11, 2 * SECOND);

/// Another daemon, which knows what the first one has saved.
fn restarted(bench: &Bench, now: u64) -> Bench {
    let saved = bench.engine.saved(BootNanos(now));
    let remembered = saved.into_iter().map(|(identifier, saved)| {
        let remembered = Remembered {
            instance_id: None,
            saved: Some(saved),
        };
        (identifier, remembered)
    });
    let remembered: HashMap<_, _> = remembered.collect();
    let mut next = Bench::new();
    let registry = next.engine.registry();
    registry.remember(remembered, WallNanos(now));
    next.engine.restore();
    next
}

#[test]
fn what_the_ring_has_is_told_by_the_next_daemon() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 100);
    bench.look(ONE, &seen(500, 0));
    let mut next = restarted(&bench, 2 * SECOND);
    // One ends, another one is born by it before, and a third has its pid.
    next.fork(ONE, OTHER);
    next.exit(ONE, 3 * SECOND, 7 << 8, 900);
    let third = (ONE.0, 4 * SECOND);
    next.exec(third, 4 * SECOND, "web", 0);
    assert_eq!(next.starts("web"), Some(3));
    assert_eq!(next.int("web", "sensor.process.exits"), Some(1));
    assert_eq!(next.user("web"), Some(800));
    assert_eq!(next.pids("web"), [10, 11]);
    let ends: Vec<_> = next.exits().iter().map(|(_, end)| end.end).collect();
    assert_eq!(ends.len(), 1);
    assert!(ends[0].is_some());
}

#[test]
fn one_that_takes_another_program_meanwhile_has_not_ended() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 100);
    let mut next = restarted(&bench, 2 * SECOND);
    next.exec(ONE, 3 * SECOND, "db", 400);
    next.engine.registry().await_no_more();
    assert_eq!(next.user("web"), Some(300));
    assert_eq!(next.int("web", "sensor.process.exits"), None);
    assert_eq!(next.starts("db"), Some(1));
}

#[test]
fn who_is_neither_found_nor_told_of_has_ended_somehow() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    let mut next = restarted(&bench, 2 * SECOND);
    let missing = next.engine.missing(&HashSet::new());
    next.gone(&missing, 3 * SECOND);
    next.engine.registry().await_no_more();
    assert_eq!(next.int("web", "sensor.process.exits"), Some(1));
    assert_eq!(next.int("web", "sensor.process.count"), Some(0));
}

/// A scan may see the name of a program whose exec the hook tells of later.
#[test]
fn an_exec_that_a_scan_fell_into_is_a_start() {
    let scanned = 2 * SECOND;
    let mut bench = Bench::new();
    bench.found(ONE, "web", scanned);
    // Nor is it lost where a restart comes between.
    let mut next = restarted(&bench, scanned + MS);
    for bench in [&mut bench, &mut next] {
        bench.exec(ONE, scanned + 2 * MS, "web", 300);
        assert_eq!(bench.starts("web"), Some(1));
        bench.exec(ONE, scanned + 3 * MS, "web", 400);
        assert_eq!(bench.starts("web"), Some(1));
        bench.exit(ONE, scanned + 4 * MS, 0, 900);
        assert_eq!(bench.user("web"), Some(600));
    }
}
