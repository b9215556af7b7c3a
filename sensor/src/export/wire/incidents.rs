//! Incidents as OTLP log records.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, any_value},
    logs::v1::LogRecord,
};

use super::{logs::wire_value, text};
use crate::incident::record::Incident;

/// The event name of every incident.
pub const EVENT_NAME: &str = "sensor.incident";

/// One incident as a record. Its body is what reported it, else the exception
/// in one line, else the cause.
pub(super) fn log_record(incident: &Incident) -> LogRecord {
    let mut attributes = vec![text("log.record.uid", incident.id.to_string())];
    let own = incident.attributes().into_iter();
    attributes.extend(own.map(|(key, value)| super::key_value(&key, wire_value(value))));
    LogRecord {
        time_unix_nano: incident.time.unwrap_or_default(),
        observed_time_unix_nano: incident.observed,
        severity_number: incident.severity.number.into(),
        severity_text: severity_text(incident),
        body: incident.headline().map(|body| AnyValue {
            value: Some(any_value::Value::StringValue(body)),
        }),
        attributes,
        event_name: EVENT_NAME.to_owned(),
        ..Default::default()
    }
}

/// As it stood in the line, else the number's name (logs data model).
fn severity_text(incident: &Incident) -> String {
    let given = incident.severity.text.clone();
    given.unwrap_or_else(|| {
        let name = match incident.severity.number {
            21.. => "FATAL",
            17..=20 => "ERROR",
            _ => "",
        };
        name.to_owned()
    })
}
