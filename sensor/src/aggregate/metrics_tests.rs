//! Every metric against figures worked out by hand.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::{
    aggregate::{
        report::{AttributeValue, Instrument, Metric, PROCESS_PID, PointValue, ServiceIdentity},
        service::{Look, Member},
    },
    collect::Reading,
    plugin::{custom_check::RESERVED, display_name},
    procfs::Comm,
    units::ProcessKey,
};

const SECOND: u64 = 1_000_000_000;
/// The wall clock is so far ahead of the boot clock.
const AHEAD: u64 = 1_000 * SECOND;
const ALL: MetricsOptions = MetricsOptions {
    naming: Naming::Both,
    prefix: false,
    per_process_top: 0,
};

struct Bench {
    service: Service,
    options: MetricsOptions,
    now: u64,
}

fn key(pid: u32, start: u64) -> ProcessKey {
    ProcessKey {
        pid,
        start: BootNanos(start),
    }
}

/// Figures that differ from each other; CPU in ns.
fn reading(pid: u32, user: u64, system: u64) -> Reading {
    let times = u64::from(pid);
    Reading {
        pid,
        start_ticks: 0,
        comm: Comm::new(b"x"),
        state: b'S',
        ppid: 1,
        cpu_user_ns: user,
        cpu_system_ns: system,
        rss_bytes: times * 4096,
        vms_bytes: times * 16384,
        read_bytes: Some(times * 512),
        write_bytes: Some(times * 1024),
        rchar: None,
        wchar: None,
        voluntary: Some(times * 3),
        involuntary: Some(times * 5),
        minor_faults: times * 7,
        major_faults: times * 11,
        threads: times,
        fds: Some(times * 2),
        runqueue_ns: Some(times * SECOND),
    }
}

impl Bench {
    fn new(options: MetricsOptions) -> Self {
        let identity = ServiceIdentity {
            name: "Shop.Till".to_owned(),
            namespace: "Shop".to_owned(),
            instance_id: Uuid::from_u128(1),
            description: None,
            version: None,
            plugin: "till".to_owned(),
            group: None,
            attributes: Vec::new(),
        };
        Self {
            service: Service::new(Arc::new(identity), WallNanos(AHEAD + 7)),
            options,
            now: 10 * SECOND,
        }
    }

    /// A member that a scan found.
    fn join(&mut self, pid: u32) {
        let member = Member::scanned(key(pid, u64::from(pid) * SECOND));
        self.service.members.insert(pid, Box::new(member));
    }

    fn look(&mut self, reading: &Reading) {
        let key = self.service.members[&reading.pid].key;
        self.service
            .look(key, &Look::Seen(Arc::new(reading.clone())));
    }

    /// Reports `seconds` after the last time.
    fn report(&mut self, seconds: u64) -> ServiceReport {
        self.now += seconds * SECOND;
        let now = Moment {
            boot: BootNanos(self.now),
            wall: WallNanos(self.now + AHEAD),
            memory_bytes: Some(100 * 4096),
        };
        let style = Style {
            options: self.options,
            service_id: "shop_till",
            sight: Sight::Events,
            scheduler: true,
            name_of: &|pid| (pid != 4).then(|| format!("till-{pid}")),
        };
        report(&mut self.service, now, style)
    }
}

fn metric<'a>(report: &'a ServiceReport, name: &str) -> Option<&'a Metric> {
    report.metrics.iter().find(|metric| metric.name == name)
}

/// The one value of a metric of the service.
fn value(report: &ServiceReport, name: &str) -> Option<PointValue> {
    let points = &metric(report, name)?.points;
    assert_eq!(points.len(), 1, "{points:?}");
    assert!(points[0].attributes.is_empty());
    Some(points[0].value.clone())
}

fn int(value: i64) -> Option<PointValue> {
    Some(PointValue::Int(value))
}

fn double(value: f64) -> Option<PointValue> {
    Some(PointValue::Double(value))
}

/// Two members, of 1 and 3 threads and so on, looked at twice.
fn two(options: MetricsOptions) -> (Bench, ServiceReport, ServiceReport) {
    let mut bench = Bench::new(options);
    bench.join(1);
    bench.join(3);
    bench.look(&reading(1, SECOND, 0));
    bench.look(&reading(3, 0, 7 * SECOND));
    let first = bench.report(0);
    // In four seconds: 2 s user and 1 s system, and 0.5 s user.
    bench.look(&reading(1, 3 * SECOND, SECOND));
    bench.look(&reading(3, SECOND / 2, 7 * SECOND));
    let second = bench.report(4);
    (bench, first, second)
}

