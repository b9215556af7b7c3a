//! Encoded requests of a size that collectors take.

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    logs::v1::LogRecord,
    metrics::v1::{ResourceMetrics, metric::Data},
};
use prost::Message;

use super::{logs, metrics_request};
use crate::{aggregate::report::Report, export::host::HostResource, process::event::ProcessEvent};

/// Largest request, before compression, that is made where the content can be
/// divided: half of the 4 MiB that gRPC servers take by default.
pub const MAX_REQUEST_BYTES: usize = 2 * 1024 * 1024;

/// One encoded request and how much is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// An encoded `Export…ServiceRequest`.
    pub bytes: Bytes,
    /// Data points or log records in it.
    pub records: u64,
}

/// A report as requests of at most `max_bytes` each, in its order. One
/// service is not divided, so a request may be larger where a service is.
#[must_use]
pub fn metric_batches(report: &Report, host: &HostResource, max_bytes: usize) -> Vec<Batch> {
    pack(metrics_request(report, host).resource_metrics, max_bytes)
        .into_iter()
        .map(|resource_metrics| Batch {
            records: resource_metrics.iter().map(points).sum(),
            bytes: ExportMetricsServiceRequest { resource_metrics }
                .encode_to_vec()
                .into(),
        })
        .collect()
}

/// Events as requests of at most `max_bytes` each, in their order; a record
/// that is larger has a request of its own.
#[must_use]
pub fn log_batches(events: &[ProcessEvent], host: &HostResource, max_bytes: usize) -> Vec<Batch> {
    requests(
        events.iter().map(logs::log_record).collect(),
        host,
        max_bytes,
    )
}

fn requests(records: Vec<LogRecord>, host: &HostResource, max_bytes: usize) -> Vec<Batch> {
    pack(records, max_bytes)
        .into_iter()
        .map(|records| Batch {
            records: records.len() as u64,
            bytes: logs::request(records, host).encode_to_vec().into(),
        })
        .collect()
}

/// Tag and length before each element, and what surrounds them once.
const ELEMENT_OVERHEAD: usize = 8;
const REQUEST_OVERHEAD: usize = 1024;

fn pack<M: Message>(messages: Vec<M>, max_bytes: usize) -> Vec<Vec<M>> {
    let budget = max_bytes.saturating_sub(REQUEST_OVERHEAD);
    let mut packs: Vec<Vec<M>> = Vec::new();
    let mut room = 0;
    for message in messages {
        let size = message.encoded_len() + ELEMENT_OVERHEAD;
        match packs.last_mut() {
            Some(pack) if size <= room => {
                pack.push(message);
                room -= size;
            }
            _ => {
                packs.push(vec![message]);
                room = budget.saturating_sub(size);
            }
        }
    }
    packs
}

fn points(resource: &ResourceMetrics) -> u64 {
    let metrics = resource
        .scope_metrics
        .iter()
        .flat_map(|scope| &scope.metrics);
    let count: usize = metrics
        .map(|metric| match &metric.data {
            Some(Data::Gauge(data)) => data.data_points.len(),
            Some(Data::Sum(data)) => data.data_points.len(),
            Some(Data::Histogram(data)) => data.data_points.len(),
            Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
            Some(Data::Summary(data)) => data.data_points.len(),
            None => 0,
        })
        .sum();
    count as u64
}
