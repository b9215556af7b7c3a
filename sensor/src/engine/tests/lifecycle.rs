//! Births, programs and ends: E5 to E8, S2.

use super::bench::*;
use crate::process::event::End;
use sensor_common::event::Figures;

const SHELL: Id = (10, SECOND + MS);
const CHILD: Id = (11, SECOND + 100 * MS);

#[test]
fn a_member_by_exec_counts_from_there() {
    let mut bench = Bench::new();
    bench.fork((1, 0), SHELL);
    bench.exec(SHELL, SHELL.1 + MS, "web", 300);
    assert_eq!(bench.starts("web"), Some(1));
    bench.exit(SHELL, SHELL.1 + 9 * MS, 0, 1_000);
    assert_eq!(bench.user("web"), Some(700));
}

#[test]
fn a_fork_of_a_member_starts_at_zero_and_is_a_start() {
    let mut bench = Bench::new();
    bench.exec(SHELL, SHELL.1, "web", 500);
    bench.fork(SHELL, CHILD);
    assert_eq!(bench.starts("web"), Some(2));
    assert_eq!(bench.int("web", "sensor.process.count"), Some(2));
    bench.exit(CHILD, CHILD.1 + MS, 0, 40);
    assert_eq!(bench.user("web"), Some(40));
    // Its exit carries what it inherited (E7).
    let (event, _) = bench.exits()[0];
    assert_eq!(
        event.process.executable_path.as_deref(),
        Some(&b"/bin/web"[..])
    );
    assert_eq!(event.process.args.as_ref().unwrap().args, [b"web"]);
}

#[test]
fn a_child_of_an_earlier_owner_of_the_pid_inherits_nothing() {
    let mut bench = Bench::new();
    bench.exec(SHELL, SHELL.1, "web", 0);
    bench.fork((SHELL.0, SHELL.1 + 50 * MS), CHILD);
    assert_eq!(bench.starts("web"), Some(1));
    assert!(
        bench
            .engine
            .table()
            .by_pid(CHILD.0)
            .unwrap()
            .services
            .is_empty()
    );
}

#[test]
fn an_exec_that_stays_is_no_second_start() {
    let mut bench = Bench::new();
    bench.exec(SHELL, SHELL.1, "web", 100);
    bench.exec(SHELL, SHELL.1 + MS, "web", 400);
    assert_eq!(bench.starts("web"), Some(1));
    bench.exit(SHELL, SHELL.1 + 2 * MS, 0, 1_000);
    assert_eq!(bench.user("web"), Some(900));
    assert_eq!(bench.exits().len(), 1);
}

#[test]
fn an_exec_out_of_the_service_is_no_exit() {
    let mut bench = Bench::new();
    bench.exec(SHELL, SHELL.1, "web", 100);
    bench.exec(SHELL, SHELL.1 + MS, "db", 350);
    assert_eq!(bench.user("web"), Some(250));
    assert_eq!(bench.int("web", "sensor.process.exits"), None);
    assert_eq!(bench.int("web", "sensor.process.count"), Some(0));
    assert_eq!(bench.starts("db"), Some(1));
    bench.exit(SHELL, SHELL.1 + 2 * MS, 0, 400);
    assert_eq!(bench.user("web"), Some(250));
    assert_eq!(bench.int("web", "sensor.process.exits"), None);
    assert_eq!(bench.user("db"), Some(50));
    assert_eq!(bench.int("db", "sensor.process.exits"), Some(1));
}

#[test]
fn an_end_has_a_code_or_a_signal() {
    for (status, end, attribute) in [
        (3 << 8, End::Code(3), "\"process.exit.code\", Int(3)"),
        (
            9,
            End::Signal {
                signal: 9,
                core_dumped: false,
            },
            "\"sensor.exit.signal\", Int(9)",
        ),
        (
            0x80 | 11,
            End::Signal {
                signal: 11,
                core_dumped: true,
            },
            "\"sensor.exit.signal\", Int(11)",
        ),
    ] {
        let mut bench = Bench::new();
        bench.exec(SHELL, SHELL.1, "web", 0);
        bench.exit(SHELL, SHELL.1 + MS, status, 0);
        let (event, detail) = bench.exits()[0];
        assert_eq!(detail.end, Some(end));
        let attributes = event.attributes();
        let has = |name| attributes.iter().any(|(key, _)| *key == name);
        let code = matches!(end, End::Code(_));
        assert_eq!(has("process.exit.code"), code);
        assert_eq!(has("sensor.exit.signal"), !code);
        assert_eq!(has("sensor.exit.core_dumped"), !code);
        let exits = bench.value("web", "sensor.process.exits", attribute);
        assert!(exits.is_some(), "{attribute}");
    }
}