#[test]
fn the_sixteen_legacy_metrics() {
    let (_, first, report) = two(ALL);
    let expected = [
        // (3 / 4 + 0.5 / 4) / 2 of one CPU.
        ("cpu_usage", double(43.75)),
        // (1 + 3) / 2 pages of 100.
        ("memory_usage", double(2.0)),
        ("process_count", int(2)),
        ("thread_count", int(4)),
        ("disk_read_bytes", int(4 * 512)),
        ("disk_write_bytes", int(4 * 1024)),
        ("open_file_descriptors", int(8)),
        ("voluntary_ctx_switches", int(12)),
        ("nonvoluntary_ctx_switches", int(20)),
        ("avg_threads_per_process", double(2.0)),
        ("max_threads_per_process", int(3)),
        ("min_threads_per_process", int(1)),
        ("cpu_user_time_total", double(3.5)),
        ("cpu_system_time_total", double(8.0)),
        ("memory_rss_total", int(4 * 4096)),
        ("memory_vms_total", int(4 * 16384)),
    ];
    assert_eq!(expected.len(), legacy::METRICS.len());
    for (name, expected) in expected {
        assert_eq!(value(&report, name), expected, "{name}");
        // A rate takes two looks (contract S7).
        assert_eq!(value(&first, name).is_some(), name != "cpu_usage", "{name}");
    }
}

#[test]
fn legacy_metrics_have_their_instruments_units_and_display_names() {
    let (_, _, report) = two(ALL);
    for (name, unit, instrument, description) in legacy::METRICS {
        let metric = metric(&report, name).unwrap();
        assert_eq!((&*metric.unit, metric.instrument), (unit, instrument));
        assert_eq!(metric.description, display_name(name));
        assert_eq!(description, display_name(name));
        let gauge = instrument == Instrument::Gauge;
        let start = metric.points[0].start;
        assert_eq!(start, (!gauge).then_some(WallNanos(AHEAD + 7)), "{name}");
    }
}

#[test]
fn naming_and_prefix_choose_the_names() {
    let names = |naming, prefix| {
        let (_, _, report) = two(MetricsOptions {
            naming,
            prefix,
            ..ALL
        });
        let names = report.metrics.iter();
        names
            .map(|metric| metric.name.to_string())
            .collect::<Vec<_>>()
    };
    let legacy: Vec<String> = legacy::METRICS
        .iter()
        .map(|(name, ..)| (*name).to_owned())
        .collect();
    let prefixed: Vec<String> = legacy
        .iter()
        .map(|name| format!("shop_till.{name}"))
        .collect();
    let semconv = names(Naming::Semconv, false);
    assert_eq!(names(Naming::Semconv, true), semconv);
    assert_eq!(names(Naming::Instana, false), legacy);
    assert_eq!(names(Naming::Instana, true), prefixed);
    assert_eq!(
        names(Naming::Both, false),
        [semconv.clone(), legacy].concat()
    );
    assert_eq!(names(Naming::Both, true), [semconv, prefixed].concat());
}

#[test]
fn no_plugin_may_take_a_name_of_the_sensor() {
    let (_, _, report) = two(ALL);
    for metric in &report.metrics {
        assert!(RESERVED.contains(&&*metric.name), "{}", metric.name);
    }
}

#[test]
fn what_is_unknown_of_one_member_is_absent_and_not_zero() {
    let (mut bench, ..) = two(ALL);
    let mut hidden = reading(3, SECOND, 7 * SECOND);
    hidden.read_bytes = None;
    hidden.fds = None;
    bench.look(&hidden);
    let report = bench.report(1);
    for (name, known) in [
        ("disk_read_bytes", false),
        ("open_file_descriptors", false),
        ("disk_write_bytes", true),
        ("cpu_usage", true),
    ] {
        assert_eq!(value(&report, name).is_some(), known, "{name}");
    }
    let three = bench.service.members[&3].key;
    bench.service.look(three, &Look::Closed);
    let report = bench.report(1);
    let names = report.metrics.iter().map(|metric| &*metric.name);
    let legacy = names.filter(|name| !name.contains("process."));
    assert_eq!(legacy.collect::<Vec<_>>(), ["process_count"]);
    assert_eq!(value(&report, "process_count"), int(2));
    // Back again: the time in between is no rate of this interval.
    bench.look(&reading(3, 9 * SECOND, 7 * SECOND));
    assert_eq!(value(&bench.report(1), "cpu_usage"), None);
    bench.look(&reading(3, 10 * SECOND, 7 * SECOND));
    assert_eq!(value(&bench.report(1), "cpu_usage"), double(50.0));
}

