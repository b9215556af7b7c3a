//! What a service reports: S3, S4, S6, S7, S9, and replay.

use std::sync::Arc;

use super::bench::*;
use crate::aggregate::{report::PointValue, service::Look};

const ONE: Id = (10, SECOND + MS);
const TWO: Id = (11, SECOND + 2 * MS);

#[test]
fn neither_part_of_cpu_time_ever_falls() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    for (look, expected) in [
        ((100, 50), (100, 50)),
        // The kernel changed its mind about 30.
        ((70, 80), (100, 50)),
        ((90, 90), (100, 80)),
        ((150, 60), (130, 80)),
        ((10, 20), (130, 80)),
    ] {
        bench.look(ONE, &seen(look.0, look.1));
        let split = (bench.mode("web", "user"), bench.mode("web", "system"));
        assert_eq!(split, (Some(expected.0), Some(expected.1)));
    }
    bench.exit(ONE, 2 * SECOND, 0, 300);
    let split = (bench.mode("web", "user"), bench.mode("web", "system"));
    assert_eq!(split, (Some(220), Some(80)));
}

#[test]
fn without_members_counters_stay_and_gauges_go() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    bench.look(ONE, &seen(100, 50));
    bench.report(SECOND);
    for gauge in GAUGES {
        assert!(bench.value("web", gauge, "").is_some(), "{gauge}");
    }
    bench.exit(ONE, 2 * SECOND, 0, 300);
    for gauge in GAUGES {
        assert!(bench.value("web", gauge, "").is_none(), "{gauge}");
    }
    assert_eq!(bench.int("web", "sensor.process.count"), Some(0));
    for kept in [
        "process.cpu.time",
        "process.disk.io",
        "sensor.process.lifetime",
    ] {
        assert!(bench.value("web", kept, "").is_some(), "{kept}");
    }
}

const GAUGES: [&str; 5] = [
    "process.memory.usage",
    "process.memory.virtual",
    "process.thread.count",
    "process.unix.file_descriptor.count",
    "process.uptime",
];

#[test]
fn a_figure_that_one_member_hides_is_absent() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    bench.exec(TWO, TWO.1, "web", 0);
    bench.look(ONE, &seen(100, 0));
    let mut hidden = reading(50, 0);
    hidden.read_bytes = None;
    hidden.fds = None;
    bench.look(TWO, &Look::Seen(Arc::new(hidden)));
    assert_eq!(bench.user("web"), Some(150));
    assert!(bench.value("web", "process.disk.io", "read").is_none());
    assert!(bench.value("web", "process.disk.io", "write").is_some());
    assert!(
        bench
            .value("web", "process.unix.file_descriptor.count", "")
            .is_none()
    );
    // Its exit record tells; from then on the sum is whole.
    bench.exit(TWO, 2 * SECOND, 0, 70);
    assert!(bench.value("web", "process.disk.io", "read").is_some());
    assert_eq!(bench.user("web"), Some(170));
}

#[test]
fn a_closed_member_hides_every_sum_while_it_lives() {
    let mut bench = Bench::new();
    bench.found(ONE, "web", 2 * SECOND);
    bench.found(TWO, "web", 2 * SECOND);
    bench.look(ONE, &seen(100, 0));
    bench.look(TWO, &Look::Closed);
    assert_eq!(bench.user("web"), None);
    assert!(bench.value("web", "process.memory.usage", "").is_none());
    assert_eq!(bench.int("web", "sensor.process.count"), Some(2));
    // Its end is noticed by a scan only: the last looks count.
    let two = bench.engine.table().by_pid(TWO.0).unwrap().key;
    bench.gone(&[two], 3 * SECOND);
    assert_eq!(bench.user("web"), Some(100));
}

#[test]
fn what_was_never_known_of_anybody_is_not_zero() {
    let mut bench = Bench::new();
    bench.found(ONE, "web", 2 * SECOND);
    bench.look(ONE, &Look::Closed);
    assert_eq!(bench.user("web"), None);
    let one = bench.engine.table().by_pid(ONE.0).unwrap().key;
    bench.gone(&[one], 3 * SECOND);
    assert_eq!(bench.user("web"), None);
    assert_eq!(bench.int("web", "sensor.process.count"), Some(0));
}

