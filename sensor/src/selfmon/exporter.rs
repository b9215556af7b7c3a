//! From the SDK into the queue of the exporter: one way out for everything,
//! with one set of retries, one TLS configuration.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
};
use prost::Message;

use crate::export::{ExporterHandle, otlp::Signal, wire::Batch};

pub(super) struct QueueExporter(pub(super) ExporterHandle);

impl PushMetricExporter for QueueExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let request = ExportMetricsServiceRequest::from(metrics);
        let batch = Batch {
            bytes: request.encode_to_vec().into(),
            records: metrics
                .scope_metrics()
                .map(|scope| scope.metrics().count() as u64)
                .sum(),
        };
        self.0.enqueue(Signal::Metrics, vec![batch]);
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}
