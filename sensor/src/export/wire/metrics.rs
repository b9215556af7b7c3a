//! Reports as OTLP metrics.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, DataPointFlags, ExponentialHistogram,
        ExponentialHistogramDataPoint, Gauge, Metric as WireMetric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, exponential_histogram_data_point::Buckets,
        metric::Data, number_data_point,
    },
};

use super::{SCHEMA_URL, key_value, scope, service_resource};
use crate::{
    aggregate::report::{
        AttributeValue, HistogramValue, Instrument, Metric, Point, PointValue, Report,
        ServiceReport,
    },
    export::host::HostResource,
    units::WallNanos,
};

/// One `ResourceMetrics` a service and group. Services without a single point
/// are left out; without any the request is empty and need not be sent.
#[must_use]
pub fn metrics_request(report: &Report, host: &HostResource) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: report
            .services
            .iter()
            .filter_map(|service| resource_metrics(service, report.time, host))
            .collect(),
    }
}

fn resource_metrics(
    service: &ServiceReport,
    time: WallNanos,
    host: &HostResource,
) -> Option<ResourceMetrics> {
    let ended = service
        .ended
        .iter()
        .map(|metric| wire_metric(metric, time, Mark::End));
    let metrics: Vec<WireMetric> = service
        .metrics
        .iter()
        .filter(|metric| !metric.points.is_empty())
        .map(|metric| wire_metric(metric, time, Mark::Value))
        .chain(ended)
        .collect();
    (!metrics.is_empty()).then(|| ResourceMetrics {
        resource: Some(service_resource(&service.identity, host)),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(scope()),
            metrics,
            schema_url: SCHEMA_URL.to_owned(),
        }],
        schema_url: SCHEMA_URL.to_owned(),
    })
}

/// Whether a point has a value or says that the series has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Value,
    End,
}

fn wire_metric(metric: &Metric, time: WallNanos, mark: Mark) -> WireMetric {
    let cumulative = AggregationTemporality::Cumulative.into();
    let numbers = || {
        metric
            .points
            .iter()
            .filter_map(|point| number(point, time, mark))
            .collect()
    };
    let sum = |is_monotonic| {
        Data::Sum(Sum {
            data_points: numbers(),
            aggregation_temporality: cumulative,
            is_monotonic,
        })
    };
    let data = match metric.instrument {
        Instrument::Counter => sum(true),
        Instrument::UpDownCounter => sum(false),
        Instrument::Gauge => Data::Gauge(Gauge {
            data_points: numbers(),
        }),
        Instrument::ExponentialHistogram => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: metric
                .points
                .iter()
                .filter_map(|point| histogram(point, time, mark))
                .collect(),
            aggregation_temporality: cumulative,
        }),
    };
    WireMetric {
        name: metric.name.to_string(),
        description: metric.description.to_string(),
        unit: metric.unit.to_string(),
        metadata: Vec::new(),
        data: Some(data),
    }
}

fn number(point: &Point, time: WallNanos, mark: Mark) -> Option<NumberDataPoint> {
    let value = match point.value {
        PointValue::Int(value) => number_data_point::Value::AsInt(value),
        PointValue::Double(value) => number_data_point::Value::AsDouble(value),
        // A histogram under a number's instrument has no place on the wire.
        PointValue::Histogram(_) => return None,
    };
    Some(NumberDataPoint {
        attributes: attributes(point),
        start_time_unix_nano: start(point),
        time_unix_nano: time.0,
        exemplars: Vec::new(),
        flags: match mark {
            Mark::Value => 0,
            Mark::End => DataPointFlags::NoRecordedValueMask as u32,
        },
        value: (mark == Mark::Value).then_some(value),
    })
}

fn histogram(point: &Point, time: WallNanos, mark: Mark) -> Option<ExponentialHistogramDataPoint> {
    let PointValue::Histogram(value) = &point.value else {
        return None;
    };
    // Destructured, so that a new field cannot be forgotten here.
    let HistogramValue {
        count,
        sum,
        min,
        max,
        scale,
        zero_count,
        offset,
        counts,
    } = &**value;
    if mark == Mark::End {
        return Some(ExponentialHistogramDataPoint {
            attributes: attributes(point),
            start_time_unix_nano: start(point),
            time_unix_nano: time.0,
            flags: DataPointFlags::NoRecordedValueMask as u32,
            ..ExponentialHistogramDataPoint::default()
        });
    }
    Some(ExponentialHistogramDataPoint {
        attributes: attributes(point),
        start_time_unix_nano: start(point),
        time_unix_nano: time.0,
        count: *count,
        sum: Some(*sum),
        scale: *scale,
        zero_count: *zero_count,
        positive: Some(Buckets {
            offset: *offset,
            bucket_counts: counts.clone(),
        }),
        negative: None,
        flags: 0,
        exemplars: Vec::new(),
        min: *min,
        max: *max,
        zero_threshold: 0.0,
    })
}

/// 0 is "unknown" on the wire, which is right for a gauge.
fn start(point: &Point) -> u64 {
    point.start.map_or(0, |start| start.0)
}

fn attributes(point: &Point) -> Vec<KeyValue> {
    point
        .attributes
        .iter()
        .map(|(key, value)| {
            let value = match value {
                AttributeValue::Text(value) => any_value::Value::StringValue(value.to_string()),
                AttributeValue::Int(value) => any_value::Value::IntValue(*value),
            };
            key_value(key, value)
        })
        .collect()
}