#[test]
fn without_memory_size_there_is_no_share() {
    let mut bench = Bench::new(ALL);
    bench.join(1);
    bench.look(&reading(1, 0, 0));
    let now = Moment {
        boot: BootNanos(SECOND),
        wall: WallNanos(SECOND),
        memory_bytes: None,
    };
    let style = Style {
        options: ALL,
        service_id: "",
        sight: Sight::Scans,
        scheduler: true,
        name_of: &|_| None,
    };
    let report = report(&mut bench.service, now, style);
    assert_eq!(value(&report, "memory_usage"), None);
    assert_eq!(value(&report, "memory_rss_total"), int(4096));
}

#[test]
fn with_the_last_member_counters_stay_and_the_number_is_zero() {
    let (mut bench, ..) = two(ALL);
    bench.service.leave(1, None);
    bench.service.leave(3, None);
    let report = bench.report(1);
    assert_eq!(value(&report, "process_count"), int(0));
    for (name, _, instrument, _) in legacy::METRICS {
        let stays = instrument == Instrument::Counter || name == "process_count";
        assert_eq!(value(&report, name).is_some(), stays, "{name}");
    }
    assert_eq!(value(&report, "cpu_user_time_total"), double(3.5));
}

#[test]
fn usage_is_the_mean_over_those_who_are_there() {
    let (mut bench, ..) = two(ALL);
    // One ends after a busy second; one that worked for an hour is found.
    bench.look(&reading(3, 3 * SECOND / 2, 7 * SECOND));
    bench.service.leave(3, None);
    bench.join(2);
    bench.look(&reading(2, 3_600 * SECOND, 0));
    bench.look(&reading(1, 4 * SECOND, SECOND));
    let report = bench.report(2);
    assert_eq!(value(&report, "cpu_usage"), double(25.0));
    // The service used all of it.
    let utilization = &metric(&report, "process.cpu.utilization").unwrap().points[0];
    assert_eq!(utilization.value, PointValue::Double(1.0));
}

#[test]
fn no_rate_is_over_a_time_of_a_few_ticks() {
    let (mut bench, ..) = two(ALL);
    // Within the next 20 ms a tick was seen: 25 % of one CPU, by the look of it.
    bench.look(&reading(1, 3 * SECOND + 10_000_000, SECOND));
    bench.now += 20_000_000;
    let usage = |report: &ServiceReport| match value(report, "cpu_usage") {
        Some(PointValue::Double(usage)) => usage,
        other => panic!("{other:?}"),
    };
    let close = |usage: f64, expected: f64| assert!((usage - expected).abs() < 1e-9, "{usage}");
    // 3 s and 0.5 s in the four seconds before, and the tick.
    close(usage(&bench.report(0)), 100.0 * 3.51 / 4.02 / 2.0);
    // It is from the last proper report that the next one goes on.
    bench.look(&reading(1, 4 * SECOND, SECOND));
    bench.now -= 20_000_000;
    close(usage(&bench.report(2)), 100.0 * 1.0 / 2.0 / 2.0);
}

fn top(number: usize) -> MetricsOptions {
    MetricsOptions {
        naming: Naming::Semconv,
        per_process_top: number,
        prefix: false,
    }
}

fn pids(report: &ServiceReport) -> Vec<u32> {
    report.top.iter().map(|member| member.pid).collect()
}

/// The points of one member, by metric.
fn of_member(report: &ServiceReport, pid: u32) -> Vec<(&Metric, &crate::aggregate::report::Point)> {
    let who = (PROCESS_PID, AttributeValue::Int(i64::from(pid)));
    let metrics = report.metrics.iter();
    metrics
        .flat_map(|metric| metric.points.iter().map(move |point| (metric, point)))
        .filter(|(_, point)| point.attributes.contains(&who))
        .collect()
}

