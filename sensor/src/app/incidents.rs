//! The stage that makes incidents, connected to what a command does with them.

use std::sync::{Arc, mpsc};

use jiff::tz::TimeZone;
use uuid::Uuid;

use super::setup::Stop;
use crate::{
    aggregate::registry::Spec,
    config::Config,
    engine::Engine,
    exit::Exit,
    export::{ExporterHandle, Prompter},
    incident::{
        follow::Paths,
        log::LogOptions,
        record::Incident,
        stage::{self, Sink, Stage},
    },
    plugin::GroupBy,
};

/// Starts the stage.
///
/// # Errors
///
/// Where there can be no more threads.
pub fn start(
    _config: &Config,
    engine: &Engine,
    window: Option<std::time::Duration>,
    sink: Sink,
) -> Result<Stage, Stop> {
    Stage::start(stage::Config {
        window,
        scrubber: engine.scrubber(),
        logs: LogOptions {
            zone: TimeZone::system(),
            seed: Uuid::now_v7().as_u64_pair().1,
            ..LogOptions::default()
        },
        sink,
    })
    .map_err(|error| Stop::new(Exit::Software, error.to_string()))
}

/// The log files of the plugins and whose they are.
#[must_use]
pub fn paths(specs: &[Spec]) -> Vec<Paths> {
    let specs = specs.iter().filter(|spec| spec.logs.enabled);
    let named = specs.filter(|spec| !spec.logs.paths.is_empty());
    named
        .map(|spec| {
            let name = spec.name.to_string();
            // Nobody knows which group of processes wrote a line.
            let service = match spec.group_by {
                GroupBy::None => name.into(),
                _ => Arc::clone(&spec.plugin),
            };
            Paths {
                patterns: spec.logs.paths.clone(),
                services: vec![service],
            }
        })
        .collect()
}

/// Incidents go into the queue of log records, and where that survives, are
/// written at once: they may not wait for the end of an interval.
#[must_use]
pub fn exporting(exporter: ExporterHandle, prompter: Option<Prompter>) -> Sink {
    Box::new(move |incidents| {
        exporter.enqueue_incidents(&incidents);
        if let Some(prompter) = &prompter {
            prompter.write_accepted();
        }
    })
}

/// Incidents that come back to whoever prints them, each by itself.
pub struct Incidents {
    stage: Stage,
    made: mpsc::Receiver<Vec<Incident>>,
    /// Ends whose incident has not come back.
    awaited: u64,
    dropped: u64,
}

impl Incidents {
    /// Starts the stage.
    ///
    /// # Errors
    ///
    /// Where there can be no more threads.
    pub fn start(config: &Config, engine: &Engine) -> Result<Self, Stop> {
        let (send, made) = mpsc::channel();
        // Where nobody listens any more, there is nothing to say.
        let sink: Sink = Box::new(move |incidents| drop(send.send(incidents)));
        Ok(Self {
            stage: start(config, engine, None, sink)?,
            made,
            awaited: 0,
            dropped: 0,
        })
    }

    /// Takes what the engine has put down.
    pub fn take(&mut self, engine: &mut Engine) {
        let ended = engine.take_ended();
        self.awaited += ended.len() as u64;
        self.stage.take(ended);
        let dropped = self.stage.dropped();
        self.awaited = self.awaited.saturating_sub(dropped - self.dropped);
        self.dropped = dropped;
    }

    /// What has come back since the last time.
    pub fn made(&mut self) -> Vec<Incident> {
        let made: Vec<Incident> = self.made.try_iter().flatten().collect();
        self.awaited = self.awaited.saturating_sub(made.len() as u64);
        made
    }

    /// Whether anything is still to come back.
    #[must_use]
    pub fn awaits(&self) -> bool {
        self.awaited > 0
    }

    /// Ends the stage; the rest of it.
    #[must_use]
    pub fn finish(self) -> Vec<Incident> {
        self.stage.finish();
        self.made.try_iter().flatten().collect()
    }
}
