//! Other plugins while it runs: nobody is lost or counted twice.

use std::collections::BTreeSet;

use super::bench::*;
use crate::{
    aggregate::report::Metric,
    plugin::{GroupBy, MetricsOptions, Naming, Plugin},
};

const ONE: Id = (10, SECOND + 100 * MS);
const TWO: Id = (11, SECOND + 200 * MS);
const NOW: u64 = 5 * SECOND;

/// Reload, then the scan that a pump does.
fn reload(bench: &mut Bench, plugins: Vec<Plugin>, living: &[(Id, &str)]) {
    bench.reload(plugins, NOW);
    for &(id, name) in living {
        bench.rematch(id, name, NOW);
    }
    bench.gone(&[], NOW);
}

#[test]
fn an_unchanged_service_does_not_notice() {
    let mut bench = Bench::of(100, vec![plugin("web", "^web$"), plugin("db", "^db$")]);
    bench.exec(ONE, ONE.1, "web", 100);
    bench.look(ONE, &seen(150, 0));
    let before = bench.report(4 * SECOND).services[0].clone();
    let all = [(ONE, "web"), (TWO, "db")];
    let more = vec![
        plugin("db", "^db$"),
        plugin("all", "."),
        plugin("web", "^web$"),
    ];
    bench.found(TWO, "db", 4 * SECOND);
    reload(&mut bench, more, &all);
    let services = bench.report(NOW).services;
    let after = services
        .iter()
        .find(|service| service.identity.plugin == "web");
    let after = after.unwrap();
    assert_eq!(before.identity, after.identity);
    let counters = |metrics: &[crate::aggregate::report::Metric]| {
        let counter = |metric: &&crate::aggregate::report::Metric| {
            metric.instrument == crate::aggregate::report::Instrument::Counter
        };
        metrics.iter().filter(counter).cloned().collect::<Vec<_>>()
    };
    assert_eq!(counters(&before.metrics), counters(&after.metrics));
    assert_eq!(bench.starts("web"), Some(1));
    // The new one has everybody, with all their life.
    assert_eq!(bench.pids("all"), [10, 11]);
    assert_eq!(bench.starts("all"), Some(0));
    bench.exit(ONE, NOW + MS, 0, 400);
    assert_eq!(bench.user("web"), Some(300));
    assert_eq!(bench.user("all"), Some(400));
}

#[test]
fn a_removed_service_ends_explicitly() {
    let mut bench = Bench::new();
    bench.exec(ONE, ONE.1, "web", 0);
    bench.event(&exit(ONE, 2 * SECOND, 0, cpu(5), 1));
    bench.exec(TWO, TWO.1, "web", 0);
    bench.look(TWO, &seen(100, 0));
    bench.report(3 * SECOND);
    bench.tick(4 * SECOND);
    let report = bench.reload(vec![plugin("db", "^db$")], NOW);
    let [last] = &report.services[..] else {
        panic!("{report:?}");
    };
    assert_eq!((last.process_count, &last.pids[..]), (0, &[][..]));
    assert!(last.metrics.is_empty());
    for metric in [
        "process.cpu.time",
        "process.memory.usage",
        "sensor.process.starts",
    ] {
        assert!(
            last.ended.iter().any(|ended| ended.name == metric),
            "{metric}"
        );
    }
    assert!(bench.report(NOW).services.is_empty());
    // What comes late finds nobody.
    bench.event(&late(ONE, NOW, 1, cpu(5)));
    bench.exit(TWO, NOW, 0, 500);
    // Again: it begins anew.
    bench.reload(vec![plugin("web", "^web$")], NOW);
    bench.exec((12, NOW), NOW, "web", 0);
    assert_eq!(
        (bench.pids("web"), bench.starts("web")),
        (vec![12], Some(1))
    );
}

#[test]
fn series_under_names_that_are_no_more_end_once() {
    let named = |naming, prefix| Plugin {
        metrics: MetricsOptions {
            naming,
            prefix,
            per_process_top: 1,
        },
        ..plugin("web", "^web$")
    };
    let names = |metrics: &[Metric]| -> BTreeSet<String> {
        metrics
            .iter()
            .map(|metric| metric.name.to_string())
            .collect()
    };
    let mut bench = Bench::of(100, vec![named(Naming::Semconv, false)]);
    bench.exec(ONE, ONE.1, "web", 0);
    bench.look(ONE, &seen(100, 0));
    let mut now = 3 * SECOND;
    let mut before = names(&bench.report(now).services[0].metrics);
    assert!(before.contains("process.cpu.time"));
    for plugin in [
        named(Naming::Both, false),
        named(Naming::Instana, false),
        named(Naming::Instana, true),
        named(Naming::Semconv, true),
    ] {
        now += SECOND;
        assert!(bench.reload(vec![plugin], now).services.is_empty());
        bench.gone(&[], now);
        bench.look(ONE, &seen(100, 0));
        now += SECOND;
        let report = bench.report(now).services.remove(0);
        let after = names(&report.metrics);
        // What is known of a rate differs between the first look and later.
        let ended: BTreeSet<String> = before.difference(&after).cloned().collect();
        let told = names(&report.ended);
        assert!(told.is_superset(&ended), "{ended:?} {told:?}");
        assert!(told.is_disjoint(&after), "{told:?}");
        assert!(bench.report(now + MS).services[0].ended.is_empty());
        before = after;
    }
    assert_eq!(bench.user("web"), Some(100));
}

