//! Reports and events with known content.

use std::sync::Arc;

use sensor::{
    aggregate::report::{
        AttributeValue, HistogramValue, Instrument, Metric, Overview, Point, PointValue, Report,
        ServiceIdentity, ServiceReport,
    },
    export::HostResource,
    process::event::{Arguments, End, ExitDetail, ProcessEvent, Subject, What},
    units::{BootNanos, WallNanos},
};
use uuid::Uuid;

/// The moment of every sample.
pub const TIME: WallNanos = WallNanos(1_767_323_045_000_000_006);
/// The moment from which its sums count.
pub const START: WallNanos = WallNanos(1_767_323_040_000_000_000);

/// A host that is not the one of the test.
#[must_use]
pub fn host() -> HostResource {
    HostResource {
        host_name: "till-7.example".to_owned(),
        host_id: Some("0123456789abcdef0123456789abcdef".to_owned()),
        agent_instance_id: Uuid::from_u128(0xa9e7),
    }
}

/// One service with a metric of every instrument.
#[must_use]
pub fn report(service: &str) -> Report {
    let identity = ServiceIdentity {
        name: service.to_owned(),
        namespace: "shop".to_owned(),
        instance_id: Uuid::from_u128(7),
        description: None,
        version: Some("1.2".to_owned()),
        plugin: "till".to_owned(),
        group: Some("/usr/bin/till".to_owned()),
        attributes: vec![("deployment.environment".to_owned(), "production".to_owned())],
    };
    Report {
        time: TIME,
        services: vec![ServiceReport {
            identity: Arc::new(identity),
            process_count: 2,
            pids: vec![41, 42],
            overview: Overview::default(),
            top: Vec::new(),
            metrics: metrics(),
            own: 0..0,
            ended: Vec::new(),
        }],
    }
}

fn metrics() -> Vec<Metric> {
    let metric = |name: &'static str, unit: &'static str, instrument, points| Metric {
        name: name.into(),
        unit: unit.into(),
        description: "A sample.".into(),
        instrument,
        points,
    };
    let mode = |mode: &'static str, seconds| Point {
        attributes: vec![("cpu.mode", AttributeValue::Text(mode.into()))],
        start: Some(START),
        value: PointValue::Double(seconds),
    };
    vec![
        metric(
            "process.cpu.time",
            "s",
            Instrument::Counter,
            vec![mode("user", 1.25), mode("system", 0.5)],
        ),
        metric(
            "sensor.process.exits",
            "{process}",
            Instrument::Counter,
            vec![Point {
                attributes: vec![("process.exit.code", AttributeValue::Int(3))],
                start: Some(START),
                value: PointValue::Int(17),
            }],
        ),
        metric(
            "process.memory.usage",
            "By",
            Instrument::UpDownCounter,
            vec![Point {
                attributes: Vec::new(),
                start: Some(START),
                value: PointValue::Int(8_388_608),
            }],
        ),
        metric(
            "process.uptime",
            "s",
            Instrument::Gauge,
            vec![Point {
                attributes: Vec::new(),
                start: None,
                value: PointValue::Double(4.75),
            }],
        ),
        metric(
            "sensor.process.lifetime",
            "s",
            Instrument::ExponentialHistogram,
            vec![Point {
                attributes: Vec::new(),
                start: Some(START),
                value: PointValue::Histogram(Box::new(HistogramValue {
                    count: 6,
                    sum: 12.5,
                    min: Some(0.0),
                    max: Some(4.0),
                    scale: 0,
                    zero_count: 1,
                    offset: -1,
                    counts: vec![1, 0, 4],
                })),
            }],
        ),
    ]
}

/// Data points in [`report`].
pub const POINTS: u64 = 6;

/// An exec of a process and its exit with code 3; `number` is part of the
/// pid, the arguments and the record ids.
#[must_use]
pub fn events(number: u32) -> Vec<ProcessEvent> {
    let process = Subject {
        pid: 1_000_000 + number,
        parent_pid: Some(1),
        creation_time: START,
        start: BootNanos(5_000_000_000),
        executable_path: Some(Arc::from(&b"/usr/bin/till"[..])),
        args: Some(Arc::new(Arguments {
            args: vec![b"till".to_vec(), format!("--number={number}").into_bytes()],
            truncated: false,
        })),
        user_id: Some(33),
        cgroup: Some(Arc::from("/system.slice/till.service")),
    };
    let detail = ExitDetail {
        end: Some(End::Code(3)),
        cpu_ns: Some(200_000),
        peak_rss_bytes: Some(1_048_576),
        threads: Some(2),
        ..ExitDetail::default()
    };
    let event = |kind: u128, what| ProcessEvent {
        uid: Uuid::from_u128(u128::from(number) * 16 + kind),
        time: TIME,
        process: process.clone(),
        services: vec![Arc::from("till")],
        what,
        inferred: false,
    };
    vec![event(1, What::Exec), event(2, What::Exit(Box::new(detail)))]
}
