//! The JSON lines that are a contract (architecture.md, "Command line").

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value as Json, json};

use crate::{
    aggregate::report::{
        AttributeValue, HistogramValue, Metric, Point, PointValue, Report, ServiceReport,
    },
    process::event::{ProcessEvent, Value},
};

/// One event as one object; keys as in otel.md.
pub struct EventLine<'a>(pub &'a ProcessEvent);

impl Serialize for EventLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(event) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event.name", event.name())?;
        map.serialize_entry("time_unix_nano", &event.time.0)?;
        for (key, value) in event.attributes() {
            match value {
                Value::Text(text) => map.serialize_entry(key, &text)?,
                Value::Int(int) => map.serialize_entry(key, &int)?,
                Value::Bool(bool) => map.serialize_entry(key, &bool)?,
                Value::List(list) => map.serialize_entry(key, &list)?,
            }
        }
        map.serialize_entry("log.record.uid", &event.uid)?;
        map.end()
    }
}

/// One report as one object; `pids` adds the members' thread group ids.
#[must_use]
pub fn report(report: &Report, pids: bool) -> Json {
    let services: Vec<Json> = report
        .services
        .iter()
        .map(|one| service(one, pids))
        .collect();
    json!({ "time_unix_nano": report.time.0, "services": services })
}

fn service(service: &ServiceReport, pids: bool) -> Json {
    let identity = &service.identity;
    let mut object = Map::new();
    let mut put = |key: &str, value: Json| object.insert(key.to_owned(), value);
    put("service.name", identity.name.as_str().into());
    put("service.namespace", identity.namespace.as_str().into());
    put(
        "service.instance.id",
        identity.instance_id.to_string().into(),
    );
    put("plugin", identity.plugin.as_str().into());
    put(
        "group",
        identity.group.as_deref().unwrap_or_default().into(),
    );
    put("process_count", service.process_count.into());
    if pids {
        put("pids", service.pids.clone().into());
    }
    put("metrics", service.metrics.iter().map(metric).collect());
    Json::Object(object)
}

fn metric(metric: &Metric) -> Json {
    json!({
        "name": metric.name,
        "unit": metric.unit,
        "kind": metric.instrument.name(),
        "points": metric.points.iter().map(point).collect::<Vec<_>>(),
    })
}

fn point(point: &Point) -> Json {
    let attributes: Map<String, Json> = point
        .attributes
        .iter()
        .map(|(key, value)| {
            let value = match value {
                AttributeValue::Text(text) => Json::from(text.as_ref()),
                AttributeValue::Int(int) => Json::from(*int),
            };
            ((*key).to_owned(), value)
        })
        .collect();
    let mut object = match &point.value {
        PointValue::Int(int) => json!({ "value": int }),
        PointValue::Double(double) => json!({ "value": double }),
        PointValue::Histogram(value) => histogram(value),
    };
    object["attributes"] = Json::Object(attributes);
    object
}

fn histogram(value: &HistogramValue) -> Json {
    let mut object = json!({
        "count": value.count,
        "sum": value.sum,
        "scale": value.scale,
        "zero_count": value.zero_count,
        "positive": { "offset": value.offset, "counts": value.counts },
    });
    if let (Some(min), Some(max)) = (value.min, value.max) {
        object["min"] = min.into();
        object["max"] = max.into();
    }
    object
}