#[test]
fn late_records_are_in_the_exit_whichever_comes_first() {
    let mut bench = Bench::new();
    bench.exec(SHELL, SHELL.1, "web", 0);
    let end = SHELL.1 + SECOND;
    bench.event(&late(SHELL, end, 1, cpu(30)));
    bench.event(&exit(SHELL, end + MS, 0, cpu(100), 2));
    assert!(bench.exits().is_empty());
    bench.event(&late(SHELL, end + 2 * MS, 1, cpu(50)));
    assert_eq!(bench.exits()[0].1.cpu_ns, Some(180));
    assert_eq!(bench.user("web"), Some(180));
    assert_eq!(bench.engine.stats().late, 0);
}

#[test]
fn an_unknown_process_waits_for_its_late_records_too() {
    let mut bench = Bench::new();
    bench.event(&late(SHELL, SHELL.1, 1, cpu(30)));
    bench.event(&exit(SHELL, SHELL.1, 0, cpu(100), 1));
    assert_eq!(bench.exits()[0].1.cpu_ns, Some(130));
}

#[test]
fn an_exit_is_held_fifty_milliseconds_at_most() {
    let mut bench = Bench::new();
    bench.exec(SHELL, SHELL.1, "web", 10);
    let end = SHELL.1 + SECOND;
    bench.look(SHELL, &seen(160, 0));
    bench.event(&exit(SHELL, end, 0, cpu(100), 1));
    bench.tick(end + 49 * MS);
    assert!(bench.exits().is_empty());
    bench.tick(end + 50 * MS);
    assert_eq!(bench.exits()[0].1.cpu_ns, Some(100));
    // The last look had seen more than the threads that reported.
    assert_eq!(bench.user("web"), Some(150));
    // Later ones go into the totals only, and what the look had seen of them
    // is not counted twice.
    bench.event(&late(SHELL, end + 60 * MS, 1, cpu(75)));
    assert_eq!(bench.user("web"), Some(165));
    assert_eq!(bench.exits().len(), 1);
    assert_eq!(bench.engine.stats().late, 1);
}

#[test]
fn the_next_event_lets_time_pass_too() {
    let mut bench = Bench::new();
    bench.event(&exit(SHELL, SHELL.1, 0, cpu(1), 1));
    bench.fork((1, 0), (12, SHELL.1 + 50 * MS));
    assert_eq!(bench.exits().len(), 1);
}

#[test]
fn late_records_without_an_exit_are_given_up_and_counted() {
    let mut bench = Bench::new();
    for pid in 0..10_000 {
        bench.event(&late(
            (pid + 2, SECOND),
            2 * SECOND,
            u32::MAX,
            cpu(u64::MAX),
        ));
        bench.event(&late(
            (pid + 2, SECOND),
            2 * SECOND,
            u32::MAX,
            cpu(u64::MAX),
        ));
    }
    assert!(bench.engine.exits.len() <= 1_024);
    bench.tick(3 * SECOND);
    assert_eq!(bench.engine.exits.len(), 0);
    assert!(bench.engine.stats().late > 0);
    // There is room again.
    bench.event(&late(SHELL, 3 * SECOND, 1, cpu(5)));
    bench.event(&exit(SHELL, 3 * SECOND, 0, cpu(5), 1));
    assert_eq!(bench.exits()[0].1.cpu_ns, Some(10));
}

