//! Descent, users, cgroups, other names: who is a member beside the pattern.

use super::bench::*;
use crate::{
    aggregate::service::counters_of_reading,
    decode::{Event, ExecTail},
    engine::ExecContext,
    plugin::{GroupBy, Plugin},
    units::BootNanos,
};

const ROOT: Id = (10, SECOND + 100 * MS);
const CHILD: Id = (11, SECOND + 200 * MS);
const GRANDCHILD: Id = (12, SECOND + 300 * MS);

fn tree(exclude: &[&str]) -> Plugin {
    Plugin {
        include_descendants: true,
        exclude: exclude.iter().map(|&pattern| pattern.to_owned()).collect(),
        ..plugin("tree", "^web$")
    }
}

#[test]
fn descendants_are_members_whatever_they_run() {
    let mut bench = Bench::of(100, vec![tree(&["^not$"]), plugin("db", "^db$")]);
    bench.exec(ROOT, ROOT.1, "web", 0);
    bench.fork(ROOT, CHILD);
    bench.exec(CHILD, CHILD.1 + MS, "db", 0);
    bench.fork(CHILD, GRANDCHILD);
    bench.exec(GRANDCHILD, GRANDCHILD.1 + MS, "sh", 0);
    assert_eq!(bench.pids("tree"), [10, 11, 12]);
    assert_eq!(bench.pids("db"), [11]);
    // Each is one start, however often it runs something else.
    assert_eq!(bench.starts("tree"), Some(3));
    // The tree goes on without those above.
    bench.exit(ROOT, 2 * SECOND, 0, 5);
    bench.exit(CHILD, 2 * SECOND, 0, 5);
    let last = (13, 3 * SECOND);
    bench.fork(GRANDCHILD, last);
    bench.exec(last, last.1 + MS, "other", 0);
    assert_eq!(bench.pids("tree"), [12, 13]);
    // An excluded one stays out, and its children do not.
    bench.exec(last, last.1 + 2 * MS, "not", 0);
    assert_eq!(bench.pids("tree"), [12]);
    let below = (14, 4 * SECOND);
    bench.fork(last, below);
    assert_eq!(bench.pids("tree"), [12]);
    bench.exec(below, below.1 + MS, "other", 0);
    assert_eq!(bench.pids("tree"), [12, 14]);
    bench.exec(last, last.1 + 3 * MS, "other", 0);
    assert_eq!(bench.pids("tree"), [12, 13, 14]);
}

#[test]
fn without_descent_an_exec_out_of_the_name_leaves() {
    let mut bench = Bench::new();
    bench.exec(ROOT, ROOT.1, "web", 0);
    bench.fork(ROOT, CHILD);
    assert_eq!(bench.pids("web"), [10, 11]);
    bench.exec(CHILD, CHILD.1 + MS, "sh", 0);
    assert_eq!(bench.pids("web"), [10]);
}

#[test]
fn a_scan_finds_descendants_by_their_parents() {
    let mut bench = Bench::of(100, vec![tree(&[])]);
    // The children first: pids go round.
    bench.found_below(11, GRANDCHILD, "sh", 2 * SECOND);
    bench.found_below(10, CHILD, "sh", 2 * SECOND);
    bench.found_below(1, ROOT, "web", 2 * SECOND);
    bench.found_below(10, (SENSOR, 2 * SECOND), "sensor", 2 * SECOND);
    // Older than who has the pid of its parent now.
    bench.found_below(10, (15, SECOND), "sh", 2 * SECOND);
    bench.gone(&[], 2 * SECOND);
    assert_eq!(bench.pids("tree"), [10, 11, 12]);
    assert_eq!(bench.starts("tree"), Some(0));
    bench.look(CHILD, &seen(500, 0));
    assert_eq!(bench.user("tree"), Some(500));
    // From now on as if they had been seen to be born.
    bench.exec(CHILD, 3 * SECOND, "other", 0);
    bench.fork(GRANDCHILD, (20, 4 * SECOND));
    assert_eq!(bench.pids("tree"), [10, 11, 12, 20]);
}

#[test]
fn a_scan_faster_than_the_ring_loses_no_descendant() {
    let mut bench = Bench::of(100, vec![tree(&[])]);
    bench.exec(ROOT, ROOT.1, "web", 0);
    bench.found_below(1, CHILD, "sh", 2 * SECOND);
    bench.fork(ROOT, CHILD);
    bench.exec(CHILD, CHILD.1 + MS, "sh", 0);
    assert_eq!(bench.pids("tree"), [10, 11]);
    assert_eq!(bench.starts("tree"), Some(2));
}

#[test]
fn a_descendant_whose_birth_was_lost_joins_by_its_program() {
    let mut bench = Bench::of(100, vec![tree(&[])]);
    bench.exec(ROOT, ROOT.1, "web", 0);
    bench.exec_below(ROOT, CHILD, CHILD.1 + MS, "sh");
    assert_eq!(bench.pids("tree"), [10, 11]);
}

/// An exec as a user and in a cgroup.
fn exec_as(bench: &mut Bench, id: Id, time: u64, user: u32, cgroup: Option<&str>) {
    exec(id, time, "web", cpu(0), |event| {
        let Event::Exec(record, tail) = event else {
            panic!("no exec");
        };
        let mut record = record.clone();
        record.uid = user;
        record.cgroup = cgroup.map_or(0, |path| path.len() as u64);
        let context = ExecContext {
            cgroup: cgroup.map(Into::into),
            ..ExecContext::default()
        };
        let event = Event::Exec(record, ExecTail::clone(tail));
        bench.engine.event(&event, context, &mut bench.out);
    });
}

