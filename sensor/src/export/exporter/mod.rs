//! The export task: takes reports and events from the engine, keeps them
//! while the collector is away, and sends them in order.

mod lane;
pub(crate) mod worker;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use super::{
    host::HostResource,
    keeper::Shelf,
    otlp::{Otlp, Sender, Signal},
    wire::{self, Batch, MAX_REQUEST_BYTES},
};
use crate::{aggregate::report::Report, process::event::ProcessEvent, store::Indexed};

pub use lane::{Lane, SignalStats};

/// What the exporter needs to run.
#[derive(Debug, Clone)]
pub struct ExporterConfig {
    /// Where and how.
    pub otlp: Otlp,
    /// Most bytes that may wait for the collector; half for each signal, so
    /// that a flood of events does not push out metrics.
    pub queue_max_bytes: usize,
    /// How long a request may wait for the collector.
    pub queue_max_age: Duration,
    /// Where requests survive, and which did; without it they live in memory.
    pub shelf: Option<(Arc<Shelf>, Vec<Indexed>)>,
}

impl ExporterConfig {
    /// 64 MiB of queue in memory, for a day.
    #[must_use]
    pub fn new(otlp: Otlp) -> Self {
        Self {
            otlp,
            queue_max_bytes: 64 * 1024 * 1024,
            queue_max_age: Duration::from_secs(24 * 3_600),
            shelf: None,
        }
    }
}

/// Starts the export stage.
pub struct Exporter;

impl Exporter {
    /// Starts one task a signal on the runtime, which needs I/O and time. It
    /// connects when there is something to send.
    #[must_use]
    pub fn start(config: ExporterConfig, host: HostResource, runtime: &Handle) -> ExporterHandle {
        let (stop, stopped) = watch::channel(None);
        let mut tasks = Vec::new();
        let mut lane = |signal| {
            let sender = Sender::new(&config.otlp, signal)?;
            let lane = Lane::new(
                signal.number(),
                config.queue_max_bytes / 2,
                config.queue_max_age,
            );
            let lane = Arc::new(match &config.shelf {
                Some((shelf, waiting)) => lane.with_shelf(shelf, waiting),
                None => lane,
            });
            tasks.push(runtime.spawn(worker::run(
                Arc::clone(&lane),
                worker::Goods {
                    name: signal.name(),
                    records: signal.records(),
                },
                sender,
                stopped.clone(),
            )));
            Some(lane)
        };
        let metrics = lane(Signal::Metrics);
        let logs = lane(Signal::Logs);
        ExporterHandle {
            shared: Arc::new(Shared {
                host,
                metrics,
                logs,
                stop,
                tasks: Mutex::new(tasks),
            }),
        }
    }
}

/// The engine's end of the exporter. The tasks end when the last clone is
/// gone; what waits then is lost unless [`shutdown`](Self::shutdown) was
/// called.
#[derive(Clone)]
pub struct ExporterHandle {
    shared: Arc<Shared>,
}

struct Shared {
    host: HostResource,
    /// `None`: the signal has no endpoint.
    metrics: Option<Arc<Lane>>,
    logs: Option<Arc<Lane>>,
    /// The moment at which draining ends, once it has begun.
    stop: watch::Sender<Option<Instant>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the exporter did and what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Reports.
    pub metrics: SignalStats,
    /// Events.
    pub logs: SignalStats,
}

impl ExporterHandle {
    /// Encodes a report and queues it. Never waits: where the queue is full,
    /// the oldest is dropped and counted. A signal without an endpoint is
    /// passed over.
    pub fn enqueue_metrics(&self, report: &Report) {
        if let Some(lane) = &self.shared.metrics {
            lane.push(wire::metric_batches(
                report,
                &self.shared.host,
                MAX_REQUEST_BYTES,
            ));
        }
    }

    /// Encodes events and queues them, as [`enqueue_metrics`](Self::enqueue_metrics).
    pub fn enqueue_logs(&self, events: &[ProcessEvent]) {
        if let Some(lane) = &self.shared.logs {
            lane.push(wire::log_batches(
                events,
                &self.shared.host,
                MAX_REQUEST_BYTES,
            ));
        }
    }

    /// Queues requests that are encoded already.
    pub fn enqueue(&self, signal: Signal, batches: Vec<Batch>) {
        let lane = match signal {
            Signal::Metrics => &self.shared.metrics,
            Signal::Logs => &self.shared.logs,
        };
        if let Some(lane) = lane {
            lane.push(batches);
        }
    }

    /// The queues, for whoever writes them down.
    #[must_use]
    pub fn lanes(&self) -> Vec<Arc<Lane>> {
        let lanes = [&self.shared.metrics, &self.shared.logs];
        lanes.into_iter().flatten().map(Arc::clone).collect()
    }

    /// The counters and the queue as they are now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let of = |lane: &Option<Arc<Lane>>| lane.as_ref().map(|lane| lane.stats());
        Stats {
            metrics: of(&self.shared.metrics).unwrap_or_default(),
            logs: of(&self.shared.logs).unwrap_or_default(),
        }
    }

    /// Sends what waits, for `limit` at most; a signal whose collector fails
    /// meanwhile is given up at once. What is left shows in the result.
    pub async fn shutdown(&self, limit: Duration) -> Stats {
        let deadline = Instant::now() + limit;
        self.shared.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert(deadline);
            first
        });
        let tasks = std::mem::take(
            &mut *self
                .shared
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for task in tasks {
            let abort = task.abort_handle();
            if timeout_at(deadline, task).await.is_err() {
                abort.abort();
            }
        }
        self.stats()
    }
}
