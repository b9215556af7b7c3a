use std::sync::Arc;

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest},
    metrics::v1::metric::Data,
};
use prost::Message;
use uuid::Uuid;

use super::*;
use crate::{
    aggregate::report::{Instrument, Metric, Overview, Point, PointValue, Report, ServiceReport},
    process::event::{Arguments, ProcessEvent, Subject, What},
    units::{BootNanos, WallNanos},
};

fn host() -> HostResource {
    HostResource {
        host_name: "h".to_owned(),
        host_id: None,
        agent_instance_id: Uuid::from_u128(1),
    }
}

fn service(name: &str, points: usize) -> ServiceReport {
    let point = Point {
        attributes: Vec::new(),
        start: Some(WallNanos(1)),
        value: PointValue::Int(5),
    };
    ServiceReport {
        identity: Arc::new(ServiceIdentity {
            name: name.to_owned(),
            namespace: String::new(),
            instance_id: Uuid::from_u128(2),
            description: None,
            version: Some("plugin".to_owned()),
            plugin: "p".to_owned(),
            group: None,
            attributes: Vec::new(),
        }),
        process_count: 0,
        pids: Vec::new(),
        overview: Overview::default(),
        top: Vec::new(),
        own: 0..0,
        metrics: vec![Metric {
            name: "sensor.process.starts".into(),
            unit: "{process}".into(),
            description: "".into(),
            instrument: Instrument::Counter,
            points: vec![point; points],
        }],
        ended: Vec::new(),
    }
}

fn report(services: Vec<ServiceReport>) -> Report {
    Report {
        time: WallNanos(2),
        services,
    }
}

fn event(argument: Vec<u8>) -> ProcessEvent {
    ProcessEvent {
        uid: Uuid::from_u128(3),
        time: WallNanos(4),
        process: Subject {
            pid: 7,
            parent_pid: None,
            creation_time: WallNanos(4),
            start: BootNanos(4),
            executable_path: None,
            args: Some(Arc::new(Arguments {
                args: vec![argument],
                truncated: false,
            })),
            user_id: None,
            cgroup: None,
        },
        services: Vec::new(),
        what: What::Exec,
        inferred: false,
    }
}

fn shown(attributes: &[KeyValue]) -> Vec<(&str, &str)> {
    attributes
        .iter()
        .map(|attribute| {
            let value = attribute.value.as_ref().and_then(|v| v.value.as_ref());
            match value {
                Some(any_value::Value::StringValue(text)) => (attribute.key.as_str(), &**text),
                other => panic!("{other:?}"),
            }
        })
        .collect()
}

#[test]
fn unknown_is_absent_and_the_plugin_may_set_its_version_alone() {
    let mut identity = (*service("s", 0).identity).clone();
    for (key, value) in [
        ("service.version", "own"),
        ("service.name", "stolen"),
        ("host.name", "stolen"),
        ("team", "blue"),
        ("team", "twice"),
    ] {
        identity.attributes.push((key.to_owned(), value.to_owned()));
    }
    assert_eq!(
        shown(&service_resource(&identity, &host()).attributes),
        [
            ("service.name", "s"),
            (
                "service.instance.id",
                "00000000-0000-0000-0000-000000000002"
            ),
            ("host.name", "h"),
            ("os.type", "linux"),
            ("service.version", "own"),
            ("team", "blue"),
        ]
    );
}

#[test]
fn a_service_without_points_is_not_sent() {
    let request = metrics_request(&report(vec![service("a", 0), service("b", 1)]), &host());
    assert_eq!(request.resource_metrics.len(), 1);
    assert!(metric_batches(&report(vec![service("a", 0)]), &host(), 1000).is_empty());
    assert!(log_batches(&[], &host(), 1000).is_empty());
}

#[test]
fn a_large_report_is_several_requests_in_order() {
    let names: Vec<String> = (0..100).map(|number| format!("s{number:03}")).collect();
    let services = names.iter().map(|name| service(name, 50)).collect();
    let limit = 10_000;
    let batches = metric_batches(&report(services), &host(), limit);
    assert!(batches.len() > 10, "{}", batches.len());
    let mut sent = Vec::new();
    for batch in &batches {
        assert!(batch.bytes.len() <= limit);
        let request = ExportMetricsServiceRequest::decode(batch.bytes.clone()).unwrap();
        assert_eq!(batch.records, request.resource_metrics.len() as u64 * 50);
        for resource in &request.resource_metrics {
            let resource = resource.resource.as_ref().unwrap();
            sent.push(shown(&resource.attributes)[0].1.to_owned());
        }
    }
    assert_eq!(sent, names);
}

#[test]
fn many_events_are_several_requests_and_a_huge_one_has_its_own() {
    let limit = 10_000;
    let mut events = vec![event(vec![b'a'; 1000]); 20];
    events.insert(5, event(vec![b'b'; 20_000]));
    let batches = log_batches(&events, &host(), limit);
    let total: u64 = batches.iter().map(|batch| batch.records).sum();
    assert_eq!(total, 21);
    let mut arguments = Vec::new();
    for batch in &batches {
        assert!(batch.bytes.len() <= limit || batch.records == 1);
        let request = ExportLogsServiceRequest::decode(batch.bytes.clone()).unwrap();
        let records = &request.resource_logs[0].scope_logs[0].log_records;
        assert_eq!(records.len() as u64, batch.records);
        for record in records {
            assert_eq!(record.event_name, "process.exec");
            arguments.push(record.encoded_len() > 20_000);
        }
    }
    assert_eq!(arguments.iter().position(|huge| *huge), Some(5));
}

#[test]
fn a_series_that_ends_has_no_value_and_says_so() {
    let mut ended = service("till", 0);
    ended.metrics[0].points = service("till", 1).metrics[0].points.clone();
    ended.ended = std::mem::take(&mut ended.metrics);
    let request = metrics_request(&report(vec![ended]), &host());
    let metric = &request.resource_metrics[0].scope_metrics[0].metrics[0];
    let Some(Data::Sum(sum)) = &metric.data else {
        panic!("no sum");
    };
    assert_eq!(sum.data_points[0].value, None);
    assert_eq!(sum.data_points[0].flags, 1);
}