#[test]
fn user_and_cgroup_go_beside_the_name() {
    let users = Plugin {
        user: Some("33".to_owned()),
        ..plugin("user", "^web$")
    };
    let cgroups = Plugin {
        cgroup: Some("^/SHOP[.]slice/".to_owned()),
        ..plugin("cgroup", "^web$")
    };
    let tree = Plugin {
        include_descendants: true,
        user: Some("33".to_owned()),
        ..plugin("tree", "^web$")
    };
    let mut bench = Bench::of(100, vec![users, cgroups, tree]);
    exec_as(&mut bench, ROOT, ROOT.1, 33, Some("/shop.slice/a"));
    exec_as(&mut bench, CHILD, CHILD.1, 0, Some("/other"));
    exec_as(&mut bench, GRANDCHILD, GRANDCHILD.1, u32::MAX, None);
    assert_eq!(bench.pids("user"), [10]);
    assert_eq!(bench.pids("cgroup"), [10]);
    // A program that changes the user is asked about again.
    exec_as(&mut bench, ROOT, 2 * SECOND, 0, Some("/shop.slice/a"));
    exec_as(&mut bench, CHILD, 2 * SECOND, 33, Some("/shop.slice/b"));
    assert_eq!(bench.pids("user"), [11]);
    assert_eq!(bench.pids("cgroup"), [10, 11]);
    assert_eq!(bench.pids("tree"), [11]);
    exec_as(&mut bench, ROOT, 3 * SECOND, 33, None);
    assert_eq!(bench.pids("tree"), [10, 11]);
}

#[test]
fn users_are_groups_by_name_and_the_rest_is_other() {
    let users = Plugin {
        group_by: GroupBy::User,
        ..plugin("user", "^web$")
    };
    let mut bench = Bench::of(100, vec![users]);
    assert!(bench.engine.registry().wants_user(33));
    bench
        .engine
        .registry()
        .learn_user(33, Some("www-data".to_owned()));
    bench.engine.registry().learn_user(34, None);
    assert!(!bench.engine.registry().wants_user(34));
    for (pid, user) in [(10, 33), (11, 34), (12, u32::MAX), (13, 35), (14, 36)] {
        exec_as(&mut bench, (pid, 2 * SECOND), 2 * SECOND, user, None);
    }
    let report = bench.report(3 * SECOND);
    let groups = report.services.iter().map(|service| {
        let group = service.identity.group.as_deref();
        (group.unwrap_or_default(), service.process_count)
    });
    let groups: Vec<_> = groups.collect();
    let expected = [("34", 1), ("other", 2), ("unknown", 1), ("www-data", 1)];
    assert_eq!(groups, expected);
}

/// As a collection does it.
fn take_in_renamed(bench: &mut Bench, name: &str, used: u64, now: u64) {
    let renamed = bench.engine.take_renamed();
    for key in renamed {
        let totals = counters_of_reading(&reading(used, 0));
        let found = found((key.pid, key.start.0), 1, name);
        bench.engine.renamed(found, totals, BootNanos(now));
    }
}

#[test]
fn another_name_is_taken_in_and_is_no_start() {
    let mut bench = Bench::new();
    bench.exec(ROOT, ROOT.1, "web", 0);
    bench.event(&rename(ROOT, 2 * SECOND));
    // Nothing happens until the next collection.
    assert_eq!(bench.pids("web"), [10]);
    take_in_renamed(&mut bench, "db", 300, 2 * SECOND);
    assert_eq!((bench.pids("web"), bench.pids("db")), (vec![], vec![10]));
    assert_eq!(bench.user("web"), Some(300));
    assert_eq!(bench.starts("db"), Some(0));
    assert_eq!(bench.int("web", "sensor.process.exits"), None);
    bench.exit(ROOT, 3 * SECOND, 0, 450);
    assert_eq!(bench.user("db"), Some(150));
    assert_eq!(bench.int("db", "sensor.process.exits"), Some(1));
    assert_eq!(bench.user("web"), Some(300));
}

#[test]
fn a_child_born_under_the_new_name_has_it() {
    let mut bench = Bench::new();
    bench.exec(ROOT, ROOT.1, "sh", 0);
    bench.event(&rename(ROOT, CHILD.1 - MS));
    bench.fork(ROOT, CHILD);
    take_in_renamed(&mut bench, "web", 0, 2 * SECOND);
    assert_eq!(bench.pids("web"), [10, 11]);
    // Nobody is asked about again.
    assert!(bench.engine.take_renamed().is_empty());
}

#[test]
fn nothing_is_matched_but_what_is_new() {
    let mut bench = Bench::new();
    for pid in 10..20 {
        bench.fork((1, 0), (pid, SECOND));
        bench.exec((pid, SECOND), SECOND, "web", 0);
    }
    let matched = bench.engine.stats().matched;
    assert_eq!(matched, 10);
    for interval in 2..20 {
        bench.look((10, SECOND), &seen(interval, 0));
        bench.report(interval * SECOND);
        bench.tick(interval * SECOND);
    }
    assert_eq!(bench.engine.stats().matched, matched);
}
