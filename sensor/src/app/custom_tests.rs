//! Custom metrics of real processes, through the registry.

use std::time::Duration;

use super::*;
use crate::{
    aggregate::{
        metrics::{Moment, Sight},
        registry::Spec,
        report::{PointValue, ServiceReport},
        service::Member,
    },
    plugin::{
        Aggregate, CustomMetric, Find, GroupBy, Instrument, LogsOptions, MetricsOptions, Plugin,
        Scale, ServiceIndex,
    },
    process::table::{Process as Known, Program, start_of_ticks},
    procfs::testing::Process,
    units::{BootNanos, WallNanos},
};

fn metric(name: &str, file: &str, field: &str) -> CustomMetric {
    CustomMetric {
        name: name.to_owned(),
        file: file.to_owned(),
        find: Find::Field(field.to_owned()),
        unit: "1".to_owned(),
        scale: Scale::new(1.0),
        instrument: Instrument::UpDownCounter,
        aggregate: Aggregate::Sum,
    }
}

fn registry(metrics: &[CustomMetric]) -> Registry {
    let spec = Spec {
        plugin: "app".into(),
        name: Plugin::host().services[0].name.clone(),
        namespace: String::new(),
        pattern: String::new(),
        description: None,
        version: None,
        attributes: Vec::new(),
        group_by: GroupBy::None,
        max_groups: 1,
        interval: Duration::from_secs(1),
        events: false,
        scheduler: false,
        capture_args: false,
        logs: LogsOptions::default(),
        metrics: MetricsOptions::default(),
        custom: CustomSet::new("app", metrics).0,
    };
    Registry::new(vec![spec], String::new())
}

fn join(registry: &mut Registry, pid: u32, start_ticks: u64) {
    let process = Known {
        outputs: Default::default(),
        key: ProcessKey {
            pid,
            start: start_of_ticks(start_ticks),
        },
        exact: false,
        parent: None,
        program: Program::default(),
        user: None,
        cgroup: None,
        earlier_peak_pages: None,
        services: Arc::default(),
        lineage: Arc::default(),
        former: Vec::new(),
        scanned: None,
        unexecuted: false,
    };
    let id = registry.service_of(ServiceIndex(0), &process, WallNanos(1));
    let member = Member::scanned(process.key);
    registry.get_mut(id).members.insert(pid, Box::new(member));
}

fn value(registry: &mut Registry, name: &str) -> Option<PointValue> {
    let now = Moment {
        boot: BootNanos(1),
        wall: WallNanos(1),
        memory_bytes: None,
    };
    let report = registry.report(&[true], now, Sight::Scans, &|_| None);
    let own = |service: &ServiceReport| {
        let mut own = service.metrics[service.own.clone()].iter();
        let found = own.find(|metric| metric.name == name)?;
        Some(found.points[0].value.clone())
    };
    report.services.first().and_then(own)
}

#[test]
fn of_living_members_and_of_the_host_with_failures_counted() {
    let metrics = [
        metric("app.threads", "/proc/{pid}/status", "Threads"),
        metric("app.nothing", "/proc/{pid}/status", "Nothing"),
        metric("app.total", "/proc/meminfo", "MemTotal"),
        metric("app.gone", "/proc/no-such-file", "x"),
    ];
    let mut registry = registry(&metrics);
    let mut proc = Proc::open().unwrap();
    let mut reader = CustomReader::default();
    let mut processes = [Process::sleep(), Process::sleep()];
    for process in &processes {
        let ticks = proc.stat(process.pid()).unwrap().start_ticks;
        join(&mut registry, process.pid(), ticks);
    }
    // Another process has the pid of a third one by now.
    let me = std::process::id();
    let ticks = proc.stat(me).unwrap().start_ticks;
    join(&mut registry, me, ticks + 1);
    let threads = |number| Some(PointValue::Int(number));
    for (living, round) in [(2, 1), (2, 2), (1, 3)] {
        if living == 1 {
            processes[0].end();
        }
        reader.collect(&mut proc, &mut registry, &[true]);
        assert_eq!(value(&mut registry, "app.threads"), threads(living));
        let kibibytes = proc.memory_total_bytes().unwrap() / 1024;
        let total = i64::try_from(kibibytes).unwrap();
        assert_eq!(
            value(&mut registry, "app.total"),
            Some(PointValue::Int(total))
        );
        assert_eq!(value(&mut registry, "app.nothing"), None);
        let failures = reader.failures();
        let shown: Vec<_> = failures
            .iter()
            .map(|one| (&*one.plugin, &*one.metric, one.reason, one.count))
            .collect();
        let nothing = if round < 3 { 2 * round } else { 5 };
        assert_eq!(
            shown,
            [
                ("app", "app.gone", "no_file", round),
                ("app", "app.nothing", "not_found", nothing),
            ]
        );
    }
    assert!(registry.custom_work(&[false]).is_empty(), "what is not due");
}

#[test]
fn a_plugin_without_any_has_nothing_to_read() {
    let mut registry = registry(&[]);
    let mut proc = Proc::open().unwrap();
    join(&mut registry, std::process::id(), 1);
    let reads = proc.counts().reads;
    CustomReader::default().collect(&mut proc, &mut registry, &[true]);
    assert_eq!(proc.counts().reads, reads);
}