#[test]
fn a_changed_pattern_moves_members_and_keeps_their_counts() {
    let mut bench = Bench::of(100, vec![plugin("web", "^web$")]);
    bench.exec(ONE, ONE.1, "web", 100);
    bench.exec(TWO, TWO.1, "db", 0);
    bench.look(ONE, &seen(250, 0));
    let all = [(ONE, "web"), (TWO, "db")];
    reload(&mut bench, vec![plugin("web", "^db$")], &all);
    assert_eq!(bench.pids("web"), [11]);
    bench.look(TWO, &seen(1_000, 0));
    assert_eq!(bench.user("web"), Some(150 + 1_000));
    // And back: what counted once does not count again.
    reload(&mut bench, vec![plugin("web", "^web$")], &all);
    assert_eq!(bench.pids("web"), [10]);
    assert_eq!(bench.user("web"), Some(150 + 1_000));
    bench.look(ONE, &seen(350, 0));
    assert_eq!(bench.user("web"), Some(250 + 1_000));
    for _ in 0..3 {
        reload(&mut bench, vec![plugin("web", "^x$")], &all);
        reload(&mut bench, vec![plugin("web", "^(web|db)$")], &all);
    }
    assert_eq!(bench.pids("web"), [10, 11]);
    assert_eq!(bench.user("web"), Some(250 + 1_000));
    bench.exit(ONE, NOW + MS, 0, 400);
    bench.exit(TWO, NOW + MS, 0, 1_100);
    assert_eq!(bench.user("web"), Some(300 + 1_100));
    assert_eq!(bench.starts("web"), Some(1));
    assert_eq!(bench.int("web", "sensor.process.exits"), Some(2));
}

#[test]
fn one_that_no_rule_has_changed_for_is_not_asked_again() {
    // Its name is another one by now; it was matched when it began.
    let mut bench = Bench::of(100, vec![plugin("web", "^web$")]);
    bench.exec(ONE, ONE.1, "web", 0);
    let both = vec![plugin("web", "^web$"), plugin("db", "^db$")];
    reload(&mut bench, both, &[(ONE, "changed")]);
    assert_eq!(bench.pids("web"), [10]);
    // One that nobody could look at stays, too.
    reload(&mut bench, vec![plugin("web", "^(web|x)$")], &[]);
    assert_eq!(bench.pids("web"), [10]);
}

#[test]
fn descent_survives_and_is_found_for_new_rules() {
    let tree = |name: &str, pattern: &str| Plugin {
        include_descendants: true,
        ..plugin(name, pattern)
    };
    let mut bench = Bench::of(100, vec![plugin("db", "^db$"), tree("tree", "^web$")]);
    bench.exec(ONE, ONE.1, "web", 0);
    bench.fork(ONE, TWO);
    bench.exec(TWO, TWO.1 + MS, "sh", 0);
    bench.exit(ONE, 2 * SECOND, 0, 0);
    // Its place is another one now.
    let plugins = vec![tree("tree", "^web$"), tree("sh", "^sh$")];
    reload(&mut bench, plugins, &[(TWO, "sh")]);
    let child = (12, NOW);
    bench.fork(TWO, child);
    bench.exec_below(TWO, child, NOW + MS, "x");
    assert_eq!(bench.pids("tree"), [11, 12]);
    assert_eq!(bench.pids("sh"), [11, 12]);
    let without = vec![plugin("tree", "^web$"), tree("x", "^(sh|nobody)$")];
    reload(&mut bench, without, &[(TWO, "sh"), (child, "x")]);
    assert!(bench.pids("tree").is_empty());
    assert_eq!(bench.pids("x"), [11, 12]);
}

#[test]
fn groups_are_counted_on() {
    let groups = |name: &str| Plugin {
        group_by: GroupBy::Executable,
        ..plugin(name, ".")
    };
    let mut bench = Bench::of(100, vec![groups("a")]);
    for pid in 10..14 {
        bench.exec((pid, SECOND), SECOND, &format!("p{pid}"), 0);
    }
    reload(&mut bench, vec![plugin("b", "x"), groups("a")], &[]);
    bench.exec((14, SECOND), NOW, "p14", 0);
    let report = bench.report(NOW);
    let groups: Vec<_> = report
        .services
        .iter()
        .map(|service| service.identity.group.as_deref().unwrap_or_default())
        .collect();
    assert_eq!(groups, ["other", "p10", "p11", "p12"]);
}
