//! Process events as OTLP log records.

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, ArrayValue, KeyValueList, any_value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
};
use prost::Message;
use serde_json::{Map, Value as Json};

use super::{SCHEMA_URL, agent_resource, key_value, scope, text};
use crate::{
    export::host::HostResource,
    incident::record::EVENT_NAME,
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

/// An incident as one request: the keys of its JSON are attributes, but for
/// what a log record has a place for, and for what only the JSON has.
#[must_use]
pub fn incident_request(incident: &Map<String, Json>, host: &HostResource) -> Bytes {
    let record = incident_record(incident);
    request(vec![record], host).encode_to_vec().into()
}

fn incident_record(incident: &Map<String, Json>) -> LogRecord {
    let mut record = LogRecord {
        event_name: EVENT_NAME.to_owned(),
        ..Default::default()
    };
    for (key, value) in incident {
        match key.as_str() {
            "time_unix_nano" => record.time_unix_nano = value.as_u64().unwrap_or_default(),
            "observed_time_unix_nano" => {
                record.observed_time_unix_nano = value.as_u64().unwrap_or_default();
            }
            "severity_number" => {
                let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
                record.severity_number = number.unwrap_or_default();
            }
            "severity_text" => record.severity_text = value.as_str().unwrap_or_default().to_owned(),
            "body" => record.body = any_value(value),
            // The stack trace says it as text.
            "language" | "frames" | "causes" => {}
            _ => {
                if let Some(AnyValue { value: Some(value) }) = any_value(value) {
                    record.attributes.push(key_value(key, value));
                }
            }
        }
    }
    if let Some(id) = incident.get("sensor.incident.id").and_then(Json::as_str) {
        let uid = text("log.record.uid", id.to_owned());
        record.attributes.insert(0, uid);
    }
    if record.body.is_none() {
        record.body = headline(incident).map(|text| any_text(&text));
    }
    if record.severity_text.is_empty() {
        let name = match record.severity_number {
            21.. => "FATAL",
            17..=20 => "ERROR",
            _ => "",
        };
        record.severity_text = name.to_owned();
    }
    record
}

/// What stands for the message of a log line where there was none: the
/// exception in one line, else the cause.
fn headline(incident: &Map<String, Json>) -> Option<String> {
    let text = |key: &str| incident.get(key).and_then(Json::as_str);
    let exception = [text("exception.type"), text("exception.message")];
    let exception: Vec<&str> = exception.into_iter().flatten().collect();
    let line = match exception.is_empty() {
        true => text("sensor.incident.cause")?.to_owned(),
        false => exception.join(": "),
    };
    line.lines().next().map(str::to_owned)
}

fn any_text(text: &str) -> AnyValue {
    AnyValue {
        value: Some(any_value::Value::StringValue(text.to_owned())),
    }
}

fn any_value(value: &Json) -> Option<AnyValue> {
    let value = match value {
        Json::Null => return None,
        Json::Bool(flag) => any_value::Value::BoolValue(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(number) => any_value::Value::IntValue(number),
            None => any_value::Value::DoubleValue(number.as_f64()?),
        },
        Json::String(text) => any_value::Value::StringValue(text.clone()),
        Json::Array(values) => any_value::Value::ArrayValue(ArrayValue {
            values: values.iter().filter_map(any_value).collect(),
        }),
        Json::Object(map) => any_value::Value::KvlistValue(KeyValueList {
            values: map
                .iter()
                .filter_map(|(key, value)| Some(key_value(key, any_value(value)?.value?)))
                .collect(),
        }),
    };
    Some(AnyValue { value: Some(value) })
}

fn wire_value(value: Value) -> any_value::Value {
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
