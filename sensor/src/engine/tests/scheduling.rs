//! Whom the scheduler's hook is told to count, and who gets what it counted.

use std::collections::HashSet;

use sensor_common::scheduler::{Counts, Watched};

use super::bench::*;
use crate::{aggregate::report::PointValue, engine::scheduling::Change};

const ONE: Id = (10, SECOND + 103 * MS);
const TWO: Id = (11, SECOND + 200 * MS);
const NOW: u64 = 5 * SECOND;

fn bench(slots: u32, patterns: &[&str]) -> Bench {
    let plugins = patterns.iter().map(|pattern| plugin(pattern, pattern));
    let mut bench = Bench::of(100, plugins.collect());
    bench.engine.follow_scheduler(slots);
    bench
}

fn watch((pid, start): Id, tolerance: u32, slot: u32) -> Change {
    let watched = Watched {
        start,
        tolerance,
        slot,
    };
    Change::Watch(pid, watched)
}

fn counts(burst: u64, preemptions: u64) -> Counts {
    let mut counts = Counts::default();
    counts.burst.counts[10] = burst;
    counts.burst.sum = burst * 1_000;
    counts.preemptions = preemptions;
    counts
}

/// Times on a CPU of a plugin's service.
fn bursts(bench: &mut Bench, plugin: &str) -> u64 {
    match bench.value(plugin, "sensor.process.cpu.burst", "") {
        Some(PointValue::Histogram(value)) => value.count,
        None => 0,
        other => panic!("{other:?}"),
    }
}

#[test]
fn members_are_told_and_told_off() {
    let mut bench = bench(8, &["^web$", "^db$"]);
    let told = |bench: &mut Bench| bench.engine.take_scheduler_changes();
    // Found by a scan: its start is known to a tick.
    bench.found(ONE, "web", NOW);
    assert_eq!(
        told(&mut bench),
        [watch((10, SECOND + 100 * MS), 9_999_999, 0)]
    );
    // A child, which the kernel has by itself; saying it again does no harm.
    bench.fork(ONE, TWO);
    assert_eq!(told(&mut bench), [watch(TWO, 0, 0)]);
    // Other services, another slot; then none.
    bench.exec(TWO, NOW, "db", 0);
    assert_eq!(told(&mut bench), [watch(TWO, 0, 1)]);
    bench.exec(TWO, NOW + 1, "sh", 0);
    bench.exec(TWO, NOW + 2, "cat", 0);
    assert_eq!(told(&mut bench), [Change::Forget(11)]);
    // The same again is no news, and an end is told.
    bench.exec(ONE, NOW + 3, "web", 0);
    assert_eq!(told(&mut bench), []);
    bench.exit(ONE, NOW + 4, 0, 0);
    assert_eq!(told(&mut bench), [Change::Forget(10)]);
    // Born and gone before anybody was told.
    let short = (12, NOW + 5);
    bench.exec(short, NOW + 6, "web", 0);
    bench.exit(short, NOW + 7, 0, 0);
    assert_eq!(told(&mut bench), []);
    // A pid that is used again is another process.
    bench.exec(short, NOW + 6, "web", 0);
    assert_eq!(told(&mut bench), [watch(short, 0, 0)]);
    let again = (12, NOW + 9);
    bench.exec(again, NOW + 9, "db", 0);
    assert_eq!(told(&mut bench), [watch(again, 0, 1)]);
    // What is late of the first one does not touch it.
    bench.exit(short, NOW + 10, 0, 0);
    assert_eq!(told(&mut bench), []);
    // Without the hook nobody is told of.
    bench.engine.follow_scheduler(0);
    bench.exec(TWO, NOW + 11, "web", 0);
    assert_eq!(told(&mut bench), []);
    // With it again all are.
    bench.engine.follow_scheduler(8);
    assert_eq!(told(&mut bench), [watch(TWO, 0, 0), watch(again, 0, 1)]);
}

#[test]
fn a_process_in_two_services_counts_in_both() {
    let mut bench = bench(8, &["^web", "b$", "^no$"]);
    bench.exec(ONE, NOW, "web", 0);
    bench.exec(TWO, NOW, "db", 0);
    assert_eq!(bench.engine.scheduler_slots(), [0, 1]);
    bench.engine.scheduler_counts(0, &counts(5, 2));
    bench.engine.scheduler_counts(1, &counts(3, 0));
    assert_eq!(bursts(&mut bench, "^web"), 5);
    assert_eq!(bursts(&mut bench, "b$"), 8);
    assert_eq!(bench.int("b$", "sensor.process.preemptions"), Some(2));
    // What was counted stays, whatever a slot says next.
    bench.engine.scheduler_counts(0, &counts(6, 3));
    bench.engine.scheduler_counts(0, &counts(0, 0));
    bench.engine.scheduler_counts(7, &counts(9, 9));
    assert_eq!(bursts(&mut bench, "^web"), 6);
    assert_eq!(bench.int("b$", "sensor.process.preemptions"), Some(3));
    // Where nobody counted, nothing is known.
    assert_eq!(bench.int("^no$", "sensor.process.preemptions"), None);
    // Without the hook it is not told.
    bench.engine.follow_scheduler(0);
    assert_eq!(bench.int("b$", "sensor.process.preemptions"), None);
}

#[test]
fn slots_are_used_again() {
    let mut bench = bench(2, &["^a$", "^b$", "^c$"]);
    let id = |pid: u32| (pid, SECOND + u64::from(pid) * MS);
    bench.exec(id(1), NOW, "a", 0);
    bench.exec(id(2), NOW, "b", 0);
    bench.exec(id(3), NOW, "c", 0);
    assert_eq!(bench.engine.scheduling().refused(), 1);
    assert_eq!(bench.engine.take_scheduler_changes().len(), 2);
    // It is free only when nobody, not even in the kernel, is counted there.
    bench.exit(id(1), NOW + 1, 0, 0);
    bench.engine.scheduler_counts(0, &counts(4, 4));
    bench.engine.free_scheduler_slots(|| HashSet::from([0]));
    bench.exec(id(4), NOW + 2, "c", 0);
    assert_eq!(bench.engine.scheduling().refused(), 2);
    let _ = bench.engine.take_scheduler_changes();
    bench.engine.free_scheduler_slots(HashSet::new);
    bench.exec(id(5), NOW + 3, "c", 0);
    assert_eq!(bench.engine.take_scheduler_changes(), [watch(id(5), 0, 0)]);
    // It goes on from what the slot had shown.
    bench.engine.scheduler_counts(0, &counts(5, 4));
    assert_eq!(
        (bursts(&mut bench, "^a$"), bursts(&mut bench, "^c$")),
        (4, 1)
    );
}

/// The hook on fork has put it in, whoever was told of it here.
#[test]
fn a_child_of_another_program_is_forgotten_though_nobody_was_told_of_it() {
    let mut bench = bench(8, &["^web$"]);
    bench.found(ONE, "web", NOW);
    let told = |bench: &mut Bench| bench.engine.take_scheduler_changes();
    assert_eq!(told(&mut bench).len(), 1);
    bench.fork(ONE, TWO);
    bench.exec(TWO, TWO.1 + 1, "true", 1);
    assert_eq!(told(&mut bench), [Change::Forget(TWO.0)]);
}