#[test]
fn exits_that_wait_are_bounded() {
    let mut bench = Bench::new();
    for pid in 0..20_000 {
        bench.event(&exit((pid, SECOND), 2 * SECOND, 0, cpu(1), 1));
    }
    assert!(bench.engine.exits.len() < 16_500 + 4_096);
    bench.tick(3 * SECOND);
    assert_eq!(bench.exits().len(), 20_000);
}

#[test]
fn a_pid_in_use_again_ends_its_earlier_owner_exactly() {
    let mut bench = Bench::new();
    bench.exec(SHELL, SHELL.1, "web", 100);
    bench.exec((20, SECOND + 5), SECOND + 5, "web", 0);
    bench.event(&exit(SHELL, SHELL.1 + 60 * MS, 0, cpu(400), 1));
    // Born by a member with the pid of one whose exit waits.
    let again = (SHELL.0, SHELL.1 + 70 * MS);
    bench.fork((20, SECOND + 5), again);
    assert_eq!(bench.user("web"), Some(300));
    assert_eq!(bench.exits().len(), 1);
    assert_eq!(bench.starts("web"), Some(3));
    bench.exit(again, again.1 + MS, 0, 25);
    assert_eq!(bench.user("web"), Some(325));
}

#[test]
fn a_replaced_process_whose_end_was_lost_keeps_its_last_look() {
    let mut bench = Bench::new();
    bench.exec(SHELL, SHELL.1, "web", 0);
    bench.look(SHELL, &seen(900, 0));
    // The fork of the new one was lost as well.
    let again = (SHELL.0, SHELL.1 + 70 * MS);
    bench.exec(again, again.1 + MS, "web", 50);
    assert_eq!(bench.user("web"), Some(900));
    assert_eq!(bench.starts("web"), Some(2));
    assert_eq!(bench.int("web", "sensor.process.count"), Some(1));
    let (event, detail) = bench.exits()[0];
    assert!(event.inferred && detail.end.is_none());
    bench.exit(again, again.1 + 2 * MS, 0, 80);
    assert_eq!(bench.user("web"), Some(930));
}

#[test]
fn one_creation_time_in_every_event() {
    let mut bench = Bench::new();
    bench.fork((1, 0), SHELL);
    bench.exec(SHELL, SHELL.1 + MS, "web", 0);
    bench.exec(SHELL, SHELL.1 + 2 * MS, "db", 0);
    bench.exit(SHELL, SHELL.1 + 3 * MS, 0, 0);
    let times: Vec<_> = bench
        .out
        .iter()
        .map(|event| event.process.creation_time.to_string())
        .collect();
    assert_eq!(times, ["1970-01-01T00:00:01.001000000Z"; 3]);
    // The exit carries the last arguments (E7).
    let (event, _) = bench.exits()[0];
    assert_eq!(event.process.args.as_ref().unwrap().args, [b"db"]);
}

#[test]
fn the_exit_of_an_evicted_process_is_told() {
    let mut bench = Bench::with(4, crate::plugin::GroupBy::None, &["^web$", "^db$"]);
    bench.exec(SHELL, SHELL.1, "other", 0);
    for pid in 100..200 {
        bench.fork((1, 0), (pid, 2 * SECOND));
    }
    assert_eq!(bench.engine.table().len(), 4);
    assert_eq!(bench.engine.table().evicted(), 97);
    bench.exit(SHELL, 3 * SECOND, 0, 77);
    let (event, detail) = bench.exits()[0];
    assert_eq!((event.process.pid, detail.cpu_ns), (SHELL.0, Some(77)));
    assert!(!event.inferred);
}

#[test]
fn who_is_watched_is_not_evicted_and_there_are_no_more_than_the_limit() {
    let mut bench = Bench::with(4, crate::plugin::GroupBy::None, &["^web$", "^db$"]);
    for pid in 100..110 {
        bench.exec((pid, SECOND), SECOND, "web", 0);
    }
    assert_eq!(bench.engine.table().len(), 4);
    assert_eq!(bench.engine.table().evicted(), 6);
    assert_eq!(bench.int("web", "sensor.process.count"), Some(4));
    bench.exit((109, SECOND), 2 * SECOND, 0, 50);
    bench.exit((100, SECOND), 2 * SECOND, 0, 50);
    assert_eq!(bench.user("web"), Some(50));
    // There is room again.
    bench.exec((120, SECOND), SECOND, "web", 0);
    assert_eq!(bench.int("web", "sensor.process.count"), Some(4));
}