#[test]
fn the_largest_members_lead_by_life_first_and_then_by_what_they_do_now() {
    let mut bench = Bench::new(top(2));
    for (pid, cpu) in [(1, 10), (2, 90), (3, 50), (4, 20)] {
        bench.join(pid);
        bench.look(&reading(pid, cpu * SECOND, 0));
    }
    assert_eq!(pids(&bench.report(0)), [2, 3]);
    bench.look(&reading(4, 22 * SECOND, 0));
    bench.look(&reading(1, 10 * SECOND, SECOND));
    assert_eq!(pids(&bench.report(5)), [4, 1]);
    // Nobody does anything: by life again.
    assert_eq!(pids(&bench.report(5)), [2, 3]);
    let two = bench.service.members[&2].key;
    bench.service.look(two, &Look::Closed);
    assert_eq!(pids(&bench.report(5)), [3, 4], "who is closed has no rank");
    bench.service.leave(3, None);
    assert_eq!(pids(&bench.report(5)), [4, 1]);
    for number in [1, 4, 100] {
        bench.options = top(number);
        assert_eq!(bench.report(5).top.len(), number.min(2));
    }
}

#[test]
fn series_of_a_member_are_its_own_life() {
    let mut bench = Bench::new(top(5));
    // It joined by exec after 2 s of CPU time as something else.
    let mut base = [Some(0); crate::aggregate::service::COUNTERS];
    base[crate::aggregate::service::counter::USER] = Some(2 * SECOND);
    let member = Member::new(key(3, 3 * SECOND), base);
    bench.service.members.insert(3, Box::new(member));
    bench.look(&reading(3, 5 * SECOND, SECOND));
    bench.report(0);
    bench.look(&reading(3, 6 * SECOND, SECOND));
    let report = bench.report(2);
    let points = of_member(&report, 3);
    let find = |name: &str| {
        let found = points.iter().filter(|(metric, _)| metric.name == name);
        found.map(|(_, point)| *point).collect::<Vec<_>>()
    };
    let user = find("process.cpu.time")[0];
    assert_eq!(user.value, PointValue::Double(6.0));
    assert_eq!(user.start, Some(WallNanos(AHEAD + 3 * SECOND)), "its birth");
    assert_eq!(
        user.attributes,
        [
            ("cpu.mode", AttributeValue::Text("user".into())),
            (PROCESS_PID, AttributeValue::Int(3)),
            (
                "process.creation.time",
                AttributeValue::Text("1970-01-01T00:16:43.000000000Z".into())
            ),
            (
                "process.executable.name",
                AttributeValue::Text("till-3".into())
            ),
        ]
    );
    let one = |name: &str| find(name)[0].value.clone();
    assert_eq!(one("process.cpu.utilization"), PointValue::Double(0.5));
    assert_eq!(one("process.memory.usage"), PointValue::Int(3 * 4096));
    assert_eq!(one("process.disk.io"), PointValue::Int(3 * 512));
    assert_eq!(one("process.uptime"), PointValue::Double(9.0));
    assert_eq!(find("process.context_switches").len(), 2);
    // The service counts from the exec, and has no such point twice.
    let time = &metric(&report, "process.cpu.time").unwrap().points;
    assert_eq!(time.len(), 4);
    assert_eq!(time[0].value, PointValue::Double(4.0));
    assert_eq!(time[0].start, Some(WallNanos(AHEAD + 7)));
    assert!(find("sensor.process.count").is_empty());
}

#[test]
fn legacy_series_of_a_member_have_no_figures_over_members() {
    let mut bench = Bench::new(MetricsOptions {
        naming: Naming::Instana,
        prefix: true,
        per_process_top: 1,
    });
    bench.join(4);
    bench.join(1);
    bench.look(&reading(4, SECOND, 0));
    bench.look(&reading(1, 0, 0));
    bench.report(0);
    bench.look(&reading(4, 2 * SECOND, SECOND));
    let report = bench.report(4);
    let points = of_member(&report, 4);
    let names: Vec<_> = points.iter().map(|(metric, _)| &*metric.name).collect();
    let none = ["process_count", "avg_", "max_", "min_"];
    let expected = legacy::METRICS
        .iter()
        .filter(|(name, ..)| !none.iter().any(|none| name.starts_with(none)))
        .map(|(name, ..)| format!("shop_till.{name}"));
    assert_eq!(names, expected.collect::<Vec<_>>());
    assert_eq!(points[0].1.value, PointValue::Double(50.0));
    // Its name is not known.
    assert_eq!(points[0].1.attributes.len(), 2);
    // That of the service is over both.
    let usage = &metric(&report, "shop_till.cpu_usage").unwrap().points;
    assert_eq!(usage[0].value, PointValue::Double(25.0));
}
