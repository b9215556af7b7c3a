//! Process events as OTLP log records.

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, ArrayValue, any_value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
};

use super::{SCHEMA_URL, agent_resource, key_value, scope, text};
use crate::{
    export::host::HostResource,
    process::event::{ProcessEvent, Value},
};

/// All events under one Resource, that of the sensor on this host; the
/// services that watch a process are an attribute of its record.
#[must_use]
pub fn logs_request(events: &[ProcessEvent], host: &HostResource) -> ExportLogsServiceRequest {
    request(events.iter().map(log_record).collect(), host)
}

pub(super) fn request(records: Vec<LogRecord>, host: &HostResource) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(agent_resource(host)),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope()),
                log_records: records,
                schema_url: SCHEMA_URL.to_owned(),
            }],
            schema_url: SCHEMA_URL.to_owned(),
        }],
    }
}

pub(super) fn log_record(event: &ProcessEvent) -> LogRecord {
    let mut attributes = vec![text("log.record.uid", event.uid.to_string())];
    attributes.extend(
        event
            .attributes()
            .into_iter()
            .map(|(key, value)| key_value(key, wire_value(value))),
    );
    LogRecord {
        time_unix_nano: event.time.0,
        // What originates in OpenTelemetry is observed when it happens (logs
        // data model); the kernel's stamp is the sensor's own.
        observed_time_unix_nano: event.time.0,
        severity_number: SeverityNumber::Info.into(),
        severity_text: "INFO".to_owned(),
        attributes,
        event_name: event.name().to_owned(),
        ..Default::default()
    }
}

pub(super) fn wire_value(value: Value) -> any_value::Value {
    match value {
        Value::Text(text) => any_value::Value::StringValue(text),
        Value::Int(number) => any_value::Value::IntValue(number),
        Value::Bool(flag) => any_value::Value::BoolValue(flag),
        Value::List(texts) => any_value::Value::ArrayValue(ArrayValue {
            values: texts
                .into_iter()
                .map(|text| AnyValue {
                    value: Some(any_value::Value::StringValue(text)),
                })
                .collect(),
        }),
    }
}
