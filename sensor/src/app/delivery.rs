//! The exporter on a thread of its own, so that the engine never waits for
//! the network.

use std::{
    io,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{runtime, sync::oneshot};

use super::{hooks::chain, keeping::Waiting, setup::Stop};
use crate::{
    aggregate::report::Report,
    config::{Config, Origin, OtlpSettings},
    exit::Exit,
    export::{
        self, Exporter, ExporterConfig, ExporterHandle, HostResource,
        otlp::{ConfigError, Otlp, OtlpConfig},
    },
    privilege,
};

/// The running exporter.
pub struct Delivery {
    /// The engine's end.
    pub exporter: ExporterHandle,
    stop: oneshot::Sender<Duration>,
    thread: JoinHandle<()>,
}

impl Delivery {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Where settings contradict each other, files are missing, or the thread
    /// cannot be started.
    pub fn start(
        otlp: Otlp,
        config: &Config,
        host: HostResource,
        waiting: Option<Waiting>,
    ) -> Result<Self, Stop> {
        let fault = |error: io::Error| Stop::new(Exit::Software, error.to_string());
        let runtime = runtime().map_err(fault)?;
        let max_bytes = usize::try_from(config.queue.max_bytes).unwrap_or(usize::MAX);
        let survives = waiting.is_some();
        let exporter_config = ExporterConfig {
            queue_max_bytes: max_bytes,
            queue_max_age: config.queue.max_age,
            shelf: waiting,
            ..ExporterConfig::new(otlp)
        };
        let exporter = Exporter::start(exporter_config, host, runtime.handle());
        let (stop, stopped) = oneshot::channel();
        let handle = exporter.clone();
        let thread = thread::Builder::new()
            .name("export".to_owned())
            .spawn(move || {
                privilege::confine_thread(&[]);
                runtime.block_on(async move {
                    if let Ok(limit) = stopped.await {
                        let left = handle.shutdown(limit).await;
                        let items = left.metrics.queue_items + left.logs.queue_items;
                        if items > 0 {
                            let fate = if survives {
                                "wait in the store"
                            } else {
                                "are lost"
                            };
                            tracing::warn!("{items} requests, not delivered in time, {fate}");
                        }
                    }
                });
                // A resolver that hangs must not keep the sensor from ending.
                runtime.shutdown_background();
            })
            .map_err(fault)?;
        Ok(Self {
            exporter,
            stop,
            thread,
        })
    }

    /// Sends what waits, for `limit` at most.
    pub fn shutdown(self, limit: Duration) {
        let _ = self.stop.send(limit);
        let _ = self.thread.join();
    }
}

/// Sends one report, one try.
///
/// # Errors
///
/// The line to say.
pub fn send_once(otlp: &Otlp, host: &HostResource, report: &Report) -> Result<(), String> {
    let runtime = runtime().map_err(|error| error.to_string())?;
    let sent = runtime.block_on(export::send_once(otlp, host, report));
    runtime.shutdown_background();
    sent.map_err(|error| error.to_string())
}

/// The settings, checked against the files they name.
///
/// # Errors
///
/// Every problem.
pub fn checked(settings: &OtlpSettings) -> Result<Otlp, Stop> {
    let told = |error: &ConfigError| {
        let mut line = chain(error);
        // Where a variable sets it, the file that the remedy means is not read.
        let by_variable = settings
            .origins
            .iter()
            .find(|(key, origin)| **origin == Origin::Environment && line.contains(**key));
        if let Some((key, _)) = by_variable {
            line.push_str(&format!(" (an environment variable sets {key})"));
        }
        line
    };
    OtlpConfig::from(settings.clone())
        .check()
        .map_err(|errors| Stop {
            exit: Exit::Config,
            lines: errors.iter().map(told).collect(),
        })
}

/// A runtime on the calling thread.
///
/// # Errors
///
/// Where the kernel gives it no descriptors.
pub fn runtime() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}