#[test]
fn counters_that_the_kernel_does_not_keep_are_absent() {
    let mut bench = Bench::new();
    bench.engine.config.known.io = false;
    bench.exec(ONE, ONE.1, "web", 0);
    bench.exit(ONE, 2 * SECOND, 0, 300);
    assert_eq!(bench.user("web"), Some(300));
    assert!(bench.value("web", "process.disk.io", "").is_none());
    assert_eq!(bench.exits()[0].1.disk_read_bytes, None);
}

#[test]
fn rates_need_two_looks_and_know_what_is_old() {
    let rate = |report: &crate::aggregate::report::Report| {
        let metrics = &report.services[0].metrics;
        let rate = metrics
            .iter()
            .find(|metric| metric.name == "process.cpu.utilization");
        rate.map(|metric| metric.points[0].value.clone())
    };
    let double = |value| Some(crate::aggregate::report::PointValue::Double(value));
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    bench.look(ONE, &seen(SECOND, 0));
    assert_eq!(rate(&bench.report(10 * SECOND)), None);
    bench.look(ONE, &seen(6 * SECOND, 0));
    assert_eq!(rate(&bench.report(20 * SECOND)), double(0.5));
    // A scan finds one that has worked for an hour: not in this interval.
    bench.found(TWO, "web", 25 * SECOND);
    bench.look(TWO, &seen(3_600 * SECOND, 0));
    bench.look(ONE, &seen(7 * SECOND, 0));
    assert_eq!(rate(&bench.report(30 * SECOND)), double(0.1));
    assert_eq!(bench.user("web"), Some(3_607 * SECOND));
}

#[test]
fn a_recorded_stream_gives_the_same_bytes() {
    let run = |seed| {
        let mut bench = Bench::with(50, crate::plugin::GroupBy::Executable, &[".*"]);
        bench.engine.config.seed = seed;
        for turn in 0..200_u64 {
            let id = (u32::try_from(turn % 60).unwrap(), SECOND + turn * 20 * MS);
            bench.fork((1, 0), id);
            bench.exec(
                id,
                id.1 + MS,
                ["web", "db", "x"][usize::try_from(turn % 3).unwrap()],
                turn,
            );
            if turn % 4 == 0 {
                let pending = u32::try_from(turn % 8 / 4).unwrap();
                bench.event(&exit(id, id.1 + 2 * MS, 0, cpu(turn * 2), pending));
            }
            if turn % 10 == 0 {
                bench.look(id, &seen(turn * 3, turn));
                bench.tick(id.1 + 3 * MS);
            }
        }
        bench.engine.flush(&mut bench.out);
        let report = bench.report(100 * SECOND);
        (format!("{:?}", bench.out), format!("{report:?}"), bench.out)
    };
    let (events, report, list) = run(7);
    assert!(list.len() > 250);
    assert_eq!((&events, &report), (&run(7).0, &run(7).1));
    // Another run is told apart by the ids of its events, and by nothing else.
    let (other_events, other_report, other_list) = run(1 << 40);
    assert_ne!(events, other_events);
    assert_eq!(report, other_report);
    let mut uids: Vec<_> = list
        .iter()
        .chain(&other_list)
        .map(|event| event.uid)
        .collect();
    assert!(uids.iter().all(|uid| uid.get_version_num() == 7));
    assert!(
        uids.iter()
            .all(|uid| uid.get_variant() == uuid::Variant::RFC4122)
    );
    uids.sort();
    uids.dedup();
    assert_eq!(uids.len(), list.len() + other_list.len());
}

#[test]
fn a_suspend_is_part_of_a_life() {
    const HOUR: u64 = 3_600 * SECOND;
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    bench.look(ONE, &seen(100, 0));
    bench.tick(2 * SECOND);
    // The boot clock goes on while the host is asleep, and nothing else does.
    let now = 2 * SECOND + HOUR;
    bench.tick(now);
    let report = bench.report(now);
    let service = report
        .services
        .iter()
        .find(|one| one.identity.plugin == "web");
    let metrics = &service.unwrap().metrics;
    let uptime = metrics.iter().find(|one| one.name == "process.uptime");
    let lived = (now - ONE.1) as f64 / SECOND as f64;
    assert_eq!(uptime.unwrap().points[0].value, PointValue::Double(lived));
    assert_eq!(bench.int("web", "sensor.process.count"), Some(1));
    assert_eq!(bench.user("web"), Some(100));
    bench.exit(ONE, now + SECOND, 0, 300);
    assert_eq!(bench.exits().len(), 1);
    assert_eq!(bench.starts("web"), Some(1));
    assert_eq!(bench.user("web"), Some(300));
}
