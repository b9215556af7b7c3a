//! The metrics of one service: whose names, what of single members, and what
//! the plugin adds.

use super::{
    figures::Figures,
    legacy,
    report::{Overview, ServiceReport},
    semconv,
    series::Builder,
    service::Service,
    top::Top,
};
use crate::{
    plugin::{MetricsOptions, Naming},
    units::{BootNanos, WallNanos},
};

/// The moment of a report, and what it is measured by.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// On the boot clock.
    pub boot: BootNanos,
    /// On the wall clock.
    pub wall: WallNanos,
    /// Physical memory of the host, bytes; `None`: unknown.
    pub memory_bytes: Option<u64>,
}

/// Whether kernel events are there: without them starts, exits and what
/// processes used until their end are unknown, not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Hooks see every process.
    Events,
    /// Scans see who lives long enough.
    Scans,
}

/// Name of the executable file of a process, by its pid.
pub type NameOf<'a> = &'a dyn Fn(u32) -> Option<String>;

/// How a service is to be reported.
#[derive(Clone, Copy)]
pub struct Style<'a> {
    /// `[metrics]` of the plugin.
    pub options: MetricsOptions,
    /// Identifier of the service.
    pub service_id: &'a str,
    /// What kernel events there are.
    pub sight: Sight,
    /// Whether to tell what the scheduler's hook has counted.
    pub scheduler: bool,
    /// Names the members that have series of their own.
    pub name_of: NameOf<'a>,
}

/// Builds the report of a service; keeps what the next one needs for rates.
pub fn report(service: &mut Service, now: Moment, style: Style<'_>) -> ServiceReport {
    let Style { options, sight, .. } = style;
    let prefix = options.prefix.then_some(style.service_id);
    let semconv = options.naming != Naming::Instana;
    let legacy = options.naming != Naming::Semconv;

    let figures = Figures::of_service(service, now);
    let mut builder = Builder::new(service.start);
    if semconv {
        semconv::figures(&mut builder, &figures);
        semconv::count(&mut builder, service);
        if sight == Sight::Events {
            semconv::events(&mut builder, service);
        }
        if let Some(scheduled) = service.scheduled.as_ref().filter(|_| style.scheduler) {
            semconv::scheduled(&mut builder, scheduled);
        }
    }
    if legacy {
        legacy::of_service(&mut builder, service, &figures, now, prefix);
    }
    let before = builder.count();
    service.custom.add(&mut builder);
    let own = before..builder.count();

    let top = Top::of(service, options.per_process_top, now, style.name_of);
    for member in &top.0 {
        builder.of_member(member.start, member.attributes());
        if semconv {
            semconv::figures(&mut builder, &member.figures);
        }
        if legacy {
            legacy::of_member(&mut builder, &member.figures, now, prefix);
        }
    }
    let report = ServiceReport {
        identity: service.identity.clone(),
        process_count: service.living().count() as u64,
        pids: service.living().map(|member| member.key.pid).collect(),
        overview: overview(service, &figures, sight),
        top: top.members(),
        metrics: builder.finish(),
        own,
        ended: Vec::new(),
    };
    service.reported(now.boot, &figures.counters);
    report
}

fn overview(service: &Service, figures: &Figures, sight: Sight) -> Overview {
    let events = sight == Sight::Events;
    let exits = || service.exits.values().sum();
    Overview {
        starts: events.then_some(service.starts),
        exits: events.then(exits),
        ..figures.overview()
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
