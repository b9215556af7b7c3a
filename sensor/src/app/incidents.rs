//! The stage that makes incidents, connected to what a command does with them.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use jiff::tz::TimeZone;
use uuid::Uuid;

use super::{
    keeping::Waiting,
    setup::{self, Stop},
};
use crate::{
    aggregate::registry::Spec,
    config::Config,
    engine::Engine,
    exit::Exit,
    export::{HostResource, otlp::Otlp},
    incident::{
        context::Gatherer,
        follow::{Paths, Position},
        log::LogOptions,
        record::Incident,
        stage::{self, Sink, Stage},
        transport::{Outlet, OutletConfig, OutletError, Parcel, Surroundings},
    },
    plugin::GroupBy,
    scrub::Scrubber,
};

/// Starts the stage.
///
/// # Errors
///
/// Where a log format of the configuration cannot be compiled, or there can be
/// no more threads.
pub fn start(
    config: &Config,
    window: Option<Duration>,
    context: &[&str],
    positions: Vec<Position>,
    sink: Sink,
) -> Result<Stage, Stop> {
    Stage::start(stage::Config {
        window,
        context: Gatherer::new(context),
        logs: LogOptions {
            formats: setup::formats(config)?,
            zone: TimeZone::system(),
            seed: Uuid::now_v7().as_u64_pair().1,
            ..LogOptions::default()
        },
        positions,
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

/// Starts the transports of incidents.
///
/// # Errors
///
/// Every problem of the files that they name.
pub fn outlet(
    config: &Config,
    otlp: Option<Otlp>,
    host: HostResource,
    waiting: Option<&Waiting>,
) -> Result<Outlet, Stop> {
    let (shelf, waiting) = waiting.cloned().unzip();
    let surroundings = Surroundings { otlp, host, shelf };
    let waiting = waiting.unwrap_or_default();
    Outlet::start(OutletConfig::of(config, surroundings, waiting)).map_err(|error| match error {
        OutletError::Settings(lines) => Stop {
            exit: Exit::Config,
            lines,
        },
        error @ OutletError::Thread(_) => Stop::new(Exit::Software, error.to_string()),
    })
}

/// Incidents go out by their transports.
#[must_use]
pub fn sending(outlet: Outlet, scrubber: Arc<Scrubber>) -> Sink {
    Box::new(move |incidents| {
        for incident in incidents {
            outlet.offer(&Parcel::of(incident, &scrubber));
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
    /// As [`start`].
    pub fn start(config: &Config, engine: &Engine) -> Result<Self, Stop> {
        let (send, made) = mpsc::channel();
        // Where nobody listens any more, there is nothing to say.
        let scrubber = engine.scrubber();
        let sink: Sink = Box::new(move |mut incidents| {
            for incident in &mut incidents {
                incident.scrub(&scrubber);
            }
            drop(send.send(incidents));
        });
        Ok(Self {
            stage: start(config, None, &[], Vec::new(), sink)?,
            made,
            awaited: 0,
            dropped: 0,
        })
    }

    /// Takes what the engine has put down.
    pub fn take(&mut self, engine: &mut Engine) {
        self.stage.watch(engine.take_joined());
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
        let _ = self.stage.finish();
        self.made.try_iter().flatten().collect()
    }
}