#[test]
fn a_process_that_execs_again_and_again_costs_nothing_more() {
    let mut bench = Bench::with(100, crate::plugin::GroupBy::None, &["^web$"]);
    for turn in 0..5_000 {
        bench.exec(SHELL, SHELL.1 + turn, "other", 0);
    }
    bench.exec((99, SECOND), 2 * SECOND, "other", 0);
    assert_eq!(bench.engine.table().unwatched(), 2);
}

#[test]
fn groups_are_bounded_whatever_the_names() {
    let mut bench = Bench::with(65_536, crate::plugin::GroupBy::Executable, &[".*"]);
    for pid in 0..100 {
        bench.exec((pid, SECOND), SECOND, &format!("n{pid}"), 0);
    }
    let report = bench.report(2 * SECOND);
    let counts: Vec<_> = report
        .services
        .iter()
        .map(|service| {
            (
                service.identity.group.clone().unwrap(),
                service.process_count,
            )
        })
        .collect();
    let expected = [("n0", 1), ("n1", 1), ("n2", 1), ("other", 97)];
    assert_eq!(
        counts,
        expected.map(|(name, count)| (name.to_owned(), count))
    );
    assert_eq!(bench.engine.registry().folded(), 97);
    let mut ids: Vec<_> = report
        .services
        .iter()
        .map(|service| service.identity.instance_id)
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn cgroups_are_bounded() {
    let mut bench = Bench::new();
    for (id, length) in (0..100_000).zip((0..4_000).cycle()) {
        let path = format!("/{}{id}", "a".repeat(length));
        bench.engine.learn_cgroup(id, Some(path.into()));
    }
    let held: usize = bench.engine.cgroups.values().map(|path| path.len()).sum();
    let [_, (name, cgroups), _] = bench.engine.caches();
    assert_eq!(name, "cgroups");
    assert!(held as u64 <= cgroups.bytes && cgroups.bytes <= super::super::CGROUP_BYTES as u64);
    assert_eq!(cgroups.evicted + bench.engine.cgroups.len() as u64, 100_000);
    // The same one, renamed: it is one all the same.
    bench.engine.learn_cgroup(99_999, Some("/b".into()));
    let [_, (_, after), _] = bench.engine.caches();
    assert!(after.bytes < cgroups.bytes);
}

#[test]
fn hostile_figures_do_no_harm() {
    let most = Figures {
        cpu: u64::MAX,
        user: u64::MAX,
        system: u64::MAX,
        runqueue: u64::MAX,
        voluntary: u64::MAX,
        involuntary: u64::MAX,
        minor: u64::MAX,
        major: u64::MAX,
        read_bytes: u64::MAX,
        write_bytes: u64::MAX,
        rchar: u64::MAX,
        wchar: u64::MAX,
    };
    let mut bench = Bench::new();
    for turn in 0..3 {
        let id = (10 + turn, SECOND);
        exec(id, u64::MAX, "web", Figures::default(), |event| {
            bench.event(event)
        });
        bench.look(id, &seen(u64::MAX, u64::MAX));
        bench.look(id, &seen(u64::MAX, 0));
        bench.look(id, &seen(0, u64::MAX));
        bench.event(&late(id, 0, u32::MAX, most));
        bench.event(&late(id, u64::MAX, u32::MAX, most));
        bench.event(&exit(id, u64::MAX, u32::MAX, most, u32::MAX));
        bench.event(&late(id, u64::MAX, u32::MAX, most));
        bench.event(&exit(id, SECOND, u32::MAX, most, u32::MAX));
        exec(id, u64::MAX, "web", most, |event| bench.event(event));
        exec(id, u64::MAX, "db", most, |event| bench.event(event));
        bench.engine.flush(&mut bench.out);
        bench.report(u64::MAX);
    }
}
