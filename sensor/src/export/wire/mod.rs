//! The only place that knows OTLP: core types in, protobuf messages out.
//!
//! Names and meanings follow the OpenTelemetry semantic conventions 1.44 and
//! opentelemetry-proto 1.x.

mod batch;
mod logs;
mod metrics;
#[cfg(test)]
mod tests;

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
};

use super::host::HostResource;
use crate::aggregate::report::ServiceIdentity;

pub use batch::{Batch, MAX_REQUEST_BYTES, log_batches, metric_batches};
pub use logs::{incident_request, logs_request};
pub use metrics::metrics_request;

/// The semantic conventions that names and attributes follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Instrumentation scope of everything that is exported.
fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "sensor".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Default::default()
    }
}

/// The Resource of one service and group. Attributes of the plugin come last
/// and replace nothing but `service.version` (contract P8).
fn service_resource(identity: &ServiceIdentity, host: &HostResource) -> Resource {
    const VERSION: &str = "service.version";
    let own_version = identity.attributes.iter().any(|(key, _)| key == VERSION);
    let version = identity.version.clone().filter(|_| !own_version);

    let mut attributes = Vec::with_capacity(9 + identity.attributes.len());
    attributes.push(text("service.name", identity.name.clone()));
    if !identity.namespace.is_empty() {
        attributes.push(text("service.namespace", identity.namespace.clone()));
    }
    attributes.push(text(
        "service.instance.id",
        identity.instance_id.to_string(),
    ));
    attributes.extend(version.map(|version| text(VERSION, version)));
    attributes.extend(
        identity
            .group
            .clone()
            .map(|group| text("sensor.group", group)),
    );
    host_attributes(host, &mut attributes);
    for (key, value) in &identity.attributes {
        if !attributes.iter().any(|known| known.key == *key) {
            attributes.push(text(key, value.clone()));
        }
    }
    resource(attributes)
}

/// The Resource of what the sensor itself observes.
fn agent_resource(host: &HostResource) -> Resource {
    let mut attributes = vec![
        text("service.name", "sensor".to_owned()),
        text("service.instance.id", host.agent_instance_id.to_string()),
        text("service.version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    host_attributes(host, &mut attributes);
    resource(attributes)
}

fn host_attributes(host: &HostResource, attributes: &mut Vec<KeyValue>) {
    attributes.push(text("host.name", host.host_name.clone()));
    attributes.extend(host.host_id.clone().map(|id| text("host.id", id)));
    attributes.push(text("os.type", "linux".to_owned()));
}

fn resource(attributes: Vec<KeyValue>) -> Resource {
    Resource {
        attributes,
        ..Default::default()
    }
}

fn text(key: &str, value: String) -> KeyValue {
    key_value(key, any_value::Value::StringValue(value))
}

fn key_value(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}
