//! What the sensor says about itself: through the OpenTelemetry SDK, and out
//! through the same exporter as everything else.

mod exporter;
mod instruments;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
};

use self::exporter::QueueExporter;
use crate::{
    export::{ExporterHandle, HostResource},
    incident::transport::TransportStats,
    plugin::CacheUse,
    receiver::Received,
};

/// Everything that is told, as of the last tick.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Records received, by kind.
    pub received: [(&'static str, u64); 3],
    /// Records lost in the kernel, by kind.
    pub lost: [(&'static str, u64); 9],
    /// Records that could not be decoded.
    pub rejected: u64,
    /// Ends concluded after a loss.
    pub inferred: u64,
    /// Size of the ring and most bytes found waiting in it.
    pub ring: [(&'static str, u64); 2],
    /// Processes in the table, and those evicted from it.
    pub processes: u64,
    /// Processes evicted from the full table.
    pub evicted: u64,
    /// What caches hold and had to forget, by name.
    pub caches: Vec<(&'static str, CacheUse)>,
    /// Looks at members that were put off, because others took long.
    pub deferred: u64,
    /// Processes folded into the group `other`.
    pub folded: u64,
    /// /proc: reads, and failures by reason.
    pub proc_reads: u64,
    /// Failed reads of /proc, by reason.
    pub proc_failures: [(&'static str, u64); 5],
    /// How long the last collection took, s.
    pub collection_seconds: f64,
    /// Plugins' own metrics that could not be read.
    pub custom_failures: Vec<CustomFailures>,
    /// Incidents that were handed on, repeats counted.
    pub incidents: u64,
    /// Abnormal ends that found no room, by the stage that had none.
    pub incidents_dropped: [(&'static str, u64); 2],
    /// Where incidents go, and what became of them there.
    pub transports: Vec<TransportStats>,
    /// Incidents that no transport could be asked to take.
    pub homeless: u64,
    /// What applications reported; `None` where nothing is received.
    pub receiver: Option<Received>,
    /// Secrets masked.
    pub scrubbed: u64,
    /// Transactions of the store that were tried.
    pub store_writes: u64,
    /// Of these, failed.
    pub store_failures: u64,
    /// Log lines that could not be written.
    pub log_failures: u64,
    /// Runs and run time (ns) of each hook, where the kernel counts them.
    pub hooks: Vec<(&'static str, u64, u64)>,
    /// Own CPU time, s.
    pub cpu_seconds: f64,
    /// Own resident memory, bytes.
    pub rss_bytes: u64,
}

/// Failures of one metric of a plugin's own, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomFailures {
    /// Name of the plugin.
    pub plugin: Arc<str>,
    /// Name of the metric.
    pub metric: String,
    /// Why there was no number.
    pub reason: &'static str,
    /// How often.
    pub count: u64,
}

/// The meters and their shared figures.
pub struct Telemetry {
    provider: SdkMeterProvider,
    figures: Arc<Mutex<Figures>>,
}

impl Telemetry {
    /// Tells every `interval` through the exporter.
    #[must_use]
    pub fn start(exporter: ExporterHandle, host: &HostResource, interval: Duration) -> Self {
        let figures = Arc::new(Mutex::new(Figures::default()));
        let reader = PeriodicReader::builder(QueueExporter(exporter.clone()))
            .with_interval(interval)
            .build();
        let provider = SdkMeterProvider::builder()
            .with_reader(reader)
            .with_resource(resource(host))
            .build();
        instruments::register(&provider, &figures, exporter);
        Self { provider, figures }
    }

    /// Renews the figures.
    pub fn update(&self, figures: Figures) {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner) = figures;
    }

    /// Tells the last figures and ends.
    pub fn shutdown(self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::debug!("own telemetry: {error}");
        }
    }
}

fn resource(host: &HostResource) -> Resource {
    let mut attributes = vec![
        KeyValue::new("service.name", "sensor"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", host.agent_instance_id.to_string()),
        KeyValue::new("host.name", host.host_name.clone()),
        KeyValue::new("os.type", "linux"),
    ];
    if let Some(id) = &host.host_id {
        attributes.push(KeyValue::new("host.id", id.clone()));
    }
    Resource::builder_empty()
        .with_attributes(attributes)
        .build()
}

/// CPU time (s) and resident memory (bytes) of this process.
#[must_use]
pub fn own_cost(proc: &mut crate::procfs::Proc) -> (f64, u64) {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let cpu = usage.tv_sec as f64 + usage.tv_nsec as f64 / 1e9;
    let pages = proc
        .statm(std::process::id())
        .map_or(0, |statm| statm.resident_pages);
    (
        cpu,
        crate::collect::Scale::of_kernel().pages_to_bytes(pages),
    )
}
